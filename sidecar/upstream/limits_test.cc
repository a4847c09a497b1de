// Circuit breakers, the calls that wait, and how workers share the limits of the process.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "core/net/task_group.h"
#include "core/net/test_io.h"
#include "core/net/wait_queue.h"
#include "sidecar/upstream/cluster_manager.h"
#include "sidecar/upstream/upstream_test_util.h"

namespace pillion::upstream {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class LimitsTest : public testing::Test {
 protected:
  DnsResolver resolver_;
  ClusterRegistry registry_;
  TestWorker worker_{resolver_};
};

struct Outcome {
  bool done = false;
  AcquireResult result;
};

// Acquires in the background.
net::Task<void> AcquireInto(TestWorker& worker, const ClusterConfig& config, AcquireOptions options,
                            net::CancelScope& scope, std::vector<int>* order, int number,
                            Outcome* outcome) {
  outcome->result = co_await worker.clusters.Acquire(config, options, scope);
  outcome->done = true;
  order->push_back(number);
}

net::Task<void> WaitsInOrder(TestWorker& worker, ClusterRegistry& registry) {
  TestUpstream upstream(*worker.loop);
  ClusterConfig config = TestConfig(registry, "a", {upstream.address().ToString()});
  config.circuit_breakers.max_connections = 1;
  config.circuit_breakers.max_pending_requests = 3;
  worker.Apply({config});
  AcquireResult holder = co_await worker.clusters.Acquire(config, {}, worker.scope);
  EXPECT_TRUE(holder.ok());

  net::TaskGroup group(*worker.loop);
  std::vector<int> order;
  std::vector<Outcome> outcomes(3);
  AcquireOptions fresh;
  fresh.fresh = true;
  group.Spawn(AcquireInto(worker, config, {}, group.scope(), &order, 0, &outcomes[0]));
  group.Spawn(AcquireInto(worker, config, fresh, group.scope(), &order, 1, &outcomes[1]));
  group.Spawn(AcquireInto(worker, config, {}, group.scope(), &order, 2, &outcomes[2]));
  const telemetry::ClusterStats& stats = worker.clusters.stats(config);
  EXPECT_EQ(config.shared->pending().used(), 3u);
  EXPECT_EQ(stats.rq_pending_active.Value(), 3);
  EXPECT_EQ(stats.cx_overflow.Value(), 3u);

  AcquireResult refused = co_await worker.clusters.Acquire(config, {}, worker.scope);
  EXPECT_FALSE(refused.ok());
  EXPECT_EQ(refused.failure, AcquireFailure::kOverflow);
  EXPECT_EQ(refused.status.message(),
            "cluster 'a' is at its limits: 1 connections (circuit_breakers.max_connections) and 3 "
            "calls that wait (max_pending_requests)");
  EXPECT_EQ(stats.rq_pending_overflow.Value(), 1u);

  // What comes back goes to the one that has waited longest: the connection itself, or just its
  // place when the waiting call wants a fresh one, or when the connection is of no further use.
  bool exchanged = co_await Exchange(*holder.lease, worker.scope);
  EXPECT_TRUE(exchanged);
  holder.lease->Release();
  bool served = co_await Eventually(*worker.loop, [&] { return outcomes[0].done; });
  EXPECT_TRUE(served);
  EXPECT_TRUE(outcomes[0].result.lease->reused());
  exchanged = co_await Exchange(*outcomes[0].result.lease, worker.scope);
  outcomes[0].result.lease->Release();
  served = co_await Eventually(*worker.loop, [&] { return outcomes[1].done; });
  EXPECT_TRUE(served);
  EXPECT_FALSE(outcomes[1].result.lease->reused());
  outcomes[1].result.lease.reset();
  served = co_await Eventually(*worker.loop, [&] { return outcomes[2].done; });
  EXPECT_TRUE(served);
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(config.shared->pending().used(), 0u);
  EXPECT_EQ(config.shared->connections().used(), 1u);
  outcomes[2].result.lease.reset();
  EXPECT_EQ(config.shared->connections().used(), 0u);
  co_await group.Join();
  co_await upstream.Stop();
}

TEST_F(LimitsTest, CallsBeyondMaxConnectionsWaitInOrderAndAreRefusedBeyondMaxPending) {
  RunToEnd(*worker_.loop, WaitsInOrder(worker_, registry_));
}

net::Task<void> CancelWhileWaiting(TestWorker& worker, ClusterRegistry& registry) {
  TestUpstream upstream(*worker.loop);
  ClusterConfig config = TestConfig(registry, "a", {upstream.address().ToString()});
  config.circuit_breakers.max_connections = 1;
  worker.Apply({config});
  AcquireResult holder = co_await worker.clusters.Acquire(config, {}, worker.scope);
  bool exchanged = co_await Exchange(*holder.lease, worker.scope);
  EXPECT_TRUE(exchanged);

  net::TaskGroup group(*worker.loop);
  std::vector<int> order;
  std::vector<Outcome> outcomes(3);
  net::CancelScope gives_up(*worker.loop, &group.scope());
  net::CancelScope too_late(*worker.loop, &group.scope());
  group.Spawn(AcquireInto(worker, config, {}, gives_up, &order, 0, &outcomes[0]));
  group.Spawn(AcquireInto(worker, config, {}, too_late, &order, 1, &outcomes[1]));
  group.Spawn(AcquireInto(worker, config, {}, group.scope(), &order, 2, &outcomes[2]));
  // In one turn: the first gives up, the connection goes to it or the next, and that one gives up,
  // too.
  gives_up.Cancel(absl::CancelledError("caller left"));
  holder.lease->Release();
  too_late.Cancel(absl::CancelledError("caller left"));
  co_await group.Join();
  EXPECT_EQ(outcomes[0].result.failure, AcquireFailure::kCanceled);
  EXPECT_EQ(outcomes[0].result.status.message(), "caller left");
  for (Outcome& outcome : outcomes) outcome.result.lease.reset();
  EXPECT_TRUE(outcomes[2].done);
  EXPECT_EQ(config.shared->pending().used(), 0u);
  EXPECT_EQ(config.shared->connections().used(), 0u);
  co_await upstream.Stop();
}

TEST_F(LimitsTest, NothingIsLostWhenWaitingCallsGiveUp) {
  RunToEnd(*worker_.loop, CancelWhileWaiting(worker_, registry_));
}

net::Task<void> AnyIdle(TestWorker& worker, ClusterRegistry& registry) {
  TestUpstream one(*worker.loop);
  TestUpstream two(*worker.loop);
  ClusterConfig config =
      TestConfig(registry, "a", {one.address().ToString(), two.address().ToString()});
  config.lb_policy = LbPolicy::kRoundRobin;
  config.circuit_breakers.max_connections = 1;
  worker.Apply({config});
  for (int i = 0; i < 4; ++i) {
    AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
    EXPECT_EQ(result.lease->reused(), i > 0);
    bool exchanged = co_await Exchange(*result.lease, worker.scope);
    EXPECT_TRUE(exchanged);
    result.lease->Release();
  }
  worker.Apply({});
  co_await one.Stop();
  co_await two.Stop();
}

TEST_F(LimitsTest, AtTheLimitAnIdleConnectionToAnotherHostIsTaken) {
  RunToEnd(*worker_.loop, AnyIdle(worker_, registry_));
}

net::Task<void> LimitChanges(TestWorker& worker, ClusterRegistry& registry) {
  TestUpstream upstream(*worker.loop);
  ClusterConfig config = TestConfig(registry, "a", {upstream.address().ToString()});
  config.circuit_breakers.max_connections = 1;
  worker.Apply({config});
  net::TaskGroup group(*worker.loop);
  std::vector<int> order;
  std::vector<Outcome> outcomes(3);
  for (int i = 0; i < 3; ++i) {
    group.Spawn(AcquireInto(worker, config, {}, group.scope(), &order, i, &outcomes[i]));
  }
  ClusterConfig more = config;
  more.circuit_breakers.max_connections = 3;
  worker.Apply({more});
  co_await group.Join();  // nobody gave anything back
  EXPECT_EQ(config.shared->connections().used(), 3u);
  for (Outcome& outcome : outcomes) {
    bool exchanged = co_await Exchange(*outcome.result.lease, worker.scope);
    EXPECT_TRUE(exchanged);
  }
  outcomes[0].result.lease->Release();
  outcomes[1].result.lease->Release();
  worker.Apply({config});  // back to 1: the idle ones go, the busy one stays
  EXPECT_EQ(config.shared->connections().used(), 1u);
  outcomes[2].result.lease->Release();
  EXPECT_EQ(config.shared->connections().used(), 1u);
  worker.Apply({});
  EXPECT_EQ(config.shared->connections().used(), 0u);
  co_await upstream.Stop();
}

TEST_F(LimitsTest, ANewLimitHoldsAtOnce) {
  RunToEnd(*worker_.loop, LimitChanges(worker_, registry_));
}

TEST_F(LimitsTest, RequestsAndRetriesAreBounded) {
  ClusterConfig config = TestConfig(registry_, "a", {"127.0.0.1:1"});
  config.circuit_breakers.max_requests = 2;
  config.circuit_breakers.max_retries = 1;
  worker_.Apply({config});
  UseSlot first = worker_.clusters.TryBeginRequest(config);
  {
    UseSlot second = worker_.clusters.TryBeginRequest(config);
    EXPECT_TRUE(first && second);
    EXPECT_FALSE(worker_.clusters.TryBeginRequest(config));
  }
  EXPECT_TRUE(worker_.clusters.TryBeginRequest(config));
  UseSlot retry = worker_.clusters.TryBeginRetry(config);
  EXPECT_TRUE(retry);
  EXPECT_FALSE(worker_.clusters.TryBeginRetry(config));
  const telemetry::ClusterStats& stats = worker_.clusters.stats(config);
  EXPECT_EQ(stats.rq_pending_overflow.Value(), 1u);
  EXPECT_EQ(stats.rq_retry.Value(), 1u);
  EXPECT_EQ(stats.rq_retry_overflow.Value(), 1u);
}

// ---- Several workers, each in its thread ----

// Runs the tasks, one per worker, each on its own thread, to their ends.
void RunAll(std::vector<std::unique_ptr<TestWorker>>& workers,
            std::function<net::Task<void>(TestWorker&)> task) {
  std::vector<std::thread> threads;
  for (std::unique_ptr<TestWorker>& worker : workers) {
    threads.emplace_back([&worker, &task] { RunToEnd(*worker->loop, task(*worker)); });
  }
  for (std::thread& thread : threads) thread.join();
}

// An upstream in a thread of its own.
class UpstreamThread {
 public:
  UpstreamThread() : upstream_(std::make_unique<TestUpstream>(*loop_)) {
    address_ = upstream_->address().ToString();
    thread_ = std::thread([this] { loop_->Run(); });
  }
  ~UpstreamThread() {
    loop_->Post([this] { end_.Spawn(End()); });
    thread_.join();
  }
  const std::string& address() const { return address_; }

