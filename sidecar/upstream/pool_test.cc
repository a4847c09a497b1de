// One worker's connections: pooled, reused, dropped; what happens when they cannot be had.

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sidecar/upstream/cluster_manager.h"
#include "sidecar/upstream/upstream_test_util.h"
#include "tests/integration/harness/files.h"

namespace pillion::upstream {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class PoolTest : public testing::Test {
 protected:
  // The address of a port that nobody listens on.
  std::string DeadAddress() {
    TestUpstream upstream(*worker_.loop);
    const std::string address = upstream.address().ToString();
    RunToEnd(*worker_.loop, upstream.Stop());
    return address;
  }

  DnsResolver resolver_;
  ClusterRegistry registry_;
  TestWorker worker_{resolver_};
};

net::Task<void> TakesTheLastThatCameBack(TestWorker& worker, ClusterRegistry& registry) {
  TestUpstream upstream(*worker.loop);
  const ClusterConfig config = TestConfig(registry, "a", {upstream.address().ToString()});
  worker.Apply({config});
  AcquireResult first = co_await worker.clusters.Acquire(config, {}, worker.scope);
  AcquireResult second = co_await worker.clusters.Acquire(config, {}, worker.scope);
  EXPECT_TRUE(first.ok() && second.ok());
  EXPECT_FALSE(first.lease->reused());
  EXPECT_EQ(first.lease->host(), upstream.address().ToString());
  http::ClientConnection* const last = &first.lease->connection();
  bool exchanged = co_await Exchange(*second.lease, worker.scope);
  EXPECT_TRUE(exchanged);
  second.lease->Release();
  exchanged = co_await Exchange(*first.lease, worker.scope);
  EXPECT_TRUE(exchanged);
  first.lease->Release();

  AcquireResult again = co_await worker.clusters.Acquire(config, {}, worker.scope);
  EXPECT_TRUE(again.lease->reused());
  EXPECT_EQ(&again.lease->connection(), last);
  exchanged = co_await Exchange(*again.lease, worker.scope);
  EXPECT_TRUE(exchanged);
  again.lease->Release();
  EXPECT_EQ(upstream.accepted(), 2u);
  const telemetry::ClusterStats& stats = worker.clusters.stats(config);
  EXPECT_EQ(stats.rq_total.Value(), 3u);
  EXPECT_EQ(stats.rq_active.Value(), 0);
  EXPECT_EQ(stats.cx_active.Value(), 2);
  worker.Apply({});
  co_await upstream.Stop();
}

TEST_F(PoolTest, TakesTheConnectionThatCameBackLast) {
  RunToEnd(*worker_.loop, TakesTheLastThatCameBack(worker_, registry_));
}

net::Task<void> ClosesWhatIsNotReleased(TestWorker& worker, ClusterRegistry& registry) {
  TestUpstream upstream(*worker.loop);
  const ClusterConfig config = TestConfig(registry, "a", {upstream.address().ToString()});
  worker.Apply({config});
  {
    AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
    bool exchanged = co_await Exchange(*result.lease, worker.scope);
    EXPECT_TRUE(exchanged);
  }
  {  // released in the middle of an exchange: of no further use
    AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
    EXPECT_FALSE(result.lease->reused());
    result.lease->Release();
  }
  EXPECT_EQ(config.shared->connections().used(), 0u);
  bool closed = co_await Eventually(
      *worker.loop, [&] { return upstream.accepted() == 2 && upstream.open() == 0; });
  EXPECT_TRUE(closed);
  co_await upstream.Stop();
}

TEST_F(PoolTest, ClosesAConnectionThatIsNotReleasedOrNotFinished) {
  RunToEnd(*worker_.loop, ClosesWhatIsNotReleased(worker_, registry_));
}

net::Task<void> FreshMeansFresh(TestWorker& worker, ClusterRegistry& registry) {
  TestUpstream upstream(*worker.loop);
  ClusterConfig config = TestConfig(registry, "a", {upstream.address().ToString()});
  config.circuit_breakers.max_connections = 1;
  worker.Apply({config});
  for (int i = 0; i < 3; ++i) {
    AcquireOptions options;
    options.fresh = true;
    AcquireResult result = co_await worker.clusters.Acquire(config, options, worker.scope);
    EXPECT_TRUE(result.ok()) << result.status;
    EXPECT_FALSE(result.lease->reused());
    bool exchanged = co_await Exchange(*result.lease, worker.scope);
    EXPECT_TRUE(exchanged);
    result.lease->Release();
  }
  EXPECT_EQ(upstream.accepted(), 3u);
  EXPECT_EQ(config.shared->connections().used(), 1u);
  worker.Apply({});
  co_await upstream.Stop();
}

TEST_F(PoolTest, AFreshConnectionIsNotFromThePoolAndTakesTheIdleOnesPlaceAtTheLimit) {
  RunToEnd(*worker_.loop, FreshMeansFresh(worker_, registry_));
}

net::Task<void> DropsStale(TestWorker& worker, ClusterRegistry& registry) {
  TestUpstream upstream(*worker.loop);
  const ClusterConfig config = TestConfig(registry, "a", {upstream.address().ToString()});
  worker.Apply({config});
  for (int round = 0; round < 2; ++round) {
    AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
    EXPECT_TRUE(result.ok() && !result.lease->reused());
    bool exchanged = co_await Exchange(*result.lease, worker.scope);
    EXPECT_TRUE(exchanged);
    result.lease->Release();
    EXPECT_EQ(config.shared->connections().used(), 1u);
    upstream.CloseConnections();
    bool closed = co_await Eventually(*worker.loop, [&] { return upstream.open() == 0; });
    EXPECT_TRUE(closed);
    if (round == 0) continue;  // the next Acquire() finds it stale
    const net::TimePoint before = worker.loop->now();
    bool gone =
        co_await Eventually(*worker.loop, [&] { return config.shared->connections().used() == 0; });
    EXPECT_TRUE(gone);
    EXPECT_LT(worker.loop->now() - before, seconds(10));  // idle_timeout is 30 s
  }
  EXPECT_EQ(upstream.accepted(), 2u);
  co_await upstream.Stop();
}

TEST_F(PoolTest, DropsIdleConnectionsThatTheUpstreamClosed) {
  RunToEnd(*worker_.loop, DropsStale(worker_, registry_));
}

net::Task<void> IdleTimeout(TestWorker& worker, ClusterRegistry& registry) {
  TestUpstream upstream(*worker.loop);
  ClusterConfig config = TestConfig(registry, "a", {upstream.address().ToString()});
  config.idle_timeout = milliseconds(20);
  worker.Apply({config});
  for (int i = 0; i < 2; ++i) {
    AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
    EXPECT_TRUE(result.ok() && !result.lease->reused());
    bool exchanged = co_await Exchange(*result.lease, worker.scope);
    EXPECT_TRUE(exchanged);
    result.lease->Release();
    // Too old already, though not swept yet.
    const net::TimePoint old = worker.loop->now() + milliseconds(25);
    absl::Status slept = co_await net::SleepUntil(old, worker.scope);
    EXPECT_TRUE(slept.ok());
  }
  EXPECT_EQ(upstream.accepted(), 2u);
  bool closed = co_await Eventually(*worker.loop, [&] { return upstream.open() == 0; });
  EXPECT_TRUE(closed);
  EXPECT_EQ(config.shared->connections().used(), 0u);
  co_await upstream.Stop();
}

TEST_F(PoolTest, ClosesConnectionsThatWereIdleForTooLong) {
  RunToEnd(*worker_.loop, IdleTimeout(worker_, registry_));
}

net::Task<void> Refused(TestWorker& worker, const ClusterConfig& config, std::string address) {
  AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.failure, AcquireFailure::kConnectFailed);
  EXPECT_EQ(result.status.message(),
            "cannot connect to " + address + ": connection refused; is the service running?");
  EXPECT_NE(result.host_id, 0u);
  EXPECT_EQ(config.shared->connections().used(), 0u);
  const telemetry::ClusterStats& stats = worker.clusters.stats(config);
  EXPECT_EQ(stats.cx_connect_fail.Value(), 1u);
  EXPECT_EQ(stats.cx_active.Value(), 0);
}

