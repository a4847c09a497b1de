// A cluster of the policy, compiled: what a worker needs to know to call it, checked and in its own
// units.
//
// Immutable; one object serves all workers, through the policy snapshot that holds it.

#ifndef PILLION_SIDECAR_UPSTREAM_CLUSTER_CONFIG_H_
#define PILLION_SIDECAR_UPSTREAM_CLUSTER_CONFIG_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "core/net/address.h"
#include "core/net/timer.h"
#include "sidecar/upstream/cluster_shared.h"

namespace pillion::config::v1 {
class Cluster;
}

namespace pillion::upstream {

enum class LbPolicy { kLeastRequest, kRoundRobin, kRandom };

// As the policy writes it: "LEAST_REQUEST".
std::string_view LbPolicyName(LbPolicy policy);

struct EndpointConfig {
  // Numeric or Unix address; or a name, each of whose addresses is a host with this weight.
  std::variant<net::Address, net::HostPort> target;
  uint32_t weight = 1;
};

// Bounds on the whole process; what they mean is said in policy.proto.
struct CircuitBreakers {
  uint32_t max_connections = 1024;
  uint32_t max_pending_requests = 1024;
  uint32_t max_requests = 1024;
  uint32_t max_retries = 3;
};

struct ClusterConfig {
  std::string name;
  std::vector<EndpointConfig> endpoints;
  LbPolicy lb_policy = LbPolicy::kLeastRequest;
  net::Duration connect_timeout = std::chrono::seconds(1);
  net::Duration idle_timeout = std::chrono::seconds(30);
  CircuitBreakers circuit_breakers;
  // What all workers share about the cluster of this name. Never null.
  std::shared_ptr<ClusterShared> shared;
};

// REQUIRES: `cluster` has its defaults filled in (config::LoadPolicy or config::ApplyDefaults).
// Errors (InvalidArgument): an endpoint that is no address, or none at all.
absl::StatusOr<std::shared_ptr<const ClusterConfig>> CompileCluster(
    const config::v1::Cluster& cluster, ClusterRegistry& registry);

}  // namespace pillion::upstream

#endif  // PILLION_SIDECAR_UPSTREAM_CLUSTER_CONFIG_H_
