// `async`: the call is stored and answered at once with 202 and a statusUrl; the upstream is called
// in the background, again and again if need be, and its answer kept.

#ifndef PILLION_SIDECAR_ACTIONS_ASYNC_H_
#define PILLION_SIDECAR_ACTIONS_ASYNC_H_

#include <memory>

#include "absl/status/statusor.h"
#include "sidecar/actions/action.h"

namespace pillion::sidecar {

// REQUIRES: the route's action is `async`. Errors: as CompileAction.
absl::StatusOr<std::unique_ptr<const Action>> CompileAsync(const routing::CompiledRoute& route,
                                                           const CompileContext& context);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_ASYNC_H_
