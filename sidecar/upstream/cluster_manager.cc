#include "sidecar/upstream/cluster_manager.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "sidecar/upstream/cluster.h"

namespace pillion::upstream {
namespace {

// How often idle connections are looked at: what the upstream closed is gone within a second.
constexpr net::Duration kSweepInterval = std::chrono::milliseconds(500);

HostStatus DescribeHost(const Host& host, net::TimePoint now) {
  HostStatus status;
  status.address = host.text;
  status.origin = host.origin;
  status.weight = host.weight;
  status.failing = host.avoid_until > now;
  status.active = host.active;
  status.idle = host.idle.size();
  status.requests_total = host.requests_total;
  status.connections_total = host.connections_total;
  status.connect_failures_total = host.connect_failures_total;
  return status;
}

ClusterStatus DescribeCluster(const Cluster& cluster, net::TimePoint now) {
  const ClusterConfig& config = cluster.config();
  ClusterStatus status;
  status.name = config.name;
  status.lb_policy = LbPolicyName(config.lb_policy);
  status.limits = config.circuit_breakers;
  status.connections = config.shared->connections().used();
  status.pending = config.shared->pending().used();
  status.requests = config.shared->requests().used();
  status.retries = config.shared->retries().used();
  for (const std::unique_ptr<Host>& host : cluster.hosts().hosts()) {
    status.hosts.push_back(DescribeHost(*host, now));
  }
  status.unresolved = cluster.hosts().Unresolved();
  return status;
}

}  // namespace

ClusterManager::ClusterManager(net::Loop& loop, DnsResolver& resolver, telemetry::FastRandom random)
    : loop_(loop), resolver_(resolver), random_(random) {}

ClusterManager::~ClusterManager() = default;

void ClusterManager::Apply(absl::Span<const std::shared_ptr<const ClusterConfig>> configs) {
  absl::flat_hash_set<const ClusterShared*> present;
  for (const std::shared_ptr<const ClusterConfig>& config : configs) {
    present.insert(config->shared.get());
    if (const auto found = clusters_.find(config->shared.get()); found != clusters_.end()) {
      found->second->Configure(config);
    } else {
      Make(config);
    }
  }
  for (const auto& [shared, cluster] : clusters_) {
    if (!present.contains(shared)) cluster->Retire();
  }
  SweepSoon();
}

net::ValueOrTask<AcquireResult> ClusterManager::Acquire(const ClusterConfig& config,
                                                        AcquireOptions options,
                                                        net::CancelScope& scope) {
  return Find(config).Acquire(options, scope);
}

UseSlot ClusterManager::TryBeginRequest(const ClusterConfig& config) {
  UseSlot slot(config.shared->requests(), config.circuit_breakers.max_requests);
  if (!slot) stats(config).rq_pending_overflow.Add();
  return slot;
}

UseSlot ClusterManager::TryBeginRetry(const ClusterConfig& config) {
  UseSlot slot(config.shared->retries(), config.circuit_breakers.max_retries);
  telemetry::ClusterStats& counters = stats(config);
  (slot ? counters.rq_retry : counters.rq_retry_overflow).Add();
  return slot;
}

telemetry::ClusterStats& ClusterManager::stats(const ClusterConfig& config) {
  return Find(config).stats();
}

std::vector<ClusterStatus> ClusterManager::Describe() const {
  std::vector<ClusterStatus> clusters;
  for (const auto& [shared, cluster] : clusters_) {
    if (!cluster->retired()) clusters.push_back(DescribeCluster(*cluster, loop_.now()));
  }
  std::sort(clusters.begin(), clusters.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return clusters;
}

Cluster& ClusterManager::Find(const ClusterConfig& config) {
  const auto found = clusters_.find(config.shared.get());
  if (found != clusters_.end()) return *found->second;
  // A call of an older policy to a cluster that is no longer in it.
  Cluster& cluster = Make(std::make_shared<ClusterConfig>(config));
  cluster.Retire();
  SweepSoon();
  return cluster;
}

Cluster& ClusterManager::Make(std::shared_ptr<const ClusterConfig> config) {
  const ClusterShared* shared = config->shared.get();
  auto cluster = std::make_shared<Cluster>(loop_, resolver_, random_, std::move(config),
                                           [this] { SweepSoon(); });
  cluster->Start();
  return *(clusters_[shared] = std::move(cluster));
}

void ClusterManager::SweepSoon() {
  if (!armed()) Arm(loop_.timers(), loop_.now() + kSweepInterval);
}

void ClusterManager::OnTimer() {
  bool again = false;
  for (auto it = clusters_.begin(); it != clusters_.end();) {
    const auto current = it++;
    Cluster& cluster = *current->second;
    again |= cluster.Sweep();
    if (cluster.retired() && !cluster.in_use()) clusters_.erase(current);
  }
  if (again) SweepSoon();
}

}  // namespace pillion::upstream
