// The hosts of one cluster in one worker: made from the policy's endpoints and from what DNS says
// of their names, kept across edits of both, and chosen from.
//
// A host to which connecting failed is chosen last for a short while (1 s, doubled with each
// further failure up to 8 s): a first, local answer to a dead endpoint.
//
// Belongs to its loop's thread.

#ifndef PILLION_SIDECAR_UPSTREAM_HOST_SET_H_
#define PILLION_SIDECAR_UPSTREAM_HOST_SET_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "core/net/loop.h"
#include "core/telemetry/fast_random.h"
#include "sidecar/upstream/cluster_config.h"
#include "sidecar/upstream/dns_resolver.h"
#include "sidecar/upstream/host.h"

namespace pillion::upstream {

class HostSet {
 public:
  // `on_change` runs after every change by DNS; `on_remove` for every host that leaves the cluster,
  // by whatever way. Everything given must outlive the set.
  HostSet(net::Loop& loop, DnsResolver& resolver, telemetry::FastRandom& random,
          std::function<void()> on_change, std::function<void(Host&)> on_remove);
  HostSet(const HostSet&) = delete;
  HostSet& operator=(const HostSet&) = delete;

  // Takes over endpoints and lb_policy. Hosts that stay keep their state.
  void Configure(const ClusterConfig& config);

  // A host for a call; not one of `avoid` if there are others. Null: there is none.
  Host* Pick(absl::Span<const HostId> avoid);

  // Another address of the same endpoint (a DNS name), not one of `tried`; null if there is none.
  Host* NextAddress(const Host& failed, absl::Span<const HostId> tried);

  void OnConnected(Host& host);
  void OnConnectFailed(Host& host);

  bool empty() const { return hosts_.empty(); }
  // True when there is no host yet, and one may come: DNS has not answered.
  bool awaits_dns() const;
  // Why there is no host, for a person. REQUIRES: empty()
  std::string WhyEmpty() const;

  // In the order of the policy.
  const std::vector<std::unique_ptr<Host>>& hosts() const { return hosts_; }
  // Endpoints without an address, with the reason.
  std::vector<std::pair<std::string, std::string>> Unresolved() const;

  // Forgets removed hosts that no call uses any more. True when none is left.
  bool DropRemoved();

 private:
  struct Name {
    std::string name;
    std::optional<Resolution> answer;
    DnsResolver::Subscription subscription;
  };

  void Follow(std::string_view name, std::vector<Name>* names);
  void OnAnswer(std::string_view name, const Resolution& answer);
  const Name& Find(std::string_view name) const;
  void Rebuild();
  bool Preferred(const Host& host, net::TimePoint now) const { return host.avoid_until <= now; }

  net::Loop& loop_;
  DnsResolver& resolver_;
  telemetry::FastRandom& random_;
  const std::function<void()> on_change_;
  const std::function<void(Host&)> on_remove_;

  LbPolicy lb_policy_ = LbPolicy::kLeastRequest;
  std::vector<EndpointConfig> endpoints_;
  std::shared_ptr<ClusterShared> shared_;
  std::vector<Name> names_;  // each once
  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<std::unique_ptr<Host>> removed_;
  CandidateSet all_;
  CandidateSet some_;                 // Pick()'s, kept for its memory
  net::TimePoint any_avoided_until_;  // the latest of all hosts
  HostId last_id_ = 0;
};

}  // namespace pillion::upstream

#endif  // PILLION_SIDECAR_UPSTREAM_HOST_SET_H_
