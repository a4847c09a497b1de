// What becomes of a call that a route matched: one class per policy action.

#ifndef PILLION_SIDECAR_ACTIONS_ACTION_H_
#define PILLION_SIDECAR_ACTIONS_ACTION_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "core/net/task.h"

namespace pillion::config::v1 {
class EmbeddedBroker;
class Policy;
class Route;
}  // namespace pillion::config::v1
namespace pillion::routing {
struct CompiledRoute;
}
namespace pillion::upstream {
struct ClusterConfig;
}

namespace pillion::sidecar {

struct Call;
struct SubscriptionConfig;

using ClusterMap = absl::flat_hash_map<std::string, std::shared_ptr<const upstream::ClusterConfig>>;

// What an action may refer to while it is compiled. What it keeps of it lives as long as the
// snapshot.
struct CompileContext {
  const ClusterMap& clusters;
  const std::vector<std::unique_ptr<const SubscriptionConfig>>& subscriptions;
  const config::v1::Policy& policy;

  // The broker of that name; "embedded" exists without being declared.
  const config::v1::EmbeddedBroker& Broker(std::string_view name) const;
};

// Immutable; shared by all workers; lives as long as the policy snapshot that it belongs to.
class Action {
 public:
  virtual ~Action() = default;

  // Answers the call. Ends when the answer is complete or the caller is gone.
  virtual net::Task<void> Run(Call& call) const = 0;
};

// Errors (InvalidArgument): a cluster that is not defined, a regular expression that does not
// compile; the policy's checks find both before.
absl::StatusOr<std::unique_ptr<const Action>> CompileAction(const routing::CompiledRoute& route,
                                                            const CompileContext& context);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_ACTION_H_