 private:
  net::Task<void> End() {
    co_await upstream_->Stop();
    loop_->Stop();
  }

  std::unique_ptr<net::Loop> loop_ = *net::Loop::Create(net::TestIo());
  net::TaskGroup end_{*loop_};
  std::unique_ptr<TestUpstream> upstream_;
  std::string address_;
  std::thread thread_;
};

class SharedLimitsTest : public testing::Test {
 protected:
  void MakeWorkers(size_t count, const ClusterConfig& config) {
    for (size_t i = 0; i < count; ++i) {
      workers_.push_back(std::make_unique<TestWorker>(resolver_));
      workers_.back()->Apply({config});
    }
  }

  DnsResolver resolver_;
  ClusterRegistry registry_;
  UpstreamThread upstream_;
  std::vector<std::unique_ptr<TestWorker>> workers_;
};

TEST_F(SharedLimitsTest, AnIdleConnectionOfOneWorkerMakesRoomForAnothersCall) {
  ClusterConfig config = TestConfig(registry_, "a", {upstream_.address()});
  config.circuit_breakers.max_connections = 1;
  MakeWorkers(2, config);
  std::atomic<int> stage = 0;
  RunAll(workers_, [&](TestWorker& worker) -> net::Task<void> {
    const bool first = &worker == workers_[0].get();
    if (first) {
      AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
      bool exchanged = co_await Exchange(*result.lease, worker.scope);
      EXPECT_TRUE(exchanged);
      result.lease->Release();  // idle from here on
      stage = 1;
      bool over = co_await Eventually(*worker.loop, [&] { return stage == 2; });
      EXPECT_TRUE(over);
    } else {
      bool begun = co_await Eventually(*worker.loop, [&] { return stage == 1; });
      EXPECT_TRUE(begun);
      AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
      EXPECT_TRUE(result.ok()) << result.status;
      EXPECT_FALSE(result.lease->reused());
      stage = 2;
    }
  });
}

TEST_F(SharedLimitsTest, AConnectionThatComesBackOnOneWorkerMakesRoomForAnothersCall) {
  ClusterConfig config = TestConfig(registry_, "a", {upstream_.address()});
  config.circuit_breakers.max_connections = 1;
  MakeWorkers(2, config);
  std::atomic<bool> held = false;
  std::atomic<bool> over = false;
  RunAll(workers_, [&](TestWorker& worker) -> net::Task<void> {
    const bool first = &worker == workers_[0].get();
    if (first) {
      AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
      bool exchanged = co_await Exchange(*result.lease, worker.scope);
      EXPECT_TRUE(exchanged);
      held = true;
      bool waits =
          co_await Eventually(*worker.loop, [&] { return config.shared->pending().used() == 1; });
      EXPECT_TRUE(waits);
      result.lease->Release();
      bool ended = co_await Eventually(*worker.loop, [&] { return over.load(); });
      EXPECT_TRUE(ended);
    } else {
      bool begun = co_await Eventually(*worker.loop, [&] { return held.load(); });
      EXPECT_TRUE(begun);
      AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
      EXPECT_TRUE(result.ok()) << result.status;
      over = true;
    }
  });
}

// Every call of every worker gets its turn although there is always somebody who waits, and the
// limit is never exceeded.
TEST_F(SharedLimitsTest, ManyCallsOfManyWorkersShareFewConnections) {
  constexpr int kCallers = 16;
  constexpr int kCalls = 25;
  ClusterConfig config = TestConfig(registry_, "a", {upstream_.address()});
  config.circuit_breakers.max_connections = 3;
  MakeWorkers(3, config);
  std::atomic<int> held = 0;
  std::atomic<int> most = 0;
  std::atomic<int> calls = 0;
  const auto caller = [&](TestWorker& worker) -> net::Task<void> {
    for (int i = 0; i < kCalls; ++i) {
      AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
      EXPECT_TRUE(result.ok()) << result.status;
      if (!result.ok()) co_return;
      const int now = ++held;
      for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
      }
      bool exchanged = co_await Exchange(*result.lease, worker.scope);
      EXPECT_TRUE(exchanged);
      --held;
      ++calls;
      if (i % 7 != 0) result.lease->Release();  // else broken off
    }
  };
  RunAll(workers_, [&](TestWorker& worker) -> net::Task<void> {
    net::TaskGroup group(*worker.loop);
    for (int i = 0; i < kCallers; ++i) group.Spawn(caller(worker));
    co_await group.Join();
    bool all_done =
        co_await Eventually(*worker.loop, [&] { return calls == 3 * kCallers * kCalls; });
    EXPECT_TRUE(all_done) << calls;
  });
  EXPECT_LE(most, 3);
  EXPECT_EQ(config.shared->pending().used(), 0u);
  workers_.clear();
  EXPECT_EQ(config.shared->connections().used(), 0u);
}

