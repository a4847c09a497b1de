// Bytes both ways between two sockets, after a protocol switch.

#ifndef PILLION_CORE_HTTP_TUNNEL_H_
#define PILLION_CORE_HTTP_TUNNEL_H_

#include "core/net/buffer.h"
#include "core/net/cancel.h"
#include "core/net/socket.h"
#include "core/net/task.h"

namespace pillion::http {

struct TunnelSide {
  net::Socket& socket;
  net::Buffer& unread;  // what was received already; goes first
};

// Relays until both directions have ended, one of them failed, nothing moved for `idle_timeout` (0:
// no limit) or the scope was canceled. The end of one direction is passed on as such.
net::Task<void> RunTunnel(TunnelSide& a, TunnelSide& b, net::Duration idle_timeout,
                          net::CancelScope& scope);

}  // namespace pillion::http

#endif  // PILLION_CORE_HTTP_TUNNEL_H_
