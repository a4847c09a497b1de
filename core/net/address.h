// Addresses of sockets, as users write them:
//   127.0.0.1:5001   [::1]:5001   unix:/run/orders.sock   orders.internal:80 (a name, for DNS)

#ifndef PILLION_CORE_NET_ADDRESS_H_
#define PILLION_CORE_NET_ADDRESS_H_

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace pillion::net {

// A numeric IPv4 or IPv6 address with its port, or the path of a Unix domain socket.
class Address {
 public:
  Address() = default;

  // Errors (InvalidArgument): not an address, a name instead of a number, a port above 65535, a
  // Unix path longer than the kernel takes (107 bytes).
  static absl::StatusOr<Address> Parse(std::string_view text);

  // From what the kernel or a resolver gave.
  static Address FromSockaddr(const sockaddr* address, socklen_t length);

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t length() const { return length_; }
  int family() const { return storage_.ss_family; }
  bool is_unix() const { return family() == AF_UNIX; }
  // 0 for Unix sockets.
  uint16_t port() const;
  void set_port(uint16_t port);
  bool is_loopback() const;
  // Without the port; for a Unix socket "unix:/path".
  std::string host() const;
  // As Parse() reads it.
  std::string ToString() const;

  friend bool operator==(const Address& a, const Address& b) {
    return a.ToString() == b.ToString();
  }

 private:
  sockaddr_storage storage_{};
  socklen_t length_ = 0;
};

// A host name with its port, to be resolved.
struct HostPort {
  std::string host;
  uint16_t port = 0;

  // Errors (InvalidArgument): no port, a port out of range, an empty or malformed name.
  static absl::StatusOr<HostPort> Parse(std::string_view text);
};

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_ADDRESS_H_
