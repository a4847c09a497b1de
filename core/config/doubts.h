// What is no mistake in a policy, but probably not meant: routes that never get a call, and topics
// that nobody publishes or receives.
//
// Threads: pure functions.
#ifndef PILLION_CORE_CONFIG_DOUBTS_H_
#define PILLION_CORE_CONFIG_DOUBTS_H_

#include "core/config/diagnostic.h"
#include "core/config/place.h"

namespace pillion::config {

namespace v1 {
class Policy;
}

// Adds a warning for each. REQUIRES: the checker found no mistake in `policy`.
void FindDoubts(const v1::Policy& policy, const PlaceMap& places, DiagnosticList* warnings);

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_DOUBTS_H_
