// What a power cut does to a log file: of what no fsync has confirmed, anything.

#ifndef PILLION_TESTS_FAULTS_LOG_TEAR_H_
#define PILLION_TESTS_FAULTS_LOG_TEAR_H_

#include <cstdint>
#include <random>
#include <string>

#include "absl/status/statusor.h"

namespace pillion::faults {

// Damages the bytes [begin, end) of `file`, or some of them, in one of the ways in which a disk
// does: cut off, zeros, garbage, one sector that was not written. Nothing that an fsync has
// confirmed is touched, so that no commit that anybody was told of is. Returns what it did, for a
// person; "" if there are no such bytes.
absl::StatusOr<std::string> TearUnsynced(const std::string& file, int64_t begin, int64_t end,
                                         std::mt19937_64& random);

}  // namespace pillion::faults

#endif  // PILLION_TESTS_FAULTS_LOG_TEAR_H_
