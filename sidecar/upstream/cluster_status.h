// What the admin endpoint /clusters shows.

#ifndef PILLION_SIDECAR_UPSTREAM_CLUSTER_STATUS_H_
#define PILLION_SIDECAR_UPSTREAM_CLUSTER_STATUS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/net/task.h"
#include "sidecar/upstream/cluster_config.h"

namespace pillion::upstream {

class ClusterManager;

struct HostStatus {
  std::string address;
  std::string origin;  // the endpoint it comes from: `address`, or a name with its port
  uint32_t weight = 1;
  // Added up over workers:
  uint64_t active = 0;  // calls in flight
  uint64_t idle = 0;    // pooled connections
  uint64_t requests_total = 0;
  uint64_t connections_total = 0;
  uint64_t connect_failures_total = 0;
  bool failing = false;  // a worker could not connect lately, and prefers others
};

struct ClusterStatus {
  std::string name;
  std::string lb_policy;
  CircuitBreakers limits;
  // In use, of the process:
  uint32_t connections = 0;
  uint32_t pending = 0;
  uint32_t requests = 0;
  uint32_t retries = 0;
  std::vector<HostStatus> hosts;
  std::vector<std::pair<std::string, std::string>>
      unresolved;  // endpoints without address, and why
};

// Adds one worker's view to that of others.
void Merge(std::vector<ClusterStatus> from, std::vector<ClusterStatus>* into);

// Asks all workers and merges their views. `scope` is of the caller's loop; the managers' loops are
// the workers'. REQUIRES: the managers stay until it ends. Errors: the scope's.
net::Task<absl::StatusOr<std::vector<ClusterStatus>>> DescribeClusters(
    std::vector<ClusterManager*> managers, net::CancelScope& scope);

// {"clusters":[{"name":...,"hosts":[...]}]}, for people and scripts.
std::string ToJson(absl::Span<const ClusterStatus> clusters);

}  // namespace pillion::upstream

#endif  // PILLION_SIDECAR_UPSTREAM_CLUSTER_STATUS_H_
