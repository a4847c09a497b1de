// Durations of the policy, for the event loop.

#ifndef PILLION_SIDECAR_DURATION_H_
#define PILLION_SIDECAR_DURATION_H_

#include "core/config/units.h"
#include "core/net/timer.h"

namespace pillion::sidecar {

inline net::Duration ToChrono(const google::protobuf::Duration& duration) {
  return absl::ToChronoNanoseconds(config::ToAbslDuration(duration));
}

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_DURATION_H_
