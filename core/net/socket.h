// Stream sockets of one loop.
//
// Errors of the operations are what the kernel said (absl::ErrnoToStatus), or the reason for which
// the given scope was canceled. At most one receive and one send run on a socket at a time.

#ifndef PILLION_CORE_NET_SOCKET_H_
#define PILLION_CORE_NET_SOCKET_H_

#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "core/net/address.h"
#include "core/net/buffer.h"
#include "core/net/io_backend.h"
#include "core/net/task.h"

namespace pillion::net {

// Awaits one I/O operation. Ends without suspending when the kernel could serve it at once.
class IoAwaiter : public IoOperation {
 public:
  IoAwaiter(Loop& loop, Kind kind, IoHandle* handle, CancelScope& scope)
      : IoOperation(loop, kind, handle), cancel_scope_(&scope) {}

  bool await_ready();
  void await_suspend(std::coroutine_handle<> waiter);

 protected:
  bool ended_ = false;
  CancelScope* cancel_scope_;
};

class Socket;

// Made by Socket::Receive(); to derive from, also by itself.
struct ReceiveAwaiter : IoAwaiter {
  ReceiveAwaiter(Socket& socket, CancelScope& scope, Buffer& into);
  absl::StatusOr<size_t> await_resume() {
    if (!status_.ok()) return std::move(status_);
    return static_cast<size_t>(result);
  }
};

// Made by Socket::Send(); to derive from, also by itself.
struct SendAwaiter : IoAwaiter {
  SendAwaiter(Socket& socket, CancelScope& scope, std::string_view a = {}, std::string_view b = {},
              std::string_view c = {}, std::string_view d = {});
  // Before it is awaited: sends this, too. At most 4 pieces that are not empty.
  void Add(std::string_view piece) {
    if (piece.empty()) return;
    pieces[static_cast<size_t>(piece_count++)] = {const_cast<char*>(piece.data()), piece.size()};
  }
  absl::Status await_resume() { return std::move(status_); }
};

class Socket {
 public:
  Socket() = default;
  Socket(Socket&& other) noexcept
      : loop_(other.loop_), handle_(std::exchange(other.handle_, nullptr)) {}
  Socket& operator=(Socket&& other) noexcept;
  ~Socket() { Close(); }

  // Takes over a connected, non-blocking descriptor. Errors: the loop cannot watch it (it is
  // closed).
  static absl::StatusOr<Socket> Adopt(Loop& loop, int fd);

  // Opens a connection. Cancel the scope to give up.
  static Task<absl::StatusOr<Socket>> Connect(Loop& loop, Address address, CancelScope& scope);

  // co_await -> absl::StatusOr<size_t>: appends at least one byte to `into`; 0 at the end of the
  // stream. `into` is given memory only when there is something to put there.
  ReceiveAwaiter Receive(Buffer& into, CancelScope& scope) {
    return ReceiveAwaiter(*this, scope, into);
  }

  // co_await -> absl::Status: sends all the pieces (at most 4), which must stay in place meanwhile.
  // An error may leave any part of them sent.
  SendAwaiter Send(CancelScope& scope, std::string_view a, std::string_view b = {},
                   std::string_view c = {}, std::string_view d = {}) {
    return SendAwaiter(*this, scope, a, b, c, d);
  }

  // Cancels `scope` as soon as the peer closes its side or the connection breaks, at once when it
  // has happened already; null ends the watch. The watch must end before the scope does.
  void CancelOnClose(CancelScope* scope);

  // For a connection that rests: keeps readable() and peer_closed() up to date until the next
  // Receive(), which does it anyway, and expects no flood of bytes, for which memory would be held.
  void Watch();

  // True once the peer is known to have closed.
  bool peer_closed() const { return handle_->peer_closed; }

  // True when bytes or the end of the stream are known to wait. A pooled connection on which
  // nothing was asked is of no use then.
  bool readable() const { return handle_->readable; }

  // Says that no more will be sent.
  void ShutdownSend();

  // Closes. With `reset`, the peer sees a reset instead of an orderly end: for answers that were
  // cut off, so that it cannot take the part for the whole. REQUIRES: no operation runs.
  void Close(bool reset = false);

  bool is_open() const { return handle_ != nullptr; }
  Address peer() const;
  Address local() const;
  Loop& loop() const { return *loop_; }

 private:
  friend struct ReceiveAwaiter;
  friend struct SendAwaiter;

  Socket(Loop& loop, IoHandle* handle) : loop_(&loop), handle_(handle) {}

  Loop* loop_ = nullptr;
  IoHandle* handle_ = nullptr;
};

inline ReceiveAwaiter::ReceiveAwaiter(Socket& socket, CancelScope& scope, Buffer& into)
    : IoAwaiter(*socket.loop_, Kind::kReceive, socket.handle_, scope) {
  buffer = &into;
}

inline SendAwaiter::SendAwaiter(Socket& socket, CancelScope& scope, std::string_view a,
                                std::string_view b, std::string_view c, std::string_view d)
    : IoAwaiter(*socket.loop_, Kind::kSend, socket.handle_, scope) {
  Add(a);
  Add(b);
  Add(c);
  Add(d);
}

// A listening socket.
class Listener {
 public:
  struct Options {
    bool reuse_port = false;  // several loops listen on one port
    // With reuse_port: an error if anybody listens there already. Clear it for the further loops.
    bool first = true;
    int backlog = 1024;
  };

  // Port 0 takes a free one. A Unix path whose owner is gone is taken over; one that is in use is
  // an error. What is in use is waited for, for a second: of a process that was just killed it may
  // be. Errors name the address and the fix.
  static absl::StatusOr<Listener> Bind(Loop& loop, const Address& address, Options options);

  // The same listening socket for another loop: for Unix sockets, which cannot be bound twice.
  absl::StatusOr<Listener> Share(Loop& loop) const;

  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  // Closes; removes the path of a Unix socket.
  ~Listener();

  // Waits for the next connection. A shortage of descriptors or memory is an error
  // (ResourceExhausted or whatever the kernel said): wait a little, then go on.
  Task<absl::StatusOr<Socket>> Accept(CancelScope& scope);

  // Connections are known to wait: Accept() will not.
  bool readable() const { return handle_->readable; }

  const Address& address() const { return address_; }

 private:
  Listener(Loop& loop, IoHandle* handle, Address address, bool owns_path)
      : loop_(&loop), handle_(handle), address_(std::move(address)), owns_path_(owns_path) {}

  Loop* loop_;
  IoHandle* handle_;
  Address address_;
  bool owns_path_;
};

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_SOCKET_H_
