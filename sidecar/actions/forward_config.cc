#include "sidecar/actions/forward_config.h"

#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/duration.h"

namespace pillion::sidecar {
namespace {

absl::Status AddCluster(ForwardConfig& forward, const std::string& name, uint32_t weight,
                        const CompileContext& context) {
  const auto found = context.clusters.find(name);
  if (found == context.clusters.end()) {
    return absl::InvalidArgumentError(StrCat("no cluster '", name, "' is defined"));
  }
  forward.clusters.push_back({found->second, weight});
  forward.total_weight += weight;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ForwardConfig> CompileForwardConfig(const config::v1::Route& route,
                                                   const CompileContext& context) {
  const config::v1::RouteAction& config = route.route();
  ForwardConfig forward;
  absl::Status added;
  if (!config.cluster().empty()) added.Update(AddCluster(forward, config.cluster(), 1, context));
  for (const config::v1::WeightedCluster& cluster : config.weighted_clusters()) {
    added.Update(AddCluster(forward, cluster.name(), cluster.weight(), context));
  }
  if (!added.ok()) return added;
  if (forward.clusters.empty()) return absl::InvalidArgumentError("no cluster to forward to");
  forward.timeout = ToChrono(config.timeout());
  forward.idle_timeout = ToChrono(config.idle_timeout());
  const config::v1::RetryPolicy& retry = config.retry_policy();
  absl::StatusOr<RetryOn> retry_on = RetryOn::Parse(
      retry.retry_on(),
      {retry.retriable_status_codes().begin(), retry.retriable_status_codes().end()});
  if (!retry_on.ok()) return retry_on.status();
  forward.retry_on = *std::move(retry_on);
  forward.num_retries = retry.num_retries();
  forward.per_try_timeout = ToChrono(retry.per_try_timeout());
  forward.base_interval = ToChrono(retry.retry_back_off().base_interval());
  forward.max_interval = ToChrono(retry.retry_back_off().max_interval());
  forward.retry_buffer_bytes = config.retry_buffer_bytes();
  absl::StatusOr<PathRewrite> rewrite =
      PathRewrite::Compile(route.match(), config.prefix_rewrite(),
                           config.has_regex_rewrite() ? &config.regex_rewrite() : nullptr);
  if (!rewrite.ok()) return rewrite.status();
  forward.path_rewrite = *std::move(rewrite);
  forward.host_rewrite = config.host_rewrite();
  forward.request_edits =
      HeaderEdits(config.request_headers_to_add(), config.request_headers_to_remove());
  forward.response_edits =
      HeaderEdits(config.response_headers_to_add(), config.response_headers_to_remove());
  forward.emitter = CompileEmitter(route, context);
  return forward;
}

}  // namespace pillion::sidecar
