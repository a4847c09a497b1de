// Listens for people and pillionctl, and lets a handler answer.
#ifndef PILLION_CONTROL_REST_SERVER_H_
#define PILLION_CONTROL_REST_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/http/server.h"
#include "core/net/loop.h"
#include "core/net/socket.h"
#include "core/net/task_group.h"

namespace pillion::control {

// Belongs to the thread that runs the loop.
class RestServer {
 public:
  // Opens the address. An error names it and the reason. `loop` and `handler` outlive the server.
  static absl::StatusOr<std::unique_ptr<RestServer>> Open(net::Loop& loop,
                                                          const std::string& address,
                                                          http::RequestHandler& handler);

  // Where it listens, with the real port.
  std::string address() const { return listener_.address().ToString(); }

  // Serves until `stop` is canceled; then lets running answers finish, for a second at most.
  net::Task<void> Serve(net::CancelScope& stop);

 private:
  RestServer(net::Loop& loop, net::Listener listener, http::RequestHandler& handler);

  net::Loop& loop_;
  net::Listener listener_;
  net::CancelScope scope_;
  http::ServerContext context_;
  net::TaskGroup connections_;
};

}  // namespace pillion::control

#endif  // PILLION_CONTROL_REST_SERVER_H_
