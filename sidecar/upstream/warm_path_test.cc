// With an idle connection at hand, getting it and giving it back allocates nothing.

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "sidecar/upstream/cluster_manager.h"
#include "sidecar/upstream/upstream_test_util.h"

namespace {

thread_local size_t allocations = 0;

}  // namespace

void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace pillion::upstream {
namespace {

net::Task<void> CountAllocations(TestWorker& worker, ClusterRegistry& registry, LbPolicy policy) {
  TestUpstream one(*worker.loop);
  TestUpstream two(*worker.loop);
  ClusterConfig config =
      TestConfig(registry, "a", {one.address().ToString(), two.address().ToString()});
  config.lb_policy = policy;
  worker.Apply({config});
  size_t reused = 0;
  for (int i = 0; i < 100; ++i) {
    const size_t before = allocations;
    UseSlot request = worker.clusters.TryBeginRequest(config);
    AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
    const size_t for_acquiring = allocations - before;
    EXPECT_TRUE(result.ok() && request);
    const bool pooled = result.lease->reused();
    bool exchanged = co_await Exchange(*result.lease, worker.scope);
    EXPECT_TRUE(exchanged);
    const size_t before_release = allocations;
    result.lease->Release();
    if (!pooled) continue;
    ++reused;
    EXPECT_EQ(for_acquiring + allocations - before_release, 0u);
  }
  EXPECT_GE(reused, 90u);
  worker.Apply({});
  co_await one.Stop();
  co_await two.Stop();
}

class WarmPathTest : public testing::TestWithParam<LbPolicy> {};

TEST_P(WarmPathTest, APooledConnectionCostsNoAllocation) {
  DnsResolver resolver;
  ClusterRegistry registry;
  TestWorker worker(resolver);
  RunToEnd(*worker.loop, CountAllocations(worker, registry, GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Policies, WarmPathTest,
                         testing::Values(LbPolicy::kLeastRequest, LbPolicy::kRoundRobin,
                                         LbPolicy::kRandom),
                         [](const auto& info) { return std::string(LbPolicyName(info.param)); });

}  // namespace
}  // namespace pillion::upstream
