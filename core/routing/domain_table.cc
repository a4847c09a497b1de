#include "core/routing/domain_table.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "core/strings.h"

namespace pillion::routing {
namespace {

struct HostPort {
  std::string_view host;  // an IPv6 address with its brackets
  uint16_t port;
};

// `default_port` stands for a port that is not there or empty (RFC 3986 section 3.2.3), 0 for one
// that is no port.
HostPort Split(std::string_view authority, uint16_t default_port) {
  const size_t bracket = authority.rfind(']');
  const size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  const std::string_view host = authority.substr(0, colon);
  if (colon == std::string_view::npos || colon + 1 == authority.size()) {
    return {host, default_port};
  }
  uint32_t port = 0;
  if (!absl::SimpleAtoi(ToAbsl(authority.substr(colon + 1)), &port) || port > 65535) port = 0;
  return {host, static_cast<uint16_t>(port)};
}

constexpr uint16_t kAnyPort = 0;
constexpr uint16_t kHttpPort = 80;

// Room for an authority in lower case.
using Buffer = std::array<char, DomainTable::kMaxAuthorityBytes>;

// REQUIRES: it fits.
std::string_view ToLower(std::string_view authority, Buffer* buffer) {
  std::transform(authority.begin(), authority.end(), buffer->begin(),
                 [](unsigned char c) { return absl::ascii_tolower(c); });
  return {buffer->data(), authority.size()};
}

}  // namespace

DomainPattern DomainPattern::Parse(std::string_view domain) {
  const HostPort parts = Split(domain, kAnyPort);
  DomainPattern pattern{kExact, absl::AsciiStrToLower(ToAbsl(parts.host)), parts.port};
  if (pattern.name == "*") {
    pattern.kind = kAny;
    pattern.name.clear();
  } else if (pattern.name.starts_with("*.")) {
    pattern.kind = kSuffix;
    pattern.name.erase(0, 1);
  } else if (pattern.name.ends_with(".*")) {
    pattern.kind = kPrefix;
    pattern.name.pop_back();
  }
  return pattern;
}

absl::Status DomainTable::Add(std::string_view domain, Place place) {
  DomainPattern pattern = DomainPattern::Parse(domain);
  // What is longer than an authority can be is never looked up.
  if (pattern.name.size() > kMaxAuthorityBytes) return absl::OkStatus();
  Group& group = groups_[pattern.kind];
  group.lengths.set(pattern.name.size());
  const bool is_new =
      group.places.try_emplace(Key(std::move(pattern.name), pattern.port), place).second;
  return is_new ? absl::OkStatus()
                : absl::AlreadyExistsError(StrCat("duplicate domain '", domain, "'"));
}

std::optional<DomainTable::Place> DomainTable::Group::Find(std::string_view name,
                                                           uint16_t port) const {
  if (!lengths.test(name.size())) return std::nullopt;
  auto found = places.find(KeyView(ToAbsl(name), port));
  if (found == places.end() && port != 0) found = places.find(KeyView(ToAbsl(name), 0));
  if (found == places.end()) return std::nullopt;
  return found->second;
}

std::optional<DomainTable::Place> DomainTable::FindPlace(std::string_view authority) const {
  if (authority.size() > kMaxAuthorityBytes) return std::nullopt;
  Buffer buffer;
  const auto [host, port] = Split(ToLower(authority, &buffer), kHttpPort);
  std::optional<Place> found = groups_[DomainPattern::kExact].Find(host, port);
  if (found.has_value()) return found;
  // Suffixes begin with a dot, prefixes end with one; the star stands for one character at least.
  for (size_t dot = host.find('.', 1); dot != std::string_view::npos;
       dot = host.find('.', dot + 1)) {
    found = groups_[DomainPattern::kSuffix].Find(host.substr(dot), port);
    if (found.has_value()) return found;
  }
  for (size_t size = host.empty() ? 0 : host.size() - 1; size > 0; --size) {
    if (host[size - 1] != '.') continue;
    found = groups_[DomainPattern::kPrefix].Find(host.substr(0, size), port);
    if (found.has_value()) return found;
  }
  return groups_[DomainPattern::kAny].Find("", port);
}

}  // namespace pillion::routing
