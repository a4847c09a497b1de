// What the benchmark's own servers share: their command line and their sockets. Loopback only.
//
// Errors end the process with a line on standard error: each of these programs does one thing, and
// none of it is worth doing in part.
#ifndef PILLION_BENCH_SOCKETS_H_
#define PILLION_BENCH_SOCKETS_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace pillion::bench {

[[noreturn]] inline void Die(const char* what, int error) {
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(error));
  std::exit(1);
}

struct Ports {
  uint16_t listen = 0;
  uint16_t upstream = 0;
};

// Reads `--listen PORT` (0, the default: a free one) and, where a server has one, `--upstream
// PORT`.
inline Ports ParsePorts(int argc, char** argv, bool has_upstream) {
  Ports ports;
  bool good = argc % 2 == 1;
  for (int i = 1; good && i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::string_view value = argv[i + 1];
    uint16_t* port = name == "--listen"                     ? &ports.listen
                     : name == "--upstream" && has_upstream ? &ports.upstream
                                                            : nullptr;
    good =
        port != nullptr && std::from_chars(value.data(), value.data() + value.size(), *port).ptr ==
                               value.data() + value.size();
  }
  if (!good || (has_upstream && ports.upstream == 0)) {
    std::fprintf(stderr, "usage: %s --listen PORT%s\n", argv[0],
                 has_upstream ? " --upstream PORT" : "");
    std::exit(2);
  }
  return ports;
}

inline sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A listening socket, after saying `listening on PORT` on standard output. `flags` as for socket().
inline int Listen(uint16_t port, int flags) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  if (fd < 0) Die("socket", errno);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address = Loopback(port);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(fd, generic, size) != 0) Die("bind", errno);
  if (listen(fd, SOMAXCONN) != 0) Die("listen", errno);
  if (getsockname(fd, generic, &size) != 0) Die("getsockname", errno);
  std::printf("listening on %d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return fd;
}

inline void SendAtOnce(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace pillion::bench

#endif  // PILLION_BENCH_SOCKETS_H_