TEST_F(PoolTest, SaysWhatToDoAboutARefusedConnection) {
  const std::string address = DeadAddress();
  const ClusterConfig config = TestConfig(registry_, "a", {address});
  worker_.Apply({config});
  RunToEnd(*worker_.loop, Refused(worker_, config, address));
}

net::Task<void> NoUnixSocket(TestWorker& worker, const ClusterConfig& config) {
  AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
  EXPECT_EQ(result.failure, AcquireFailure::kConnectFailed);
  EXPECT_EQ(
      result.status.message(),
      "cannot connect to unix:/nowhere/x.sock: no such file or directory; is the service running?");
}

TEST_F(PoolTest, SaysWhatToDoAboutAMissingUnixSocket) {
  const ClusterConfig config = TestConfig(registry_, "a", {"unix:/nowhere/x.sock"});
  worker_.Apply({config});
  RunToEnd(*worker_.loop, NoUnixSocket(worker_, config));
}

net::Task<void> OverUnix(TestWorker& worker, ClusterRegistry& registry) {
  // Bazel's own temporary directory may be too long a path for a socket.
  const harness::TempDir directory = harness::TempDir::ForSockets();
  const std::string address = "unix:" + (directory / "u");
  TestUpstream upstream(*worker.loop, address);
  const ClusterConfig config = TestConfig(registry, "a", {address});
  worker.Apply({config});
  AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
  EXPECT_TRUE(result.ok()) << result.status;
  bool exchanged = co_await Exchange(*result.lease, worker.scope);
  EXPECT_TRUE(exchanged);
  result.lease->Release();
  worker.Apply({});
  co_await upstream.Stop();
}

