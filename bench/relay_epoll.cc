// The yardstick: what it costs to pass bytes on with epoll when nobody looks at them.
//
// A connection to the upstream for each connection from downstream; what arrives on one is written
// to the other. As good as epoll allows: one thread; each socket is registered once,
// edge-triggered, for both directions; whatever was read is written at once, and only what the
// socket does not take is kept; a read that did not fill the buffer has taken all there was. So a
// request costs two reads, two writes and a share of an epoll_wait.

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "bench/sockets.h"

namespace pillion::bench {
namespace {

char g_buffer[256 * 1024];

struct Pair;

// One of the two sockets of a pair.
struct Side {
  Pair* pair = nullptr;
  Side* other = nullptr;
  int fd = -1;
  std::string unsent = {};  // read from the other side; while there is any, the other is not read
  bool ended = false;     // the peer sends no more: there are no further edges, read on to the end
  bool finished = false;  // its end was read
  bool shut = false;      // and passed on to the other side
};

struct Pair {
  Side downstream;
  Side upstream;
  bool over = false;
};

// Sends what is kept for `side`, and the end if that was reached. False when the connection is
// broken.
bool Flush(Side& side) {
  while (!side.unsent.empty()) {
    const ssize_t sent = send(side.fd, side.unsent.data(), side.unsent.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    side.unsent.erase(0, sent);
  }
  if (side.other->finished && !side.other->shut) {
    side.other->shut = true;
    shutdown(side.fd, SHUT_WR);
  }
  return true;
}

bool Send(Side& side, std::string_view bytes) {
  const ssize_t sent = send(side.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return false;
  if (sent < 0) {
    side.unsent = bytes;
  } else if (static_cast<size_t>(sent) < bytes.size()) {
    side.unsent = bytes.substr(sent);
  }
  return true;
}

// Passes on what there is to read on `from`. False when the connection is broken.
bool Relay(Side& from) {
  while (from.other->unsent.empty() && !from.finished) {
    const ssize_t got = read(from.fd, g_buffer, sizeof g_buffer);
    if (got < 0) return errno == EAGAIN;
    if (got == 0) {
      from.finished = true;
      return Flush(*from.other);
    }
    if (!Send(*from.other, {g_buffer, static_cast<size_t>(got)})) return false;
    if (static_cast<size_t>(got) < sizeof g_buffer && !from.ended) break;
  }
  return true;
}

// What can be done on both sides after an event on `side`.
bool Run(Side& side, uint32_t events) {
  if (events & (EPOLLRDHUP | EPOLLHUP)) side.ended = true;
  if (events & EPOLLERR) return false;
  if (events & EPOLLOUT && !side.unsent.empty()) {
    if (!Flush(side) || !Relay(*side.other)) return false;
  }
  if (!Relay(side)) return false;
  return !(side.finished && side.other->finished && side.unsent.empty() &&
           side.other->unsent.empty());
}

class Relayer {
 public:
  Relayer(int listener, uint16_t upstream)
      : listener_(listener), upstream_(Loopback(upstream)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_ < 0) Die("epoll_create1", errno);
    Register(listener_, EPOLLIN, nullptr);
  }

  void Serve() {
    std::array<epoll_event, 256> events;
    for (;;) {
      const int count = epoll_wait(epoll_, events.data(), events.size(), -1);
      for (int i = 0; i < count; ++i) {
        auto* side = static_cast<Side*>(events[i].data.ptr);
        if (side == nullptr) {
          Accept();
        } else if (!side->pair->over && !Run(*side, events[i].events)) {
          Close(side->pair);
        }
      }
      // Only now: an event of the same batch may have been the other side's.
      for (Pair* pair : over_) delete pair;
      over_.clear();
    }
  }

 private:
  void Register(int fd, uint32_t events, Side* side) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = side;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) Die("epoll_ctl", errno);
  }

  void Accept() {
    for (;;) {
      const int downstream = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (downstream < 0) return;
      const int upstream = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      if (upstream < 0) Die("socket", errno);
      if (connect(upstream, reinterpret_cast<sockaddr*>(&upstream_), sizeof upstream_) != 0 &&
          errno != EINPROGRESS) {
        Die("connect", errno);
      }
      auto* pair = new Pair;
      pair->downstream = {.pair = pair, .other = &pair->upstream, .fd = downstream};
      pair->upstream = {.pair = pair, .other = &pair->downstream, .fd = upstream};
      for (Side* side : {&pair->downstream, &pair->upstream}) {
        SendAtOnce(side->fd);
        Register(side->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, side);
      }
    }
  }

  void Close(Pair* pair) {
    close(pair->downstream.fd);
    close(pair->upstream.fd);
    pair->over = true;
    over_.push_back(pair);
  }

  const int listener_;
  sockaddr_in upstream_;
  const int epoll_;
  std::vector<Pair*> over_;
};

}  // namespace
}  // namespace pillion::bench

int main(int argc, char** argv) {
  using namespace pillion::bench;
  const Ports ports = ParsePorts(argc, argv, /*has_upstream=*/true);
  Relayer(Listen(ports.listen, SOCK_NONBLOCK), ports.upstream).Serve();
}