TEST_F(SharedLimitsTest, TheAdminSeesAllWorkersTogether) {
  const ClusterConfig config = TestConfig(registry_, "a", {upstream_.address()});
  MakeWorkers(2, config);
  std::atomic<int> ready = 0;
  std::atomic<bool> over = false;
  std::thread admin([&] {
    std::unique_ptr<net::Loop> loop = *net::Loop::Create(net::TestIo());
    RunToEnd(*loop,
             [](net::Loop& loop, std::vector<ClusterManager*> managers, std::atomic<int>& ready,
                std::atomic<bool>& over) -> net::Task<void> {
               bool begun = co_await Eventually(loop, [&] { return ready == 2; });
               EXPECT_TRUE(begun);
               net::CancelScope scope(loop);
               scope.SetDeadline(loop.now() + seconds(20), "test");
               auto all = co_await DescribeClusters(std::move(managers), scope);
               EXPECT_TRUE(all.ok()) << all.status();
               EXPECT_EQ(all->size(), 1u);
               EXPECT_EQ(all->front().connections, 2u);
               EXPECT_EQ(all->front().hosts.size(), 1u);
               EXPECT_EQ(all->front().hosts[0].active, 2u);
               over = true;
             }(*loop, {&workers_[0]->clusters, &workers_[1]->clusters}, ready, over));
  });
  RunAll(workers_, [&](TestWorker& worker) -> net::Task<void> {
    AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
    EXPECT_TRUE(result.ok());
    ++ready;
    bool ended = co_await Eventually(*worker.loop, [&] { return over.load(); });
    EXPECT_TRUE(ended);
  });
  admin.join();
}

}  // namespace
}  // namespace pillion::upstream
