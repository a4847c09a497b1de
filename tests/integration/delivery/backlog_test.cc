// Too much at once: who is refused, and what they are told.
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/substitute.h"
#include "tests/integration/delivery/gate.h"
#include "tests/integration/delivery/sidecar_process.h"
#include "tests/integration/harness/origin.h"

namespace pillion::harness {
namespace {

std::string Policy(const Origin& origin) {
  return absl::Substitute(R"(
clusters:
- { name: orders, endpoints: ["127.0.0.1:$0"] }
virtual_hosts:
- name: orders
  domains: [orders]
  routes:
  - { name: few, match: { path: /few }, async: { cluster: orders, max_pending: 2 } }
  - { name: small, match: { path: /small }, async: { cluster: orders, max_pending_bytes: 2KiB } }
  - { name: many, match: { path: /many }, async: { cluster: orders } }
  - { name: news, match: { path: /news }, publish: { topic: news } }
  - { name: gossip, match: { path: /gossip }, publish: { topic: news, max_pending: 1 } }
subscriptions:
- { name: quick, topic: news, cluster: orders, path: /quick }
- { name: full, topic: news, cluster: orders, path: /full, max_pending: 2 }
)",
                          origin.port());
}

class Backlog : public testing::Test {
 protected:
  Response Post(const SidecarProcess& sidecar, const std::string& path, size_t bytes = 10) {
    return sidecar.Call("POST", "http://orders" + path, std::string(bytes, 'x'));
  }
  bool MetricsSay(const SidecarProcess& sidecar, const std::string& line) {
    return Eventually([&] {
      return absl::StrContains(sidecar.Admin("GET", "/stats/prometheus").body, line + "\n");
    });
  }

  Gate gate_;
  Origin origin_{[this](const Request&) {
    gate_.Wait();
    return Response{.status = 200};
  }};
  Gate::AtEnd open_{gate_};
};

TEST_F(Backlog, OfARouteIsRefusedWith429AndARetryAfterUntilThereIsRoom) {
  SidecarProcess sidecar(Policy(origin_));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response first = Post(sidecar, "/few");
  EXPECT_EQ(first.status, 202);
  EXPECT_EQ(Post(sidecar, "/few").status, 202);
  const Response refused = Post(sidecar, "/few");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.Header("content-type"), "application/problem+json");
  EXPECT_EQ(refused.Header("pillion-flag"), "UO");
  EXPECT_EQ(refused.Header("retry-after"), "5");
  EXPECT_TRUE(absl::StrContains(refused.body, "route 'orders/few'")) << refused.body;
  EXPECT_TRUE(absl::StrContains(refused.body, "max_pending")) << refused.body;

  EXPECT_EQ(Post(sidecar, "/small", 1500).status, 202);
  EXPECT_EQ(Post(sidecar, "/small", 1500).status, 429);
  EXPECT_EQ(Post(sidecar, "/many").status, 202);
  EXPECT_TRUE(MetricsSay(sidecar, "pillion_delivery_rejected_total{reason=\"backlog\"} 2"));
  EXPECT_TRUE(
      MetricsSay(sidecar, "pillion_delivery_backlog{kind=\"route\",target=\"orders/few\"} 2"));

  gate_.Open();
  EXPECT_EQ(sidecar.AwaitFinal(first).value("status", ""), "succeeded");
  EXPECT_TRUE(Eventually([&] { return Post(sidecar, "/few").status == 202; }));
}

TEST_F(Backlog, OfOneOfSeveralSubscriptionsRefusesTheMessageForAllOfThem) {
  SidecarProcess sidecar(Policy(origin_));
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_EQ(Post(sidecar, "/gossip").status, 202);
  EXPECT_EQ(Post(sidecar, "/gossip").status, 429);
  EXPECT_EQ(Post(sidecar, "/news").status, 202);
  const Response refused = Post(sidecar, "/news");
  EXPECT_EQ(refused.status, 429);
  EXPECT_TRUE(absl::StrContains(refused.body, "subscription 'full'")) << refused.body;
  EXPECT_TRUE(
      MetricsSay(sidecar, "pillion_delivery_backlog{kind=\"subscription\",target=\"quick\"} 2"));
}

TEST_F(Backlog, OfTheWholeStoreIsRefusedWith503) {
  SidecarProcess sidecar(Policy(origin_), "", {.store = ", max_pending: 2", .lines = ""});
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_EQ(Post(sidecar, "/many").status, 202);
  EXPECT_EQ(Post(sidecar, "/news").status, 503);
  const Response last = Post(sidecar, "/few");
  EXPECT_EQ(last.status, 202);
  const Response refused = Post(sidecar, "/many");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.Header("pillion-flag"), "OM");
  EXPECT_EQ(refused.Header("retry-after"), "1");
  EXPECT_TRUE(absl::StrContains(refused.body, "store.max_pending")) << refused.body;
  EXPECT_TRUE(MetricsSay(sidecar, "pillion_delivery_rejected_total{reason=\"store\"} 2"));
  // The limit is not forgotten over a restart.
  sidecar.Kill();
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_EQ(Post(sidecar, "/many").status, 503);
  gate_.Open();
  EXPECT_EQ(sidecar.AwaitFinal(last).value("status", ""), "succeeded");
  EXPECT_TRUE(Eventually([&] { return Post(sidecar, "/many").status == 202; }));
}

TEST_F(Backlog, OfTheStoresFileIsRefusedWith503) {
  SidecarProcess sidecar(Policy(origin_), "", {.store = ", max_bytes: 1MiB", .lines = ""});
  ASSERT_TRUE(sidecar.Start().ok());
  Response refused;
  for (int i = 0; i < 40 && refused.status != 503; ++i) refused = Post(sidecar, "/many", 100'000);
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(absl::StrContains(refused.body, "store.max_bytes")) << refused.body;
}

}  // namespace
}  // namespace pillion::harness
