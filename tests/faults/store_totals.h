// Looks into the store of a sidecar that has ended.

#ifndef PILLION_TESTS_FAULTS_STORE_TOTALS_H_
#define PILLION_TESTS_FAULTS_STORE_TOTALS_H_

#include <string>

#include "absl/status/statusor.h"
#include "tests/faults/record.h"

namespace pillion::faults {

absl::StatusOr<StoreTotals> ReadStore(const std::string& database);

}  // namespace pillion::faults

#endif  // PILLION_TESTS_FAULTS_STORE_TOTALS_H_
