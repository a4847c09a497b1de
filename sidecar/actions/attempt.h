// Attempts of deliveries: the HTTP calls that the delivery engine asks for.

#ifndef PILLION_SIDECAR_ACTIONS_ATTEMPT_H_
#define PILLION_SIDECAR_ACTIONS_ATTEMPT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "core/net/cancel.h"
#include "core/net/task.h"
#include "core/net/task_group.h"
#include "core/net/wait_queue.h"
#include "sidecar/delivery/model.h"

namespace pillion::sidecar {

struct Services;
struct Snapshot;

// Runs the attempts of one worker. Belongs to its loop.
class AttemptRunner {
 public:
  // Told that an attempt needs a cluster which the policy lacks; a policy with it may follow.
  using WantCluster = std::function<void(const std::string& name)>;

  // `snapshot` is the worker's current policy, where clusters are looked up by name; it may be
  // null, and changes while attempts run. It and the services outlive the runner.
  AttemptRunner(Services& services, const std::shared_ptr<const Snapshot>& snapshot,
                WantCluster want_cluster);

  // Starts an attempt. Exactly one Engine::Complete() follows, whatever happens.
  void Start(delivery::ClaimedDelivery delivery);

  // A policy has arrived: attempts that found none, or no cluster in it, look again, and deliveries
  // whose cluster it brings back are made.
  void OnSnapshot();

  // Ends the attempt, if it runs here, as aborted.
  void Abort(uint64_t claim);

  // Ends all attempts as aborted: their deliveries run again later.
  void AbortAll();

  // Waits until no attempt runs.
  net::Task<void> Join();

 private:
  net::Task<void> Run(delivery::ClaimedDelivery delivery);
  net::Task<void> AwaitCluster(const std::string& name, net::CancelScope& scope);

  Services& services_;
  const std::shared_ptr<const Snapshot>& snapshot_;
  const WantCluster want_cluster_;
  net::WaitQueue snapshot_arrived_;
  absl::flat_hash_map<std::string, net::TimePoint> wanted_;  // since when
  net::TaskGroup running_;
  absl::flat_hash_map<uint64_t, net::CancelScope*> scopes_;  // by claim
  absl::flat_hash_set<std::string> missing_clusters_;        // that deliveries wait for
};

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_ATTEMPT_H_