TEST_F(PoolTest, CallsUnixSockets) { RunToEnd(*worker_.loop, OverUnix(worker_, registry_)); }

net::Task<void> PrefersOthers(TestWorker& worker, ClusterRegistry& registry, std::string dead) {
  TestUpstream upstream(*worker.loop);
  ClusterConfig config = TestConfig(registry, "a", {dead, upstream.address().ToString()});
  config.lb_policy = LbPolicy::kRoundRobin;
  worker.Apply({config});
  HostId failed = 0;
  for (int i = 0; i < 2 && failed == 0; ++i) {  // one of two turns is the dead one's
    AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
    if (!result.ok()) failed = result.host_id;
  }
  EXPECT_NE(failed, 0u);
  for (int i = 0; i < 10; ++i) {  // now it is left alone for a while
    AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
    EXPECT_TRUE(result.ok()) << result.status;
  }
  // And what is to be avoided is avoided, even if the other one failed.
  const ClusterConfig both_dead = TestConfig(registry, "b", {dead, "127.0.0.1:1"});
  worker.Apply({config, both_dead});
  AcquireResult first = co_await worker.clusters.Acquire(both_dead, {}, worker.scope);
  AcquireOptions options;
  const HostId tried[] = {first.host_id};
  options.avoid = tried;
  for (int i = 0; i < 5; ++i) {
    AcquireResult next = co_await worker.clusters.Acquire(both_dead, options, worker.scope);
    EXPECT_NE(next.host_id, 0u);
    EXPECT_NE(next.host_id, first.host_id);
  }
  worker.Apply({});
  co_await upstream.Stop();
}

TEST_F(PoolTest, PrefersHostsThatWereNotTriedAndDidNotFailLately) {
  RunToEnd(*worker_.loop, PrefersOthers(worker_, registry_, DeadAddress()));
}

// A listener whose queue is full, so that further connections stay half open.
class FullListener {
 public:
  FullListener() {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    net::Address any = *net::Address::Parse("127.0.0.1:0");
    EXPECT_EQ(bind(fd_, any.get(), any.length()), 0);
    EXPECT_EQ(listen(fd_, 0), 0);
    sockaddr_storage storage{};
    socklen_t length = sizeof(storage);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&storage), &length);
    address_ = net::Address::FromSockaddr(reinterpret_cast<sockaddr*>(&storage), length);
    for (int& filler : fillers_) {
      filler = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      (void)connect(filler, address_.get(), address_.length());
    }
  }
  ~FullListener() {
    for (int filler : fillers_) close(filler);
    close(fd_);
  }
  std::string address() const { return address_.ToString(); }

 private:
  int fd_;
  int fillers_[4];
  net::Address address_;
};

