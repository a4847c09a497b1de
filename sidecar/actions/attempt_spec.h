// Reads what was stored about a delivery's attempts (pillion.store.v1.AttemptSpec).

#ifndef PILLION_SIDECAR_ACTIONS_ATTEMPT_SPEC_H_
#define PILLION_SIDECAR_ACTIONS_ATTEMPT_SPEC_H_

#include <string>

#include "pillion/store/v1/attempt_spec.pb.h"

namespace pillion::sidecar {

// From DeliverySpec::extra. Bytes that are no such message give the defaults: a delivery must be
// attempted all the same.
store::v1::AttemptSpec DecodeAttemptSpec(const std::string& bytes);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_ATTEMPT_SPEC_H_
