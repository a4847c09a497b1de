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
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

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
  // A name and a port; looked up without making a string.
  using Key = std::pair<std::string, uint16_t>;
  using KeyView = std::pair<absl::string_view, uint16_t>;
  struct Hash {
    using is_transparent = void;
    size_t operator()(const KeyView& key) const { return absl::HashOf(key); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const KeyView& a, const KeyView& b) const { return a == b; }
  };

  // The domains of one kind.
  struct Group {
    std::optional<Place> Find(std::string_view name, uint16_t port) const;

    absl::flat_hash_map<Key, Place, Hash, Equal> places;
    std::bitset<kMaxAuthorityBytes + 1> lengths;  // of the names, so that few are looked up in vain
  };

  Group groups_[DomainPattern::kAny + 1];
};

}  // namespace pillion::routing

#endif  // PILLION_CORE_ROUTING_DOMAIN_TABLE_H_