net::Task<void> TimesOut(TestWorker& worker, const ClusterConfig& config, std::string address) {
  AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.failure, AcquireFailure::kConnectTimeout);
  EXPECT_EQ(result.status.message(),
            "cannot connect to " + address +
                " within 50ms (connect_timeout); is it overloaded, or unreachable?");
  EXPECT_EQ(worker.clusters.stats(config).cx_connect_timeout.Value(), 1u);
  EXPECT_EQ(config.shared->connections().used(), 0u);
}

TEST_F(PoolTest, GivesUpConnectingAtTheConnectTimeout) {
  FullListener full;
  ClusterConfig config = TestConfig(registry_, "a", {full.address()});
  config.connect_timeout = milliseconds(50);
  worker_.Apply({config});
  RunToEnd(*worker_.loop, TimesOut(worker_, config, full.address()));
}

net::Task<void> CancelsConnecting(TestWorker& worker, const ClusterConfig& config) {
  net::CancelScope call(*worker.loop, &worker.scope);
  call.SetDeadline(worker.loop->now() + milliseconds(20), "the call's timeout");
  AcquireResult result = co_await worker.clusters.Acquire(config, {}, call);
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.failure, AcquireFailure::kCanceled);
  EXPECT_EQ(result.status, absl::DeadlineExceededError("the call's timeout"));
  EXPECT_EQ(config.shared->connections().used(), 0u);
  // A host is not to blame for that.
  EXPECT_EQ(worker.clusters.stats(config).cx_connect_fail.Value(), 0u);
  AcquireResult late = co_await worker.clusters.Acquire(config, {}, call);
  EXPECT_EQ(late.failure, AcquireFailure::kCanceled);
}

TEST_F(PoolTest, EndsWithTheCallsScopeWhileConnecting) {
  FullListener full;
  ClusterConfig config = TestConfig(registry_, "a", {full.address()});
  config.connect_timeout = seconds(30);
  worker_.Apply({config});
  RunToEnd(*worker_.loop, CancelsConnecting(worker_, config));
}

net::Task<void> Describes(TestWorker& worker, ClusterRegistry& registry) {
  TestUpstream upstream(*worker.loop);
  const std::string address = upstream.address().ToString();
  ClusterConfig config = TestConfig(registry, "a", {address});
  config.endpoints[0].weight = 3;
  worker.Apply({config});
  AcquireResult idle = co_await worker.clusters.Acquire(config, {}, worker.scope);
  AcquireResult active = co_await worker.clusters.Acquire(config, {}, worker.scope);
  bool exchanged = co_await Exchange(*idle.lease, worker.scope);
  EXPECT_TRUE(exchanged);
  idle.lease->Release();
  UseSlot request = worker.clusters.TryBeginRequest(config);
  std::vector<ClusterStatus> all = worker.clusters.Describe();
  EXPECT_EQ(ToJson(all), R"({
  "clusters": [
    {
      "name": "a",
      "lbPolicy": "LEAST_REQUEST",
      "circuitBreakers": {
        "connections": {
          "used": 2,
          "limit": 1024
        },
        "pendingRequests": {
          "used": 0,
          "limit": 1024
        },
        "requests": {
          "used": 1,
          "limit": 1024
        },
        "retries": {
          "used": 0,
          "limit": 3
        }
      },
      "hosts": [
        {
          "address": ")" + address +
                             R"(",
          "weight": 3,
          "active": 1,
          "idle": 1,
          "requestsTotal": 2,
          "connectionsTotal": 2,
          "connectFailuresTotal": 0,
          "failing": false
        }
      ]
    }
  ]
})");
  Merge(worker.clusters.Describe(), &all);  // as if of a second worker
  EXPECT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].hosts[0].active, 2u);
  EXPECT_EQ(all[0].connections, 2u);  // of the process already

  telemetry::MetricsBuilder metrics;
  registry.Collect(metrics);
  const std::string page = metrics.Serialize();
  EXPECT_NE(page.find("envoy_cluster_upstream_cx_active{envoy_cluster_name=\"a\"} 2"), page.npos);
  EXPECT_NE(page.find("envoy_cluster_membership_healthy{envoy_cluster_name=\"a\"} 1"), page.npos);
  worker.Apply({});
  active.lease->Release();
  co_await upstream.Stop();
}

TEST_F(PoolTest, ShowsItsStateToTheAdminAndInMetrics) {
  RunToEnd(*worker_.loop, Describes(worker_, registry_));
}

}  // namespace
}  // namespace pillion::upstream
