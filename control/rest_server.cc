#include "control/rest_server.h"

#include <chrono>
#include <utility>

#include "core/net/wait_queue.h"
#include "core/strings.h"

namespace pillion::control {
namespace {

constexpr auto kStopPatience = std::chrono::seconds(1);
constexpr auto kAcceptPause = std::chrono::milliseconds(50);  // when descriptors are short
constexpr size_t kMaxConnections = 1000;

}  // namespace

absl::StatusOr<std::unique_ptr<RestServer>> RestServer::Open(net::Loop& loop,
                                                             const std::string& address,
                                                             http::RequestHandler& handler) {
  absl::StatusOr<net::Address> parsed = net::Address::Parse(address);
  if (!parsed.ok()) return parsed.status();
  absl::StatusOr<net::Listener> listener =
      net::Listener::Bind(loop, *parsed, net::Listener::Options());
  if (!listener.ok()) return listener.status();
  return std::unique_ptr<RestServer>(new RestServer(loop, *std::move(listener), handler));
}

RestServer::RestServer(net::Loop& loop, net::Listener listener, http::RequestHandler& handler)
    : loop_(loop),
      listener_(std::move(listener)),
      scope_(loop),
      context_(loop, &scope_, handler, http::ServerOptions()),
      connections_(loop, &scope_) {}

net::Task<void> RestServer::Serve(net::CancelScope& stop) {
  while (!stop.canceled()) {
    absl::StatusOr<net::Socket> socket = co_await listener_.Accept(stop);
    if (!socket.ok()) {
      (void)co_await net::SleepUntil(loop_.now() + kAcceptPause, stop);
    } else if (connections_.size() < kMaxConnections) {
      connections_.Spawn(http::ServeConnection(*std::move(socket), context_, connections_.scope()));
    }
  }
  context_.Drain();
  net::CancelScope patience(loop_);
  patience.SetDeadline(loop_.now() + kStopPatience, "stopping");
  absl::Status ended = co_await connections_.Join(patience);
  if (ended.ok()) co_return;
  scope_.Cancel(absl::CancelledError("stopping"));
  co_await connections_.Join();
}

}  // namespace pillion::control
