// What an edit of the policy does to connections, and what it must not do.

#include <gtest/gtest.h>

#include "sidecar/upstream/cluster_manager.h"
#include "sidecar/upstream/upstream_test_util.h"

namespace pillion::upstream {
namespace {

class PolicyEditTest : public testing::Test {
 protected:
  DnsResolver resolver_;
  ClusterRegistry registry_;
  TestWorker worker_{resolver_};
};

// One call from beginning to end; true when it went over a pooled connection.
net::Task<bool> Call(TestWorker& worker, const ClusterConfig& config) {
  AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
  EXPECT_TRUE(result.ok()) << result.status;
  if (!result.ok()) co_return false;
  const bool reused = result.lease->reused();
  bool exchanged = co_await Exchange(*result.lease, worker.scope);
  EXPECT_TRUE(exchanged);
  result.lease->Release();
  co_return reused;
}

net::Task<void> DropsNothing(TestWorker& worker, ClusterRegistry& registry) {
  TestUpstream upstream(*worker.loop);
  const std::string address = upstream.address().ToString();
  ClusterConfig a = TestConfig(registry, "a", {address});
  ClusterConfig b = TestConfig(registry, "b", {address});
  worker.Apply({a, b});
  bool reused = co_await Call(worker, a);
  EXPECT_FALSE(reused);
  worker.Apply({b, a});
  reused = co_await Call(worker, a);
  EXPECT_TRUE(reused);
  ClusterConfig edited = TestConfig(registry, "a", {address, "127.0.0.1:1"});
  edited.endpoints[0].weight = 1000;
  edited.lb_policy = LbPolicy::kRoundRobin;
  worker.Apply({edited});
  reused = co_await Call(worker, edited);
  EXPECT_TRUE(reused);
  EXPECT_EQ(upstream.accepted(), 1u);
  worker.Apply({});
  co_await upstream.Stop();
}

TEST_F(PolicyEditTest, AnEditThatDoesNotConcernAHostKeepsItsConnections) {
  RunToEnd(*worker_.loop, DropsNothing(worker_, registry_));
}

net::Task<void> RemovesHost(TestWorker& worker, ClusterRegistry& registry) {
  TestUpstream old_host(*worker.loop);
  TestUpstream new_host(*worker.loop);
  const ClusterConfig before = TestConfig(registry, "a", {old_host.address().ToString()});
  worker.Apply({before});
  AcquireResult idle = co_await worker.clusters.Acquire(before, {}, worker.scope);
  AcquireResult running = co_await worker.clusters.Acquire(before, {}, worker.scope);
  bool exchanged = co_await Exchange(*idle.lease, worker.scope);
  EXPECT_TRUE(exchanged);
  idle.lease->Release();
  bool both = co_await Eventually(*worker.loop, [&] { return old_host.open() == 2; });
  EXPECT_TRUE(both);

  const ClusterConfig after = TestConfig(registry, "a", {new_host.address().ToString()});
  worker.Apply({after});
  bool one = co_await Eventually(*worker.loop, [&] { return old_host.open() == 1; });
  EXPECT_TRUE(one);
  EXPECT_EQ(worker.clusters.Describe()[0].hosts.size(), 1u);
  // The running call ends as it would have; its connection is of no further use.
  exchanged = co_await Exchange(*running.lease, worker.scope);
  EXPECT_TRUE(exchanged);
  EXPECT_EQ(running.lease->host(), old_host.address().ToString());
  running.lease->Release();
  bool none = co_await Eventually(*worker.loop, [&] { return old_host.open() == 0; });
  EXPECT_TRUE(none);
  // A retry of a call that began before finds the new host.
  AcquireResult retry = co_await worker.clusters.Acquire(before, {}, worker.scope);
  EXPECT_EQ(retry.lease->host(), new_host.address().ToString());
  retry.lease.reset();
  co_await old_host.Stop();
  co_await new_host.Stop();
}

TEST_F(PolicyEditTest, ARemovedHostLosesItsIdleConnectionsAndRunningCallsEnd) {
  RunToEnd(*worker_.loop, RemovesHost(worker_, registry_));
}

net::Task<void> RemovesCluster(TestWorker& worker, ClusterRegistry& registry) {
  TestUpstream upstream(*worker.loop);
  const ClusterConfig config = TestConfig(registry, "a", {upstream.address().ToString()});
  worker.Apply({config});
  AcquireResult idle = co_await worker.clusters.Acquire(config, {}, worker.scope);
  AcquireResult running = co_await worker.clusters.Acquire(config, {}, worker.scope);
  bool exchanged = co_await Exchange(*idle.lease, worker.scope);
  EXPECT_TRUE(exchanged);
  idle.lease->Release();
  worker.Apply({});
  EXPECT_TRUE(worker.clusters.Describe().empty());
  EXPECT_EQ(config.shared->connections().used(), 1u);
  // Calls that know the cluster go on, retries included.
  exchanged = co_await Exchange(*running.lease, worker.scope);
  EXPECT_TRUE(exchanged);
  running.lease->Release();
  EXPECT_EQ(config.shared->connections().used(), 0u);
  bool reused = co_await Call(worker, config);
  EXPECT_FALSE(reused);
  EXPECT_EQ(config.shared->connections().used(), 0u);
  // Forgotten once nobody uses it: then its metrics are gone.
  const auto shown = [&] {
    telemetry::MetricsBuilder metrics;
    registry.Collect(metrics);
    return metrics.Serialize().find("envoy_cluster_name") != std::string::npos;
  };
  bool forgotten = co_await Eventually(*worker.loop, [&] { return !shown(); });
  EXPECT_TRUE(forgotten);
  // And it can come back.
  worker.Apply({config});
  reused = co_await Call(worker, config);
  reused = co_await Call(worker, config);
  EXPECT_TRUE(reused);
  worker.Apply({});
  co_await upstream.Stop();
}

TEST_F(PolicyEditTest, ARemovedClusterServesTheCallsThatKnowItAndIsForgotten) {
  RunToEnd(*worker_.loop, RemovesCluster(worker_, registry_));
}

net::Task<void> SameAddressTwice(TestWorker& worker, ClusterRegistry& registry) {
  TestUpstream upstream(*worker.loop);
  const std::string address = upstream.address().ToString();
  const ClusterConfig config = TestConfig(
      registry, "a", {address, "localhost:" + std::to_string(upstream.address().port())});
  worker.Apply({config});
  bool resolved = co_await Eventually(*worker.loop, [&] {
    const std::vector<ClusterStatus> all = worker.clusters.Describe();
    return all[0].unresolved.empty() && all[0].hosts[0].weight == 2;
  });
  EXPECT_TRUE(resolved);
  worker.Apply({});
  co_await upstream.Stop();
}

TEST_F(PolicyEditTest, TwoEndpointsThatAreOneAddressAreOneHostWithBothWeights) {
  RunToEnd(*worker_.loop, SameAddressTwice(worker_, registry_));
}

}  // namespace
}  // namespace pillion::upstream
