#include "core/net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "core/strings.h"

namespace pillion::net {
namespace {

absl::Status Bad(std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(StrCat("'", text, "' is not an address: ", why));
}

struct Split {
  std::string_view host;
  uint16_t port;
};

absl::StatusOr<Split> SplitHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == text.npos) return Bad(text, "the port is missing (host:port)");
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  uint32_t port = 0;
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(ToAbsl(digits), &port) || port > 65535) {
    return Bad(text, "the port must be a number from 0 to 65535");
  }
  if (ConsumePrefix(host, "[")) {
    if (!ConsumeSuffix(host, "]")) return Bad(text, "']' is missing");
  } else if (host.find(':') != host.npos) {
    return Bad(text, "an IPv6 address stands in brackets ([::1]:80)");
  }
  if (host.empty()) return Bad(text, "the host is missing (host:port)");
  return Split{host, static_cast<uint16_t>(port)};
}

}  // namespace

absl::StatusOr<Address> Address::Parse(std::string_view text) {
  Address address;
  std::string_view path = text;
  if (ConsumePrefix(path, "unix:")) {
    auto* local = reinterpret_cast<sockaddr_un*>(&address.storage_);
    if (path.empty()) return Bad(text, "the path is missing (unix:/path)");
    if (path.size() >= sizeof(local->sun_path)) {
      return Bad(text, StrCat("the path has ", path.size(), " bytes; at most ",
                              sizeof(local->sun_path) - 1, " are possible"));
    }
    if (path.find('\0') != path.npos) return Bad(text, "the path holds a zero byte");
    local->sun_family = AF_UNIX;
    std::memcpy(local->sun_path, path.data(), path.size());
    address.length_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return address;
  }
  absl::StatusOr<Split> split = SplitHostPort(text);
  if (!split.ok()) return split.status();
  const std::string host(split->host);
  if (auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage_);
      inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    address.length_ = sizeof(sockaddr_in);
  } else if (auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage_);
             inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    address.length_ = sizeof(sockaddr_in6);
  } else {
    return Bad(text, "not a numeric IPv4 or IPv6 address");
  }
  address.set_port(split->port);
  return address;
}

Address Address::FromSockaddr(const sockaddr* address, socklen_t length) {
  Address result;
  result.length_ = std::min<socklen_t>(length, sizeof(result.storage_));
  std::memcpy(&result.storage_, address, result.length_);
  return result;
}

uint16_t Address::port() const {
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
  if (family() == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_port);
  }
  return 0;
}

void Address::set_port(uint16_t port) {
  if (family() == AF_INET) reinterpret_cast<sockaddr_in*>(&storage_)->sin_port = htons(port);
  if (family() == AF_INET6) reinterpret_cast<sockaddr_in6*>(&storage_)->sin6_port = htons(port);
}

bool Address::is_loopback() const {
  if (family() == AF_INET) {
    return (ntohl(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr.s_addr) >> 24) == 127;
  }
  if (family() == AF_INET6) {
    return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr);
  }
  return is_unix();
}

std::string Address::host() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr, text,
              sizeof(text));
  } else if (family() == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr, text,
              sizeof(text));
  } else if (is_unix()) {
    // A peer that never bound its socket has no path.
    if (length_ <= offsetof(sockaddr_un, sun_path)) return "unix:";
    return StrCat("unix:", reinterpret_cast<const sockaddr_un*>(&storage_)->sun_path);
  }
  return text;
}

std::string Address::ToString() const {
  if (is_unix()) return host();
  if (family() == AF_INET6) return StrCat("[", host(), "]:", port());
  return StrCat(host(), ":", port());
}

absl::StatusOr<HostPort> HostPort::Parse(std::string_view text) {
  absl::StatusOr<Split> split = SplitHostPort(text);
  if (!split.ok()) return split.status();
  for (char c : split->host) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '.' && c != '_') {
      return Bad(text, "a host name has letters, digits, '-', '_' and '.' only");
    }
  }
  return HostPort{std::string(split->host), split->port};
}

}  // namespace pillion::net
