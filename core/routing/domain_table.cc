#include "core/routing/domain_table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "absl/strings/ascii.h"
#include "core/strings.h"

namespace pillion::routing {
namespace {

struct HostPort {
  std::string_view host;  // an IPv6 address with its brackets
  uint16_t port;
};

// 0 if `digits` are no port.
uint16_t ParsePort(std::string_view digits) {
  const char* const end = digits.data() + digits.size();
  uint16_t port = 0;
  const auto [parsed, error] = std::from_chars(digits.data(), end, port);
  return error == std::errc() && parsed == end ? port : 0;
}

// `default_port` stands for a port that is not there or empty (RFC 3986 section 3.2.3), 0 for one
// that is no port.
HostPort Split(std::string_view authority, uint16_t default_port) {
  const size_t bracket = authority.starts_with('[') ? authority.rfind(']') : 0;
  const size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  const std::string_view host = authority.substr(0, colon);
  if (colon == std::string_view::npos || colon + 1 == authority.size()) {
    return {host, default_port};
  }
  return {host, ParsePort(authority.substr(colon + 1))};
}

constexpr uint16_t kAnyPort = 0;
constexpr uint16_t kHttpPort = 80;

// Room for a host in lower case.
using Buffer = std::array<char, DomainTable::kMaxAuthorityBytes>;

// REQUIRES: it fits.
std::string_view ToLower(std::string_view host, Buffer* buffer) {
  std::transform(host.begin(), host.end(), buffer->begin(),
                 [](unsigned char c) { return absl::ascii_tolower(c); });
  return {buffer->data(), host.size()};
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

bool DomainTable::Ports::Add(uint16_t port, Place place) {
  if (port != kAnyPort) return named_.try_emplace(port, place).second;
  if (any_.has_value()) return false;
  any_ = place;
  return true;
}

std::optional<DomainTable::Place> DomainTable::Ports::Find(uint16_t port) const {
  if (!named_.empty()) {
    const auto found = named_.find(port);
    if (found != named_.end()) return found->second;
  }
  return any_;
}

bool DomainTable::Names::Add(std::string name, uint16_t port, Place place) {
  lengths_.set(name.size());
  return ports_[std::move(name)].Add(port, place);
}

std::optional<DomainTable::Place> DomainTable::Names::Find(std::string_view name,
                                                           uint16_t port) const {
  if (!lengths_.test(name.size())) return std::nullopt;
  const auto found = ports_.find(ToAbsl(name));
  if (found == ports_.end()) return std::nullopt;
  return found->second.Find(port);
}

absl::Status DomainTable::Add(std::string_view domain, Place place) {
  DomainPattern pattern = DomainPattern::Parse(domain);
  // What is longer than an authority can be is never looked up.
  if (pattern.name.size() > kMaxAuthorityBytes) return absl::OkStatus();
  if (pattern.kind != DomainPattern::kAny || pattern.port != kAnyPort) only_any_ = false;
  bool is_new = false;
  switch (pattern.kind) {
    case DomainPattern::kExact:
      is_new = exact_.Add(std::move(pattern.name), pattern.port, place);
      break;
    case DomainPattern::kSuffix:
      is_new = suffixes_.Add(std::move(pattern.name), pattern.port, place);
      break;
    case DomainPattern::kPrefix:
      is_new = prefixes_.Add(std::move(pattern.name), pattern.port, place);
      break;
    case DomainPattern::kAny:
      is_new = any_.Add(pattern.port, place);
      break;
  }
  return is_new ? absl::OkStatus()
                : absl::AlreadyExistsError(StrCat("duplicate domain '", domain, "'"));
}

// Suffixes begin with a dot, prefixes end with one; the star stands for one character at least.

std::optional<DomainTable::Place> DomainTable::FindSuffix(std::string_view host,
                                                          uint16_t port) const {
  if (suffixes_.empty()) return std::nullopt;
  for (size_t dot = host.find('.', 1); dot != std::string_view::npos;
       dot = host.find('.', dot + 1)) {
    const std::optional<Place> found = suffixes_.Find(host.substr(dot), port);
    if (found.has_value()) return found;
  }
  return std::nullopt;
}

std::optional<DomainTable::Place> DomainTable::FindPrefix(std::string_view host,
                                                          uint16_t port) const {
  if (prefixes_.empty()) return std::nullopt;
  for (size_t size = host.empty() ? 0 : host.size() - 1; size > 0; --size) {
    if (host[size - 1] != '.') continue;
    const std::optional<Place> found = prefixes_.Find(host.substr(0, size), port);
    if (found.has_value()) return found;
  }
  return std::nullopt;
}

std::optional<DomainTable::Place> DomainTable::FindPlace(std::string_view authority) const {
  if (authority.size() > kMaxAuthorityBytes) return std::nullopt;
  if (only_any_) return any_.Find(kHttpPort);
  const auto [host, port] = Split(authority, kHttpPort);
  Buffer buffer;
  const std::string_view name = ToLower(host, &buffer);
  std::optional<Place> found = exact_.Find(name, port);
  if (!found.has_value()) found = FindSuffix(name, port);
  if (!found.has_value()) found = FindPrefix(name, port);
  if (!found.has_value()) found = any_.Find(port);
  return found;
}

}  // namespace pillion::routing
