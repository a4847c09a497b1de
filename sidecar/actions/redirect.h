// `redirect`: tells the caller to go elsewhere.

#ifndef PILLION_SIDECAR_ACTIONS_REDIRECT_H_
#define PILLION_SIDECAR_ACTIONS_REDIRECT_H_

#include <memory>

#include "absl/status/statusor.h"
#include "sidecar/actions/action.h"

namespace pillion::config::v1 {
class Route;
}

namespace pillion::sidecar {

// REQUIRES: the route's action is `redirect`. Errors: as CompileAction.
absl::StatusOr<std::unique_ptr<const Action>> CompileRedirect(const config::v1::Route& route);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_REDIRECT_H_
