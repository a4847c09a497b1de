#include "sidecar/upstream/cluster_config.h"

#include <utility>

#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::upstream {
namespace {

net::Duration ToDuration(const google::protobuf::Duration& duration) {
  return std::chrono::seconds(duration.seconds()) + std::chrono::nanoseconds(duration.nanos());
}

LbPolicy ToLbPolicy(config::v1::Cluster::LbPolicy policy) {
  switch (policy) {
    case config::v1::Cluster::ROUND_ROBIN:
      return LbPolicy::kRoundRobin;
    case config::v1::Cluster::RANDOM:
      return LbPolicy::kRandom;
    default:
      return LbPolicy::kLeastRequest;
  }
}

absl::StatusOr<EndpointConfig> CompileEndpoint(const config::v1::Endpoint& endpoint) {
  absl::StatusOr<net::Address> address = net::Address::Parse(endpoint.address());
  if (address.ok()) return EndpointConfig{*address, endpoint.weight()};
  absl::StatusOr<net::HostPort> name = net::HostPort::Parse(endpoint.address());
  if (name.ok()) return EndpointConfig{*std::move(name), endpoint.weight()};
  // Of the two reasons the one that speaks of what was written.
  const bool numeric = endpoint.address().find_first_of("[/") != std::string::npos;
  return numeric ? address.status() : name.status();
}

}  // namespace

std::string_view LbPolicyName(LbPolicy policy) {
  switch (policy) {
    case LbPolicy::kRoundRobin:
      return "ROUND_ROBIN";
    case LbPolicy::kRandom:
      return "RANDOM";
    case LbPolicy::kLeastRequest:
      break;
  }
  return "LEAST_REQUEST";
}

absl::StatusOr<std::shared_ptr<const ClusterConfig>> CompileCluster(
    const config::v1::Cluster& cluster, ClusterRegistry& registry) {
  auto config = std::make_shared<ClusterConfig>();
  config->name = cluster.name();
  for (const config::v1::Endpoint& endpoint : cluster.endpoints()) {
    absl::StatusOr<EndpointConfig> compiled = CompileEndpoint(endpoint);
    if (!compiled.ok()) {
      return absl::InvalidArgumentError(
          StrCat("cluster '", cluster.name(), "': ", FromAbsl(compiled.status().message())));
    }
    config->endpoints.push_back(*std::move(compiled));
  }
  if (config->endpoints.empty()) {
    return absl::InvalidArgumentError(
        StrCat("cluster '", cluster.name(), "' has no endpoints: give at least one"));
  }
  config->lb_policy = ToLbPolicy(cluster.lb_policy());
  config->connect_timeout = ToDuration(cluster.connect_timeout());
  config->idle_timeout = ToDuration(cluster.idle_timeout());
  const config::v1::CircuitBreakers& breakers = cluster.circuit_breakers();
  config->circuit_breakers = {
      .max_connections = breakers.max_connections(),
      .max_pending_requests = breakers.max_pending_requests(),
      .max_requests = breakers.max_requests(),
      .max_retries = breakers.max_retries(),
  };
  config->shared = registry.Get(cluster.name());
  return config;
}

}  // namespace pillion::upstream
