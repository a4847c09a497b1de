#include "core/net/socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "core/check.h"
#include "core/net/loop.h"
#include "core/strings.h"

namespace pillion::net {
namespace {

int OpenSocket(int family) {
  return ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

void SetNoDelay(int fd) {
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));  // fails on Unix sockets: no matter
}

template <typename Getter>
Address NameOf(int fd, Getter getter) {
  sockaddr_storage storage{};
  socklen_t length = sizeof(storage);
  if (getter(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return Address();
  return Address::FromSockaddr(reinterpret_cast<sockaddr*>(&storage), length);
}

// A socket file that nobody listens on is left over from a killed process.
void RemoveStaleUnixSocket(const Address& address) {
  const int fd = OpenSocket(AF_UNIX);
  if (fd < 0) return;
  if (connect(fd, address.get(), address.length()) != 0 && errno == ECONNREFUSED) {
    unlink(reinterpret_cast<const sockaddr_un*>(address.get())->sun_path);
  }
  close(fd);
}

absl::Status BindError(const Address& address, int error) {
  std::string fix;
  if (error == EADDRINUSE)
    fix = "; another process uses it: stop that one or choose another address";
  if (error == EACCES) fix = "; ports below 1024 and foreign directories need more rights";
  if (error == EADDRNOTAVAIL) fix = "; this machine has no such address";
  if (error == ENOENT) fix = "; the directory does not exist: create it";
  return absl::ErrnoToStatus(error, StrCat("cannot listen on ", address.ToString(), fix));
}

// A socket that listens; -1 and errno if there is none. One that was bound and cannot listen is of
// no more use.
int TryToListen(const Address& address, const Listener::Options& options) {
  if (address.is_unix()) RemoveStaleUnixSocket(address);
  const int fd = OpenSocket(address.family());
  if (fd < 0) return -1;
  if (!address.is_unix()) {
    const int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (options.reuse_port) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
  }
  if (bind(fd, address.get(), address.length()) == 0 && listen(fd, options.backlog) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

// As TryToListen(), for a second: of a process that was killed with io_uring, the kernel closes the
// sockets a little after its end, and whoever is started in its place waits for that.
int OpenListening(const Address& address, const Listener::Options& options) {
  constexpr auto kPause = std::chrono::milliseconds(10);
  constexpr int kPauses = 100;
  for (int pauses = 0;; ++pauses) {
    const int fd = TryToListen(address, options);
    if (fd >= 0 || errno != EADDRINUSE || pauses == kPauses) return fd;
    std::this_thread::sleep_for(kPause);
  }
}

struct ConnectAwaiter : IoAwaiter {
  using IoAwaiter::IoAwaiter;
  absl::Status await_resume() { return std::move(status_); }
};

struct AcceptAwaiter : IoAwaiter {
  using IoAwaiter::IoAwaiter;
  absl::StatusOr<int> await_resume() {
    if (!status_.ok()) return std::move(status_);
    return static_cast<int>(result);
  }
};

}  // namespace

bool IoAwaiter::await_ready() {
  if (cancel_scope_->canceled()) {
    status_ = cancel_scope_->status();
    return true;
  }
  ended_ = loop_.io().Start(*this, &status_);
  return ended_ && loop_.TakeBudget();
}

void IoAwaiter::await_suspend(std::coroutine_handle<> waiter) {
  if (ended_) {
    Yield(waiter);
  } else {
    Suspend(*cancel_scope_, waiter);
  }
}

absl::StatusOr<Socket> Socket::Adopt(Loop& loop, int fd) {
  SetNoDelay(fd);
  IoHandle* handle = loop.io().Attach(fd);
  if (handle == nullptr) {
    const int error = errno;
    close(fd);
    return absl::ErrnoToStatus(error, "watch a socket");
  }
  return Socket(loop, handle);
}

Task<absl::StatusOr<Socket>> Socket::Connect(Loop& loop, Address address, CancelScope& scope) {
  const int fd = OpenSocket(address.family());
  if (fd < 0) co_return absl::ErrnoToStatus(errno, "socket");
  absl::StatusOr<Socket> socket = Adopt(loop, fd);
  if (!socket.ok()) co_return socket.status();
  ConnectAwaiter connect(loop, IoOperation::Kind::kConnect, socket->handle_, scope);
  connect.address = address.get();
  connect.address_length = address.length();
  absl::Status status = co_await connect;
  if (!status.ok()) co_return status;
  co_return std::move(*socket);
}

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    Close();
    loop_ = other.loop_;
    handle_ = std::exchange(other.handle_, nullptr);
  }
  return *this;
}

void Socket::Watch() { loop_->io().Watch(handle_); }

void Socket::CancelOnClose(CancelScope* scope) {
  handle_->cancel_on_close = scope;
  if (scope == nullptr) return;
  if (handle_->peer_closed) {
    scope->Cancel(absl::AbortedError("the peer closed the connection"));
  } else {
    Watch();
  }
}

void Socket::ShutdownSend() { shutdown(handle_->fd, SHUT_WR); }

void Socket::Close(bool reset) {
  if (handle_ == nullptr) return;
  if (reset) {
    const linger abort{1, 0};
    setsockopt(handle_->fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
  }
  loop_->io().Detach(std::exchange(handle_, nullptr));
}

Address Socket::peer() const { return NameOf(handle_->fd, getpeername); }
Address Socket::local() const { return NameOf(handle_->fd, getsockname); }

absl::StatusOr<Listener> Listener::Bind(Loop& loop, const Address& address, Options options) {
  if (options.reuse_port && options.first && address.port() != 0) {
    // Sockets that share a port would share it with another process of the same user, too.
    absl::StatusOr<Listener> alone = Bind(loop, address, Options());
    if (!alone.ok()) return alone.status();
  }
  const int fd = OpenListening(address, options);
  if (fd < 0) return BindError(address, errno);
  IoHandle* handle = loop.io().Attach(fd);
  if (handle == nullptr) {
    const int error = errno;
    close(fd);
    return BindError(address, error);
  }
  return Listener(loop, handle, NameOf(fd, getsockname), address.is_unix());
}

absl::StatusOr<Listener> Listener::Share(Loop& loop) const {
  const int fd = fcntl(handle_->fd, F_DUPFD_CLOEXEC, 0);
  IoHandle* handle = fd < 0 ? nullptr : loop.io().Attach(fd);
  if (handle == nullptr) {
    const int error = errno;
    if (fd >= 0) close(fd);
    return BindError(address_, error);
  }
  return Listener(loop, handle, address_, false);
}

Listener::Listener(Listener&& other) noexcept
    : loop_(other.loop_),
      handle_(std::exchange(other.handle_, nullptr)),
      address_(std::move(other.address_)),
      owns_path_(other.owns_path_) {}

Listener::~Listener() {
  if (handle_ == nullptr) return;
  if (owns_path_) unlink(reinterpret_cast<const sockaddr_un*>(address_.get())->sun_path);
  // The backend may close a moment later; nobody is to connect in that moment. (A Unix socket may
  // be shared, and has lost its path.)
  if (!address_.is_unix()) shutdown(handle_->fd, SHUT_RDWR);
  loop_->io().Detach(handle_);
}

Task<absl::StatusOr<Socket>> Listener::Accept(CancelScope& scope) {
  AcceptAwaiter accept(*loop_, IoOperation::Kind::kAccept, handle_, scope);
  absl::StatusOr<int> fd = co_await accept;
  if (!fd.ok()) co_return fd.status();
  co_return Socket::Adopt(*loop_, *fd);
}

}  // namespace pillion::net
