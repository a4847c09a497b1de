#include "sidecar/snapshot.h"

#include <utility>

#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/actions/callback.h"
#include "sidecar/upstream/cluster_config.h"

namespace pillion::sidecar {

absl::StatusOr<std::shared_ptr<const Snapshot>> CompileSnapshot(
    std::shared_ptr<const config::v1::Policy> policy, std::string version,
    upstream::ClusterRegistry& registry) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->version = std::move(version);
  snapshot->policy = policy;
  for (const config::v1::Cluster& cluster : policy->clusters()) {
    auto compiled = upstream::CompileCluster(cluster, registry);
    if (!compiled.ok()) return compiled.status();
    snapshot->clusters.emplace(cluster.name(), *std::move(compiled));
  }
  const CompileContext context{snapshot->clusters, snapshot->subscriptions, *policy};
  for (const config::v1::Subscription& subscription : policy->subscriptions()) {
    snapshot->subscriptions.push_back(
        CompileSubscription(subscription, context.Broker(subscription.broker())));
  }
  absl::StatusOr<std::shared_ptr<const routing::RouteTable>> routes =
      routing::RouteTable::Compile(policy);
  if (!routes.ok()) return routes.status();
  snapshot->routes = *std::move(routes);
  for (size_t i = 0; i < snapshot->routes->route_count(); ++i) {
    const routing::CompiledRoute& route = snapshot->routes->route(i);
    absl::StatusOr<std::unique_ptr<const Action>> action = CompileAction(route, context);
    if (!action.ok()) {
      return absl::InvalidArgumentError(
          StrCat("route ", route.name, ": ", FromAbsl(action.status().message())));
    }
    snapshot->actions.push_back(*std::move(action));
  }
  snapshot->warnings = CheckSecretFiles(*policy);
  return snapshot;
}

}  // namespace pillion::sidecar
