// The admin endpoints.

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/integration/harness/http_client.h"
#include "tests/integration/harness/origin.h"
#include "tests/integration/proxy/test_sidecar.h"

namespace pillion::proxy_test {
namespace {

using harness::Connection;
using harness::HttpClient;
using harness::Origin;
using harness::Request;
using harness::Response;
using nlohmann::json;

class Admin : public testing::Test {
 protected:
  json Json(const std::string& target) {
    const auto response = admin_.Get(target);
    EXPECT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->Header("content-type").value_or(""), "application/json");
    json parsed = json::parse(response->body, nullptr, false);
    EXPECT_FALSE(parsed.is_discarded()) << response->body;
    return parsed;
  }

  Origin orders_{[](const Request&) { return Response{.body = "ok"}; }};
  TestSidecar sidecar_{ForwardTo(orders_.port())};
  HttpClient admin_{sidecar_.admin_port()};
  HttpClient client_{sidecar_.port()};
};

TEST_F(Admin, SaysWhetherCallsCanBeTaken) {
  EXPECT_EQ(admin_.Get("/ready")->status, 200);
  EXPECT_EQ(admin_.Send({.method = "HEAD", .target = "/ready"})->status, 200);
}

TEST_F(Admin, ShowsThePolicyInEffectWithItsDefaults) {
  json dump;
  // What the source says of itself follows the policy that it brought.
  ASSERT_TRUE(harness::Eventually([&] {
    dump = Json("/config_dump");
    return dump["policy_source"]["version"] == dump["version"];
  })) << dump;
  EXPECT_EQ(dump["bootstrap"]["node"]["id"], "web-1");
  EXPECT_EQ(dump["policy"]["clusters"][0]["name"], "orders");
  EXPECT_EQ(dump["policy"]["virtual_hosts"][0]["routes"][0]["route"]["timeout"], "15s");
  sidecar_.SetPolicy(ForwardTo(orders_.port(), ", timeout: 3s"));
  const json edited = Json("/config_dump");
  EXPECT_NE(edited["version"], dump["version"]);
  EXPECT_EQ(edited["policy"]["virtual_hosts"][0]["routes"][0]["route"]["timeout"], "3s");
}

TEST_F(Admin, ShowsListenersWithTheirPorts) {
  const json listeners = Json("/listeners");
  ASSERT_EQ(listeners.size(), 1u);
  EXPECT_EQ(listeners[0]["name"], "outbound");
  EXPECT_EQ(listeners[0]["address"], absl::StrCat("127.0.0.1:", sidecar_.port()));
}

TEST_F(Admin, ShowsClustersAndCountsCalls) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client_.Get("http://orders/")->status, 200);
  EXPECT_EQ(client_.Get("http://nobody/")->status, 404);
  const std::string clusters = Json("/clusters").dump();
  EXPECT_TRUE(absl::StrContains(clusters, "orders")) << clusters;
  EXPECT_TRUE(absl::StrContains(clusters, absl::StrCat("127.0.0.1:", orders_.port()))) << clusters;

  const auto metrics = admin_.Get("/stats/prometheus");
  EXPECT_TRUE(absl::StartsWith(metrics->Header("content-type").value_or(""), "text/plain"));
  const std::string& text = metrics->body;
  auto has = [&](const std::string& line) { return absl::StrContains(text, line); };
  EXPECT_TRUE(has("envoy_cluster_upstream_rq_total{envoy_cluster_name=\"orders\"} 3")) << text;
  EXPECT_TRUE(has("envoy_cluster_upstream_cx_total{envoy_cluster_name=\"orders\"} 1")) << text;
  EXPECT_TRUE(harness::Eventually([&] {
    return absl::StrContains(admin_.Get("/stats/prometheus")->body,
                             "pillion_policy_applied_total 1");
  }));
}

TEST_F(Admin, SaysWhoItIs) {
  const json info = Json("/server_info");
  EXPECT_EQ(info["state"], "LIVE");
  EXPECT_EQ(info["node"]["service"], "web");
  EXPECT_EQ(info["pid"], sidecar_.process().pid());
  EXPECT_EQ(info["workers"], 2);
}

TEST_F(Admin, ChangesNothingByGet) {
  for (const char* target : {"/drain_listeners", "/quitquitquit", "/logging?level=debug"}) {
    const auto response = admin_.Get(target);
    EXPECT_EQ(response->status, 405) << target;
    EXPECT_EQ(response->Header("allow").value_or(""), "POST");
  }
  EXPECT_EQ(admin_.Get("/nothing")->status, 404);
  EXPECT_EQ(admin_.Post("/ready", "")->status, 405);
  EXPECT_EQ(client_.Get("http://orders/")->status, 200);
}

TEST_F(Admin, ChangesTheLogLevel) {
  EXPECT_EQ(admin_.Post("/logging?level=error", "")->status, 200);
  const auto wrong = admin_.Post("/logging?level=loud", "");
  EXPECT_EQ(wrong->status, 400);
  EXPECT_TRUE(absl::StrContains(wrong->body, "loud")) << wrong->body;
}

TEST_F(Admin, StopsListeningAndStaysThere) {
  EXPECT_EQ(client_.Get("http://orders/")->status, 200);
  EXPECT_EQ(admin_.Post("/drain_listeners", "")->status, 200);
  EXPECT_TRUE(harness::Eventually([&] { return !Connection::Connect(sidecar_.port()).ok(); }));
  EXPECT_EQ(Json("/server_info")["state"], "DRAINING");
  EXPECT_EQ(admin_.Get("/ready")->status, 503);
  EXPECT_EQ(sidecar_.Stop(), harness::ExitStatus::Code(0));
}

TEST_F(Admin, EndsTheProcess) {
  EXPECT_EQ(admin_.Post("/quitquitquit", "")->status, 200);
  EXPECT_EQ(sidecar_.process().WaitForExit().value(), harness::ExitStatus::Code(0));
}

}  // namespace
}  // namespace pillion::proxy_test
