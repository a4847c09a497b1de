// One client's side of an incremental xDS stream, as control sees it: what it subscribed to, what
// it holds, and what it has to be told. The protocol without the transport.
// (https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol, "Incremental xDS")
#ifndef PILLION_CONTROL_DELTA_SESSION_H_
#define PILLION_CONTROL_DELTA_SESSION_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "control/resources.h"

namespace envoy::service::discovery::v3 {
class DeltaDiscoveryRequest;
class DeltaDiscoveryResponse;
}  // namespace envoy::service::discovery::v3

namespace pillion::control {

// Not thread-safe.
class DeltaSession {
 public:
  using Request = envoy::service::discovery::v3::DeltaDiscoveryRequest;
  using Response = envoy::service::discovery::v3::DeltaDiscoveryResponse;

  // What the client said about an earlier response.
  struct Verdict {
    std::string type_url;
    std::string policy_version;  // that the response belonged to
    bool accepted;
    std::string reason;  // of a rejection
  };
  struct Outcome {
    std::optional<Verdict> verdict;
    // The client came back and runs this version of the policy.
    std::optional<std::string> runs_version;
  };

  // Takes a subscription, an acknowledgement or both. An acknowledgement of a response that is not
  // known is ignored, as the protocol asks.
  Outcome OnRequest(const Request& request);

  // The next thing to tell a client that should see `view`, which is part of `policy_version`, and
  // of `clusters` those that it subscribed to by name; false if it knows all of it. Resource types
  // come in the order of discovery::ResourceTypes(), so that PolicyVersion comes when the client
  // has all else. Large news is cut into several responses. The client counts as knowing what is in
  // the response.
  bool Next(const ResourcesByType& view, const ResourceMap& clusters,
            const std::string& policy_version, Response* response);

 private:
  struct Subscription {
    bool wildcard = false;
    std::set<std::string> names;
    // What the client holds: versions by name; "" if it was told that there is no such resource.
    std::map<std::string, std::string> known;

    bool Wants(const std::string& name) const { return wildcard || names.count(name) != 0; }
  };
  struct Sent {
    std::string type_url;
    std::string policy_version;
  };

  void Subscribe(const Request& request, Subscription& subscription, bool first);
  static bool Collect(Subscription& subscription, const ResourceMap& view,
                      const ResourceMap& by_name, const std::string& type_url, Response* response);
  void Stamp(const std::string& type_url, const std::string& policy_version, Response* response);

  std::map<std::string, Subscription> subscriptions_;  // by type URL
  std::map<uint64_t, Sent> unanswered_;                // by nonce
  uint64_t last_nonce_ = 0;
};

}  // namespace pillion::control

#endif  // PILLION_CONTROL_DELTA_SESSION_H_
