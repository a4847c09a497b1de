// `emit`: after a forwarded call, subscribers learn that it happened, without its payload.

#ifndef PILLION_SIDECAR_ACTIONS_EMIT_H_
#define PILLION_SIDECAR_ACTIONS_EMIT_H_

#include <memory>

#include "absl/status/statusor.h"
#include "core/net/task.h"
#include "sidecar/actions/action.h"

namespace pillion::http {
struct ResponseHead;
}
namespace pillion::net {
class CancelScope;
}

namespace pillion::sidecar {

// All `emit` entries of one route. Immutable.
class Emitter {
 public:
  virtual ~Emitter() = default;

  // Stores the events that this answer to this call brings about; OK when they are durable, or when
  // there are none. Must be called before the caller gets the answer. Errors: as
  // Deliveries::Accept.
  virtual net::Task<absl::Status> Emit(Call& call, const http::ResponseHead& answer,
                                       net::CancelScope& scope) const = 0;
};

// Null when the route emits nothing.
std::unique_ptr<const Emitter> CompileEmitter(const config::v1::Route& route,
                                              const CompileContext& context);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_EMIT_H_
