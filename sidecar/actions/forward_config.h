// The policy of one `route`, ready for use.

#ifndef PILLION_SIDECAR_ACTIONS_FORWARD_CONFIG_H_
#define PILLION_SIDECAR_ACTIONS_FORWARD_CONFIG_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/net/timer.h"
#include "sidecar/actions/action.h"
#include "sidecar/actions/emit.h"
#include "sidecar/actions/header_edits.h"
#include "sidecar/actions/retry_on.h"
#include "sidecar/actions/rewrite.h"

namespace pillion::sidecar {

struct WeightedCluster {
  std::shared_ptr<const upstream::ClusterConfig> cluster;
  uint32_t weight;
};

// Immutable once compiled; shared by all workers.
struct ForwardConfig {
  std::vector<WeightedCluster> clusters;
  uint32_t total_weight = 0;
  net::Duration timeout;       // 0: none
  net::Duration idle_timeout;  // 0: none
  RetryOn retry_on;
  uint32_t num_retries = 0;
  net::Duration per_try_timeout;  // 0: none
  net::Duration base_interval;
  net::Duration max_interval;
  size_t retry_buffer_bytes = 0;
  PathRewrite path_rewrite;
  std::string host_rewrite;
  HeaderEdits request_edits;
  HeaderEdits response_edits;
  std::unique_ptr<const Emitter> emitter;  // null: the route emits nothing
};

// REQUIRES: the route's action is `route`. Errors: as CompileAction.
absl::StatusOr<ForwardConfig> CompileForwardConfig(const config::v1::Route& route,
                                                   const CompileContext& context);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_FORWARD_CONFIG_H_
