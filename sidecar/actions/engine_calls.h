// The delivery engine, asked from a worker's coroutine.

#ifndef PILLION_SIDECAR_ACTIONS_ENGINE_CALLS_H_
#define PILLION_SIDECAR_ACTIONS_ENGINE_CALLS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/net/cancel.h"
#include "core/net/task.h"
#include "core/net/wait_queue.h"
#include "sidecar/delivery/engine.h"

namespace pillion::sidecar {

// As the engine's functions of these names; the scope only ends the waiting.
// `id`, if not null, is set at once, to what Engine::Accept returns.
net::Task<absl::StatusOr<delivery::Accepted>> Accept(delivery::Engine& engine,
                                                     delivery::AcceptRequest request,
                                                     net::CancelScope& scope,
                                                     std::string* id = nullptr);
net::Task<absl::StatusOr<std::vector<delivery::Accepted>>> AcceptAll(
    delivery::Engine& engine, std::vector<delivery::AcceptRequest> requests,
    net::CancelScope& scope);
net::Task<absl::StatusOr<delivery::MessageView>> GetStatus(delivery::Engine& engine, std::string id,
                                                           net::CancelScope& scope);
net::Task<absl::StatusOr<delivery::DeliveryResult>> GetResult(delivery::Engine& engine,
                                                              std::string id,
                                                              net::CancelScope& scope);
net::Task<absl::StatusOr<delivery::MessageView>> Cancel(delivery::Engine& engine, std::string id,
                                                        net::CancelScope& scope);

net::Task<absl::StatusOr<delivery::MessageView>> ReportProgress(delivery::Engine& engine,
                                                                std::string id,
                                                                int percent_complete,
                                                                net::CancelScope& scope);

// Follows the status of an operation or message from a loop.
class StatusWatch {
 public:
  StatusWatch(delivery::Engine& engine, std::string id, net::Loop& loop);
  StatusWatch(const StatusWatch&) = delete;
  StatusWatch& operator=(const StatusWatch&) = delete;
  ~StatusWatch();

  // The present status, the first time; after that, the next one that was not seen (some between
  // may be passed over). Errors: the scope's; the watch's (Engine::Watch).
  net::Task<absl::StatusOr<delivery::MessageView>> Next(net::CancelScope& scope);

 private:
  struct State;

  delivery::Engine& engine_;
  std::shared_ptr<State> state_;
  delivery::WatchId watch_;
};

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_ENGINE_CALLS_H_
