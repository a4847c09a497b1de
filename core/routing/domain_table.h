// From the authority of a request to the virtual host that it is for.
//
// Threads: built by one thread, then immutable: any number may look up.
#ifndef PILLION_CORE_ROUTING_DOMAIN_TABLE_H_
#define PILLION_CORE_ROUTING_DOMAIN_TABLE_H_

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"

namespace pillion::routing {

// A domain of the policy: an exact name, `*.suffix`, `prefix.*` or `*`, each with a port or
// without.
struct DomainPattern {
  // In the order in which they are tried.
  enum Kind : uint8_t { kExact, kSuffix, kPrefix, kAny };

  // Reads the text of a domain; lower-cases it.
  static DomainPattern Parse(std::string_view domain);

  Kind kind;
  std::string name;  // without the star and the port: "orders", ".suffix", "prefix.", ""
  uint16_t port;     // 0: any
};

class DomainTable {
 public:
  // An authority that is longer belongs to nobody. A host name has at most 253 bytes
  // (RFC 1035 section 2.3.4).
  static constexpr size_t kMaxAuthorityBytes = 255;

  // Where a domain stands in the policy.
  struct Place {
    size_t virtual_host;
    size_t domain;  // of those of the virtual host
  };

  // Makes `domain` lead to `place`. ALREADY_EXISTS if one that means the same was added.
  absl::Status Add(std::string_view domain, Place place);

  // The domain that says most about `authority`: by kind, then the longest name, then one with the
  // port before one without; nullopt if there is none. An authority without a port has that of
  // HTTP, 80. No allocation.
  std::optional<Place> FindPlace(std::string_view authority) const;
  // Its virtual host.
  std::optional<size_t> Find(std::string_view authority) const {
    const std::optional<Place> place = FindPlace(authority);
    if (!place.has_value()) return std::nullopt;
    return place->virtual_host;
  }

 private:
  // Where the domains of one name lead, by port.
  class Ports {
   public:
    // False if the port, or 0 for any, has a place already.
    bool Add(uint16_t port, Place place);
    // The place of `port`, else that of any port.
    std::optional<Place> Find(uint16_t port) const;

   private:
    std::optional<Place> any_;
    absl::flat_hash_map<uint16_t, Place> named_;
  };

  // The domains of one kind, by name.
  class Names {
   public:
    bool empty() const { return ports_.empty(); }
    bool Add(std::string name, uint16_t port, Place place);
    std::optional<Place> Find(std::string_view name, uint16_t port) const;

   private:
    absl::flat_hash_map<std::string, Ports> ports_;
    std::bitset<kMaxAuthorityBytes + 1> lengths_;  // of the names: others are not looked up
  };

  std::optional<Place> FindSuffix(std::string_view host, uint16_t port) const;
  std::optional<Place> FindPrefix(std::string_view host, uint16_t port) const;

  Names exact_;
  Names suffixes_;
  Names prefixes_;
  Ports any_;
  bool only_any_ = true;  // no domain but "*" without a port: an authority need not be looked at
};

}  // namespace pillion::routing

#endif  // PILLION_CORE_ROUTING_DOMAIN_TABLE_H_
