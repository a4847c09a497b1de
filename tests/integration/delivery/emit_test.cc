// Events that follow a forwarded call.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/substitute.h"
#include "tests/integration/delivery/sidecar_process.h"
#include "tests/integration/harness/origin.h"

namespace pillion::harness {
namespace {

std::string Policy(int upstream_port, int subscriber_port) {
  return absl::Substitute(R"(
clusters:
- { name: orders, endpoints: ["127.0.0.1:$0"] }
- { name: hub, endpoints: ["127.0.0.1:$1"] }
virtual_hosts:
- name: orders
  domains: [orders]
  routes:
  - match: { prefix: / }
    route: { cluster: orders, timeout: 5s }
    emit:
    - { topic: order.changed, methods: [POST, PUT], key: { header: x-order } }
    - { topic: order.tried, on: ANY_ANSWER, methods: [PUT] }
subscriptions:
- name: hub
  topic: order.*
  cluster: hub
  path: /events
  retry_policy: { num_retries: 1000, retry_back_off: { base_interval: 10ms, max_interval: 50ms } }
)",
                          upstream_port, subscriber_port);
}

// Answers with the status that the path says.
Response AsAsked(const Request& request) {
  return Response{.status = std::stoi(request.target.substr(1)),
                  .headers = {{"Location", "/orders/7"}, {"Content-Type", "text/plain"}},
                  .body = "the answer"};
}

std::vector<std::string> Topics(const Origin& hub) {
  std::vector<std::string> topics;
  for (const Request& event : hub.requests())
    topics.push_back(event.Header("ce-type").value_or(""));
  return topics;
}

size_t Stored(const SidecarProcess& sidecar) {
  return ParseJson(sidecar.Admin("GET", "/.pillion/deliveries"))["deliveries"].size();
}

bool MetricsSay(const SidecarProcess& sidecar, const std::string& line) {
  return Eventually([&] {
    return absl::StrContains(sidecar.Admin("GET", "/stats/prometheus").body, line + "\n");
  });
}
constexpr char kOneWaits[] = "pillion_delivery_backlog{kind=\"subscription\",target=\"hub\"} 1";

TEST(Emit, TellsOfASuccessWithoutItsPayload) {
  Origin upstream(AsAsked);
  Origin hub([](const Request&) { return Response{.status = 204}; });
  SidecarProcess sidecar(Policy(upstream.port(), hub.port()));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response answer = sidecar.Call("POST", "http://orders/201", "secret", {{"X-Order", "7"}});
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.body, "the answer");
  ASSERT_TRUE(hub.WaitForRequests(1));
  const Request event = hub.requests()[0];
  EXPECT_EQ(event.target, "/events");
  EXPECT_EQ(event.Header("ce-type"), "order.changed");
  EXPECT_EQ(event.Header("ce-subject"), "/orders/7");
  EXPECT_EQ(event.Header("ce-source"), "/services/web");
  EXPECT_EQ(event.Header("ce-partitionkey"), "7");
  EXPECT_EQ(event.body, "");
  EXPECT_EQ(event.Header("content-type"), std::nullopt);
}

TEST(Emit, KeepsToItsAnswersAndMethods) {
  Origin upstream(AsAsked);
  Origin hub([](const Request&) { return Response{.status = 204}; });
  SidecarProcess sidecar(Policy(upstream.port(), hub.port()));
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_EQ(sidecar.Call("GET", "http://orders/200").status, 200);
  EXPECT_EQ(sidecar.Call("DELETE", "http://orders/204").status, 204);
  EXPECT_EQ(sidecar.Call("POST", "http://orders/404").status, 404);
  EXPECT_EQ(sidecar.Call("POST", "http://orders/500").status, 500);
  EXPECT_EQ(Stored(sidecar), 0u);
  EXPECT_EQ(sidecar.Call("PUT", "http://orders/409").status, 409);
  EXPECT_EQ(Stored(sidecar), 1u);
  ASSERT_TRUE(hub.WaitForRequests(1));
  EXPECT_EQ(Topics(hub), std::vector<std::string>{"order.tried"});
  EXPECT_EQ(sidecar.Call("PUT", "http://orders/303").status, 303);
  EXPECT_EQ(Stored(sidecar), 3u);
  ASSERT_TRUE(hub.WaitForRequests(3));
}

TEST(Emit, IsDurableBeforeTheCallerHasItsAnswer) {
  Origin upstream(AsAsked);
  const int nobody = FreePort();
  SidecarProcess sidecar(Policy(upstream.port(), nobody));
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_EQ(sidecar.Call("POST", "http://orders/200").status, 200);
  sidecar.Kill();
  Origin hub([](const Request&) { return Response{.status = 204}; });
  // The delivery goes to the cluster of its name, wherever the policy of now says that is.
  ASSERT_TRUE(sidecar.WritePolicy(Policy(upstream.port(), hub.port())).ok());
  ASSERT_TRUE(sidecar.Start().ok());
  ASSERT_TRUE(hub.WaitForRequests(1));
  EXPECT_EQ(Topics(hub), std::vector<std::string>{"order.changed"});
}

TEST(Emit, RefusesACallBeforeItIsForwardedIfASubscriptionHasNoRoomForItsEvent) {
  Origin upstream(AsAsked);
  const int nobody = FreePort();
  SidecarProcess sidecar(absl::StrReplaceAll(
      Policy(upstream.port(), nobody), {{"cluster: hub\n", "cluster: hub\n  max_pending: 1\n"}}));
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_EQ(sidecar.Call("POST", "http://orders/201").status, 201);
  ASSERT_TRUE(MetricsSay(sidecar, kOneWaits));
  const Response refused = sidecar.Call("POST", "http://orders/201");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.Header("pillion-flag"), "UO");
  EXPECT_EQ(refused.Header("retry-after"), "5");
  EXPECT_TRUE(absl::StrContains(refused.body, "subscription 'hub'")) << refused.body;
  EXPECT_EQ(upstream.request_count(), 1u);
  EXPECT_TRUE(MetricsSay(sidecar, "pillion_delivery_rejected_total{reason=\"backlog\"} 1"));
  // What announces nothing goes through.
  EXPECT_EQ(sidecar.Call("GET", "http://orders/200").status, 200);
  Origin hub([](const Request&) { return Response{.status = 204}; });
  ASSERT_TRUE(sidecar.EditPolicy(Policy(upstream.port(), hub.port())).ok());
  ASSERT_TRUE(hub.WaitForRequests(1));
  EXPECT_TRUE(Eventually([&] { return sidecar.Call("POST", "http://orders/201").status == 201; }));
}

TEST(Emit, RefusesACallBeforeItIsForwardedIfTheStoreHasNoRoomForItsEvent) {
  Origin upstream(AsAsked);
  SidecarProcess sidecar(Policy(upstream.port(), FreePort()), "", {.store = ", max_pending: 1"});
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_EQ(sidecar.Call("POST", "http://orders/201").status, 201);
  ASSERT_TRUE(MetricsSay(sidecar, kOneWaits));
  const Response refused = sidecar.Call("POST", "http://orders/201");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.Header("pillion-flag"), "OM");
  EXPECT_TRUE(absl::StrContains(refused.body, "store.max_pending")) << refused.body;
  EXPECT_EQ(upstream.request_count(), 1u);
}

}  // namespace
}  // namespace pillion::harness
