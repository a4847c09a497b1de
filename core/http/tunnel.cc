#include "core/http/tunnel.h"

#include "core/net/loop.h"
#include "core/net/task_group.h"

namespace pillion::http {
namespace {

struct Tunnel {
  Tunnel(net::CancelScope& parent, net::Duration idle_timeout)
      : scope(parent.loop(), &parent), idle_timeout(idle_timeout) {}

  net::CancelScope scope;
  const net::Duration idle_timeout;

  void Touch() {
    if (idle_timeout > net::Duration::zero()) {
      scope.SetDeadline(scope.loop().now() + idle_timeout, "idle");
    }
  }
};

net::Task<void> Pump(TunnelSide& from, TunnelSide& to, Tunnel& tunnel) {
  while (true) {
    if (from.unread.empty()) {
      from.unread.Release();
      absl::StatusOr<size_t> received = co_await from.socket.Receive(from.unread, tunnel.scope);
      if (!received.ok()) break;
      if (*received == 0) {
        to.socket.ShutdownSend();
        co_return;
      }
    }
    tunnel.Touch();
    absl::Status sent = co_await to.socket.Send(tunnel.scope, from.unread.view());
    if (!sent.ok()) break;
    from.unread.Consume(from.unread.size());
  }
  // A broken direction ends the other one, too.
  if (!tunnel.scope.canceled()) tunnel.scope.Cancel(absl::AbortedError("the tunnel broke"));
}

}  // namespace

net::Task<void> RunTunnel(TunnelSide& a, TunnelSide& b, net::Duration idle_timeout,
                          net::CancelScope& scope) {
  Tunnel tunnel(scope, idle_timeout);
  tunnel.Touch();
  net::TaskGroup pumps(scope.loop());
  pumps.Spawn(Pump(a, b, tunnel));
  pumps.Spawn(Pump(b, a, tunnel));
  co_await pumps.Join();
}

}  // namespace pillion::http
