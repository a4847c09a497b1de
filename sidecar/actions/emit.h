// `emit`: after a forwarded call, subscribers learn that it happened, without its payload.
//
// An event that is AT_LEAST_ONCE is stored before the call is forwarded, held by the delivery
// engine until its end is known. Releasing and discarding are not waited for: the event is durable
// already, and a process that ends before they are stored announces it.

#ifndef PILLION_SIDECAR_ACTIONS_EMIT_H_
#define PILLION_SIDECAR_ACTIONS_EMIT_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

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

// The events of one call that were stored before it was forwarded, and what is to become of them is
// not known yet. Movable; belongs to the call's worker.
struct EmitIntents {
  struct Intent {
    size_t entry = 0;  // of the route's `emit`
    std::string id;    // of the held message
  };
  std::vector<Intent> held;
};

// All `emit` entries of one route. Immutable.
class Emitter {
 public:
  virtual ~Emitter() = default;

  // Before the call is forwarded: stores the events of the entries that are AT_LEAST_ONCE, held,
  // and looks whether there is room for those of the others. OK when the former are durable, or
  // when there are none. Errors: as Engine::Accept, and the scope's; then nothing may be forwarded.
  // Whatever comes of it, Emit or GiveUp must follow.
  virtual net::Task<absl::Status> Prepare(Call& call, EmitIntents& intents,
                                          net::CancelScope& scope) const = 0;

  // Before the caller gets the answer: says which of the held events it brings about, and stores
  // those of the other entries; OK when they are durable, or when there are none. Errors: as
  // Engine::Accept, and the scope's.
  virtual net::Task<absl::Status> Emit(Call& call, const http::ResponseHead& answer,
                                       EmitIntents& intents, net::CancelScope& scope) const = 0;

  // There was no answer. What is still held is announced if the call may have `reached` the
  // upstream, else dropped. Does nothing after Emit.
  virtual void GiveUp(Call& call, bool reached, EmitIntents& intents) const = 0;
};

// Null when the route emits nothing.
std::unique_ptr<const Emitter> CompileEmitter(const config::v1::Route& route,
                                              const CompileContext& context);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_EMIT_H_
