#include "sidecar/upstream/dns_resolver.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sidecar/upstream/test_dns_server.h"
#include "sidecar/upstream/upstream_test_util.h"

namespace pillion::upstream {
namespace {

using std::chrono::milliseconds;

class DnsResolverTest : public testing::Test {
 protected:
  DnsResolver::Options Options() {
    DnsResolver::Options options;
    options.servers = server_.address();
    options.min_ttl = milliseconds(20);
    options.max_backoff = milliseconds(40);
    options.query_timeout = std::chrono::seconds(10);
    options.tries = 1;
    return options;
  }

  // Runs the loop until `condition` holds.
  bool WaitFor(std::function<bool()> condition) {
    bool held = false;
    const auto wait = [](net::Loop& loop, std::function<bool()> condition,
                         bool* held) -> net::Task<void> {
      *held = co_await Eventually(loop, std::move(condition));
    };
    RunToEnd(*loop_, wait(*loop_, std::move(condition), &held));
    return held;
  }

  // Follows a name and keeps everything that was heard of it: "1.2.3.4 ::1", or "error: ...".
  DnsResolver::Subscription Follow(DnsResolver& resolver, std::string_view name,
                                   std::vector<std::string>* heard) {
    return resolver.Subscribe(name, *loop_, [heard](const Resolution& resolution) {
      std::string text;
      for (const net::Address& address : resolution.addresses) {
        text += (text.empty() ? "" : " ") + address.host();
      }
      if (!resolution.status.ok()) text = "error: " + std::string(resolution.status.message());
      heard->push_back(text);
    });
  }

