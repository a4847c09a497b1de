#include "tests/integration/harness/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace pillion::harness {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

// Waits until `fd` is ready for `events` (of poll(2)).
absl::Status WaitFor(int fd, short events, Deadline deadline, std::string_view what) {
  pollfd polled = {fd, events, 0};
  while (true) {
    const int ready = poll(&polled, 1, deadline.PollTimeout());
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return absl::ErrnoToStatus(errno, "poll");
    if (ready == 0)
      return absl::DeadlineExceededError(absl::StrCat("cannot ", std::string(what), " in time"));
  }
}

}  // namespace

int FreePort() {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::perror("no free port");
    std::abort();
  }
  return ntohs(address.sin_port);
}

absl::StatusOr<Connection> Connection::Connect(int port, Deadline deadline) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return absl::ErrnoToStatus(errno, "no socket");
  const sockaddr_in address = Loopback(port);
  int error = 0;
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    error = errno;
  if (error == EINPROGRESS) {
    if (absl::Status ready = WaitFor(fd.get(), POLLOUT, deadline, "connect"); !ready.ok())
      return ready;
    socklen_t size = sizeof(error);
    getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  }
  if (error != 0)
    return absl::ErrnoToStatus(error, absl::StrCat("cannot connect to 127.0.0.1:", port));
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return Connection(std::move(fd));
}

absl::StatusOr<Connection> Connection::ConnectUnix(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return absl::InvalidArgumentError("path too long for a socket");
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot connect to ", path));
  }
  return Connection(std::move(fd));
}

Connection::Connection(UniqueFd fd) : fd_(std::move(fd)) {}

absl::Status Connection::Send(std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      bytes.remove_prefix(sent);
    } else if (errno == EAGAIN) {
      if (absl::Status ready = WaitFor(fd_.get(), POLLOUT, deadline, "send"); !ready.ok())
        return ready;
    } else if (errno != EINTR) {
      return absl::UnavailableError(absl::StrCat("cannot send: ", std::strerror(errno)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Connection::Fill(Deadline deadline) {
  char piece[64 * 1024];
  while (true) {
    if (absl::Status ready = WaitFor(fd_.get(), POLLIN, deadline, "read"); !ready.ok())
      return ready;
    const ssize_t size = recv(fd_.get(), piece, sizeof(piece), MSG_DONTWAIT);
    if (size >= 0) {
      buffer_.append(piece, size);
      return size > 0;
    }
    if (errno != EINTR && errno != EAGAIN) {
      return absl::UnavailableError(absl::StrCat("cannot read: ", std::strerror(errno)));
    }
  }
}

std::string Connection::Take(size_t size) {
  if (size >= buffer_.size()) return std::exchange(buffer_, {});
  std::string taken = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return taken;
}

absl::StatusOr<std::string> Connection::ReadThrough(std::string_view marker, Deadline deadline) {
  size_t searched = 0;
  while (true) {
    const size_t at = buffer_.find(marker, searched);
    if (at != std::string::npos) return Take(at + marker.size());
    searched = buffer_.size() - std::min(buffer_.size(), marker.size() - 1);
    auto more = Fill(deadline);
    if (!more.ok())
      return absl::Status(more.status().code(),
                          absl::StrCat(more.status().message(), " after: ", buffer_));
    if (!*more) return absl::OutOfRangeError(absl::StrCat("the peer closed after: ", buffer_));
  }
}

absl::StatusOr<std::string> Connection::ReadExactly(size_t size, Deadline deadline) {
  while (buffer_.size() < size) {
    auto more = Fill(deadline);
    if (!more.ok()) return more.status();
    if (!*more) {
      return absl::OutOfRangeError(
          absl::StrCat("the peer closed after ", buffer_.size(), " of ", size, " bytes"));
    }
  }
  return Take(size);
}

absl::StatusOr<std::string_view> Connection::Peek(Deadline deadline) {
  if (buffer_.empty()) {
    if (auto more = Fill(deadline); !more.ok()) return more.status();
  }
  return buffer_;
}

absl::StatusOr<std::string> Connection::ReadSome(size_t limit, Deadline deadline) {
  if (auto something = Peek(deadline); !something.ok()) return something.status();
  return Take(limit);
}

absl::StatusOr<std::string> Connection::ReadToEnd(Deadline deadline) {
  while (true) {
    auto more = Fill(deadline);
    if (!more.ok()) return more.status();
    if (!*more) return std::exchange(buffer_, {});
  }
}

bool Connection::Readable() const {
  pollfd polled = {fd_.get(), POLLIN, 0};
  return !buffer_.empty() || poll(&polled, 1, 0) > 0;
}

void Connection::ShutdownWrite() { shutdown(fd_.get(), SHUT_WR); }

void Connection::Close() { fd_.Close(); }

void Connection::ResetOnClose() {
  const linger discard = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &discard, sizeof(discard));
}

void Connection::Abort() const { shutdown(fd_.get(), SHUT_RDWR); }

}  // namespace pillion::harness
