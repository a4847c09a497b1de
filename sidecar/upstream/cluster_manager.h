// The clusters of one worker: where its calls get connections.
//
//   const ClusterConfig& config = ...;                        // from the call's policy snapshot
//   UseSlot request = clusters.TryBeginRequest(config);       // one per call, for its whole life
//   if (!request) ... 503 UO
//   AcquireResult result = co_await clusters.Acquire(config, options, scope);   // one per attempt
//   if (!result.ok()) ... by result.failure, with result.status for the person
//   ... SendHead, ReadHead, ... on result.lease->connection() ...
//   result.lease->Release();
//
// What is known of a cluster (hosts, idle connections, counters) goes by its name and outlives
// edits of the policy; Apply() tells of each. With an idle connection at hand a call allocates
// nothing and makes no system call.
//
// Belongs to the thread of its loop, which must outlive it. REQUIRES at destruction: no lease is
// held and no Acquire() runs.

#ifndef PILLION_SIDECAR_UPSTREAM_CLUSTER_MANAGER_H_
#define PILLION_SIDECAR_UPSTREAM_CLUSTER_MANAGER_H_

#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "core/net/loop.h"
#include "core/net/task.h"
#include "core/net/timer.h"
#include "core/telemetry/fast_random.h"
#include "sidecar/upstream/acquire.h"
#include "sidecar/upstream/cluster_config.h"
#include "sidecar/upstream/cluster_status.h"
#include "sidecar/upstream/dns_resolver.h"

namespace pillion::upstream {

class Cluster;

class ClusterManager : private net::Timer {
 public:
  // `resolver` serves all workers and must outlive the manager. `random` is the balancing's; give
  // it a fixed state to have the same choices every time.
  ClusterManager(net::Loop& loop, DnsResolver& resolver,
                 telemetry::FastRandom random = telemetry::FastRandom());
  ~ClusterManager() override;

  // The clusters of a new policy, all of them. A host that is no longer among them loses its idle
  // connections, and calls to it may end; a cluster that did not change notices nothing. Names
  // begin to be resolved here.
  void Apply(absl::Span<const std::shared_ptr<const ClusterConfig>> configs);

  // A connection to a host of the cluster, from the pool or a new one, by the cluster as it was
  // last applied (a call of an older snapshot, too: it is told of new hosts). Waits for the first
  // answer of DNS, for a place within max_connections, and until the connection is open. Cancel the
  // scope to give up; times spent waiting for a place are bounded by it alone.
  net::ValueOrTask<AcquireResult> Acquire(const ClusterConfig& config, AcquireOptions options,
                                          net::CancelScope& scope);

  // A place within max_requests, for one call from beginning to end, its retries included. Empty:
  // there is none (UO). REQUIRES: the caller keeps `config` alive as long as the slot.
  UseSlot TryBeginRequest(const ClusterConfig& config);

  // A place within max_retries, for one attempt after the first. Empty: do not retry. Counts
  // rq_retry or rq_retry_overflow. REQUIRES: as above.
  UseSlot TryBeginRetry(const ClusterConfig& config);

  // This worker's counters of the cluster, for what ends without a lease. Valid while `config` is.
  telemetry::ClusterStats& stats(const ClusterConfig& config);

  // This worker's part of the clusters of the policy, sorted by name; see DescribeClusters().
  std::vector<ClusterStatus> Describe() const;

  net::Loop& loop() const { return loop_; }

 private:
  Cluster& Find(const ClusterConfig& config);
  Cluster& Make(std::shared_ptr<const ClusterConfig> config);
  void SweepSoon();
  void OnTimer() override;

  net::Loop& loop_;
  DnsResolver& resolver_;
  telemetry::FastRandom random_;
  // By identity: a name has one ClusterShared while anybody holds it, and the cluster does.
  absl::flat_hash_map<const ClusterShared*, std::shared_ptr<Cluster>> clusters_;
};

}  // namespace pillion::upstream

#endif  // PILLION_SIDECAR_UPSTREAM_CLUSTER_MANAGER_H_