  std::unique_ptr<net::Loop> loop_ = *net::Loop::Create(net::IoKind::kEpoll);
  TestDnsServer server_;
};

TEST_F(DnsResolverTest, HonoursTheHostsFile) {
  DnsResolver resolver(Options());
  std::vector<std::string> heard;
  const auto subscription = Follow(resolver, "localhost", &heard);
  ASSERT_TRUE(WaitFor([&] { return !heard.empty(); }));
  EXPECT_TRUE(heard[0].starts_with("127.0.0.1")) << heard[0];
  EXPECT_EQ(server_.questions("localhost"), 0);
}

TEST_F(DnsResolverTest, FindsAddressesOfBothFamilies) {
  server_.Set("orders.mesh.test", {{"127.0.0.3", "::1", "127.0.0.2", "127.0.0.2"}});
  DnsResolver resolver(Options());
  std::vector<std::string> heard;
  const auto subscription = Follow(resolver, "Orders.Mesh.test", &heard);
  ASSERT_TRUE(WaitFor([&] { return !heard.empty(); }));
  EXPECT_EQ(heard[0], "127.0.0.2 127.0.0.3 ::1");
}

TEST_F(DnsResolverTest, TellsOfChangesOnly) {
  server_.Set("orders.mesh.test", {{"127.0.0.2", "127.0.0.3"}, 0});
  DnsResolver resolver(Options());
  std::vector<std::string> heard;
  const auto subscription = Follow(resolver, "orders.mesh.test", &heard);
  ASSERT_TRUE(WaitFor([&] { return !heard.empty(); }));
  server_.Set("orders.mesh.test", {{"127.0.0.3", "127.0.0.2"}, 0});  // another order is no change
  const int asked = server_.questions("orders.mesh.test");
  ASSERT_TRUE(WaitFor([&] { return server_.questions("orders.mesh.test") >= asked + 4; }));
  EXPECT_EQ(heard.size(), 1u);
  server_.Set("orders.mesh.test", {{"127.0.0.4"}, 0});
  ASSERT_TRUE(WaitFor([&] { return heard.size() == 2; }));
  EXPECT_EQ(heard[1], "127.0.0.4");
}

TEST_F(DnsResolverTest, DoesNotAskAgainWithinTheTimeToLive) {
  server_.Set("slow.mesh.test", {{"127.0.0.2"}, 600});
  server_.Set("fast.mesh.test", {{"127.0.0.2"}, 0});
  DnsResolver resolver(Options());
  std::vector<std::string> heard;
  const auto slow = Follow(resolver, "slow.mesh.test", &heard);
  const auto fast = Follow(resolver, "fast.mesh.test", &heard);
  ASSERT_TRUE(WaitFor([&] { return server_.questions("fast.mesh.test") >= 10; }));
  EXPECT_EQ(server_.questions("slow.mesh.test"), 2);  // A and AAAA
}

TEST_F(DnsResolverTest, KeepsTheAddressesWhenALaterLookUpFails) {
  server_.Set("orders.mesh.test", {{"127.0.0.2"}, 0});
  DnsResolver resolver(Options());
  std::vector<std::string> heard;
  const auto subscription = Follow(resolver, "orders.mesh.test", &heard);
  ASSERT_TRUE(WaitFor([&] { return !heard.empty(); }));
  server_.Remove("orders.mesh.test");
  const int asked = server_.questions("orders.mesh.test");
  ASSERT_TRUE(WaitFor([&] { return server_.questions("orders.mesh.test") >= asked + 6; }));
  EXPECT_EQ(heard, (std::vector<std::string>{"127.0.0.2"}));
}

TEST_F(DnsResolverTest, SaysWhyANameHasNoAddressAndGoesOnTrying) {
  DnsResolver resolver(Options());
  std::vector<std::string> heard;
  const auto subscription = Follow(resolver, "orders.mesh.test", &heard);
  ASSERT_TRUE(WaitFor([&] { return !heard.empty(); }));
  EXPECT_EQ(heard[0],
            "error: cannot resolve 'orders.mesh.test': no such name, or it has no address");
  server_.Set("orders.mesh.test", {{"127.0.0.2"}});
  ASSERT_TRUE(WaitFor([&] { return heard.size() == 2; }));
  EXPECT_EQ(heard[1], "127.0.0.2");
}

TEST_F(DnsResolverTest, SaysThatTheServerDoesNotAnswer) {
  server_.Set("orders.mesh.test", {{}, 0, /*silent=*/true});
  DnsResolver::Options options = Options();
  options.query_timeout = milliseconds(50);
  DnsResolver resolver(options);
  std::vector<std::string> heard;
  const auto subscription = Follow(resolver, "orders.mesh.test", &heard);
  ASSERT_TRUE(WaitFor([&] { return !heard.empty(); }));
  EXPECT_EQ(heard[0], "error: cannot resolve 'orders.mesh.test': the name servers do not answer");
}

TEST_F(DnsResolverTest, ALateSubscriberHearsWhatIsKnownAndAnEndedOneNothing) {
  server_.Set("orders.mesh.test", {{"127.0.0.2"}, 600});
  DnsResolver resolver(Options());
  std::vector<std::string> first;
  std::vector<std::string> second;
  auto subscription = Follow(resolver, "orders.mesh.test", &first);
  ASSERT_TRUE(WaitFor([&] { return !first.empty(); }));
  {
    const auto ended = Follow(resolver, "orders.mesh.test", &first);  // its news is under way
  }
  const auto late = Follow(resolver, "orders.mesh.test", &second);
  ASSERT_TRUE(WaitFor([&] { return !second.empty(); }));
  EXPECT_EQ(second[0], "127.0.0.2");
  EXPECT_EQ(first.size(), 1u);
  EXPECT_EQ(server_.questions("orders.mesh.test"), 2);
}

TEST_F(DnsResolverTest, FollowsManyNamesAtOnce) {
  constexpr int kNames = 200;
  DnsResolver resolver(Options());
  std::vector<std::string> heard;
  std::vector<DnsResolver::Subscription> subscriptions;
  for (int i = 0; i < kNames; ++i) {
    const std::string name = "n" + std::to_string(i) + ".mesh.test";
    server_.Set(name, {{"127.0.0.2"}, 600});
    subscriptions.push_back(Follow(resolver, name, &heard));
  }
  ASSERT_TRUE(WaitFor([&] { return heard.size() >= kNames; }));
}

// ---- Clusters whose endpoints are names ----

class DnsClusterTest : public DnsResolverTest {
 protected:
  ClusterRegistry registry_;
};

net::Task<void> CallByName(TestWorker& worker, TestDnsServer& server, ClusterRegistry& registry) {
  TestUpstream upstream(*worker.loop);
  const std::string port = std::to_string(upstream.address().port());
  const ClusterConfig config = TestConfig(registry, "a", {"orders.mesh.test:" + port});
  worker.Apply({config});
  // The first call waits for the first answer.
  AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
  EXPECT_TRUE(result.ok()) << result.status;
  EXPECT_EQ(result.lease->host(), "127.0.0.1:" + port);
  bool exchanged = co_await Exchange(*result.lease, worker.scope);
  EXPECT_TRUE(exchanged);
  result.lease->Release();
  EXPECT_EQ(config.shared->pending().used(), 0u);
  // A change of the addresses closes the idle connection to the old one.
  server.Set("orders.mesh.test", {{"127.0.0.2"}, 0});
  bool closed = co_await Eventually(*worker.loop, [&] { return upstream.open() == 0; });
  EXPECT_TRUE(closed);
  EXPECT_EQ(worker.clusters.Describe()[0].hosts[0].address, "127.0.0.2:" + port);
  EXPECT_EQ(worker.clusters.Describe()[0].hosts[0].origin, "orders.mesh.test:" + port);
  co_await upstream.Stop();
}

TEST_F(DnsClusterTest, TheFirstCallWaitsForTheAnswerAndAChangeMovesCallsOver) {
  server_.Set("orders.mesh.test", {{"127.0.0.1"}, 0});
  DnsResolver resolver(Options());
  TestWorker worker(resolver);
  RunToEnd(*worker.loop, CallByName(worker, server_, registry_));
}

net::Task<void> CallUnknown(TestWorker& worker, ClusterRegistry& registry) {
  const ClusterConfig config = TestConfig(registry, "a", {"orders.mesh.test:80"});
  worker.Apply({config});
  AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.failure, AcquireFailure::kNoHealthyHost);
  EXPECT_EQ(
      result.status.message(),
      "cluster 'a' has no host: cannot resolve 'orders.mesh.test': no such name, or it has no "
      "address");
  EXPECT_EQ(worker.clusters.stats(config).cx_none_healthy.Value(), 1u);
  const std::vector<ClusterStatus> all = worker.clusters.Describe();
  EXPECT_EQ(all[0].unresolved.size(), 1u);
  EXPECT_EQ(all[0].unresolved[0].first, "orders.mesh.test:80");
}

TEST_F(DnsClusterTest, ACallToANameThatDoesNotExistFailsWithTheReason) {
  DnsResolver resolver(Options());
  TestWorker worker(resolver);
  RunToEnd(*worker.loop, CallUnknown(worker, registry_));
}

net::Task<void> CallUnanswered(TestWorker& worker, ClusterRegistry& registry) {
  ClusterConfig config = TestConfig(registry, "a", {"orders.mesh.test:80"});
  config.connect_timeout = milliseconds(30);
  worker.Apply({config});
  AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.failure, AcquireFailure::kNoHealthyHost);
  EXPECT_EQ(result.status.message(),
            "cluster 'a' has no host: cannot resolve 'orders.mesh.test': no answer yet");
  net::CancelScope call(*worker.loop, &worker.scope);
  call.SetDeadline(worker.loop->now() + milliseconds(10), "the call's timeout");
  AcquireResult canceled = co_await worker.clusters.Acquire(config, {}, call);
  EXPECT_EQ(canceled.failure, AcquireFailure::kCanceled);
}

