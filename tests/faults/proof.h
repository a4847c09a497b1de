// Whether the record of a campaign keeps what Pillion promises.

#ifndef PILLION_TESTS_FAULTS_PROOF_H_
#define PILLION_TESTS_FAULTS_PROOF_H_

#include <string>
#include <vector>

#include "tests/faults/record.h"

namespace pillion::faults {

// What the record contradicts, a line each; empty if all holds:
//  - What was accepted is in a final state: succeeded and received, or failed with a reason.
//  - What was forwarded was received. What was refused was not, and neither was anything else that
//    was not sent to where it arrived.
//  - Of each key, deliveries that succeeded arrived for the first time in the order of acceptance.
//  - Every store is intact, holds just what was accepted, and agrees with its sidecar's metrics.
std::vector<std::string> FindBrokenPromises(const Record& record);

}  // namespace pillion::faults

#endif  // PILLION_TESTS_FAULTS_PROOF_H_
