// One policy, compiled: what a call sees from its beginning to its end.
//
// Immutable and shared by all workers. A call holds the snapshot it began with, so no call sees
// parts of two policies; the snapshot goes with its last call.

#ifndef PILLION_SIDECAR_SNAPSHOT_H_
#define PILLION_SIDECAR_SNAPSHOT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/routing/route_table.h"
#include "sidecar/actions/action.h"
#include "sidecar/actions/subscription.h"

namespace pillion::upstream {
class ClusterRegistry;
}

namespace pillion::sidecar {

struct Snapshot {
  std::string version;
  std::shared_ptr<const config::v1::Policy> policy;
  ClusterMap clusters;  // by name
  std::vector<std::unique_ptr<const SubscriptionConfig>> subscriptions;
  std::shared_ptr<const routing::RouteTable> routes;
  std::vector<std::unique_ptr<const Action>> actions;  // by CompiledRoute::index
  // What does not keep the policy from working, but some of it: for a person, a line each.
  std::vector<std::string> warnings;
};

// REQUIRES: the policy was checked and has its defaults. Errors (InvalidArgument) name what cannot
// be used all the same. Any thread; reads the files that the policy names.
absl::StatusOr<std::shared_ptr<const Snapshot>> CompileSnapshot(
    std::shared_ptr<const config::v1::Policy> policy, std::string version,
    upstream::ClusterRegistry& registry);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_SNAPSHOT_H_