TEST_F(DnsClusterTest, ACallDoesNotWaitForDnsBeyondTheConnectTimeout) {
  server_.Set("orders.mesh.test", {{}, 0, /*silent=*/true});
  DnsResolver resolver(Options());
  TestWorker worker(resolver);
  RunToEnd(*worker.loop, CallUnanswered(worker, registry_));
}

net::Task<void> CallHalfDead(TestWorker& worker, ClusterRegistry& registry) {
  TestUpstream upstream(*worker.loop);
  const std::string port = std::to_string(upstream.address().port());
  const ClusterConfig config = TestConfig(registry, "a", {"orders.mesh.test:" + port});
  worker.Apply({config});
  for (int i = 0; i < 20; ++i) {
    AcquireResult result = co_await worker.clusters.Acquire(config, {}, worker.scope);
    EXPECT_TRUE(result.ok()) << result.status;
    EXPECT_EQ(result.lease->host(), "127.0.0.1:" + port);
  }
  worker.Apply({});
  co_await upstream.Stop();
}

TEST_F(DnsClusterTest, AnAddressOfANameThatRefusesCostsNoCallWhileAnotherOneAnswers) {
  server_.Set("orders.mesh.test", {{"127.0.0.1", "127.0.0.2", "::1"}, 600});
  DnsResolver resolver(Options());
  TestWorker worker(resolver);
  RunToEnd(*worker.loop, CallHalfDead(worker, registry_));
}

}  // namespace
}  // namespace pillion::upstream
