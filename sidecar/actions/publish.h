// `publish`: the call becomes a message; each subscription gets it.

#ifndef PILLION_SIDECAR_ACTIONS_PUBLISH_H_
#define PILLION_SIDECAR_ACTIONS_PUBLISH_H_

#include <memory>

#include "absl/status/statusor.h"
#include "sidecar/actions/action.h"

namespace pillion::sidecar {

// REQUIRES: the route's action is `publish`. Errors: as CompileAction.
absl::StatusOr<std::unique_ptr<const Action>> CompilePublish(const routing::CompiledRoute& route,
                                                             const CompileContext& context);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_PUBLISH_H_
