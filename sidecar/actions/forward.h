// `route`: forwards the call to an upstream and its answer to the caller.

#ifndef PILLION_SIDECAR_ACTIONS_FORWARD_H_
#define PILLION_SIDECAR_ACTIONS_FORWARD_H_

#include <memory>

#include "absl/status/statusor.h"
#include "sidecar/actions/action.h"

namespace pillion::config::v1 {
class Route;
}

namespace pillion::sidecar {

// REQUIRES: the route's action is `route`. Errors: as CompileAction.
absl::StatusOr<std::unique_ptr<const Action>> CompileForward(const config::v1::Route& route,
                                                             const CompileContext& context);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_FORWARD_H_
