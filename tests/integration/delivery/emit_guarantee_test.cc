// `emit` with guarantee AT_LEAST_ONCE: what an upstream may have done is announced, whoever dies
// before it is known.
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "tests/integration/delivery/gate.h"
#include "tests/integration/delivery/sidecar_process.h"
#include "tests/integration/harness/origin.h"

namespace pillion::harness {
namespace {

std::string Policy(int upstream_port, int subscriber_port, const std::string& timeout = "15s") {
  return absl::Substitute(R"(
clusters:
- { name: orders, endpoints: ["127.0.0.1:$0"] }
- { name: hub, endpoints: ["127.0.0.1:$1"] }
virtual_hosts:
- name: orders
  domains: [orders]
  routes:
  - match: { prefix: / }
    route: { cluster: orders, timeout: $2 }
    emit:
    - { topic: order.changed, methods: [POST], guarantee: AT_LEAST_ONCE }
subscriptions:
- name: hub
  topic: order.*
  cluster: hub
  path: /events
  retry_policy: { num_retries: 1000, retry_back_off: { base_interval: 10ms, max_interval: 50ms } }
)",
                          upstream_port, subscriber_port, timeout);
}

Origin::Handler NoContent() {
  return [](const Request&) { return Response{.status = 204}; };
}

// Answers with the status that the path says.
Response AsAsked(const Request& request) {
  return Response{.status = std::stoi(request.target.substr(1)),
                  .headers = {{"Location", "/orders/7"}},
                  .body = "the answer"};
}

Json Stored(const SidecarProcess& sidecar) {
  return ParseJson(sidecar.Admin("GET", "/.pillion/deliveries"))["deliveries"];
}

bool NothingIsStored(const SidecarProcess& sidecar) {
  return Eventually([&] { return Stored(sidecar).empty(); });
}

TEST(EmitAtLeastOnce, TellsOfASuccessAsWithoutTheGuarantee) {
  Origin upstream(AsAsked);
  Origin hub(NoContent());
  SidecarProcess sidecar(Policy(upstream.port(), hub.port()));
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_EQ(sidecar.Call("POST", "http://orders/201").body, "the answer");
  ASSERT_TRUE(hub.WaitForRequests(1));
  const Request event = hub.requests()[0];
  EXPECT_EQ(event.Header("ce-type"), "order.changed");
  EXPECT_EQ(event.Header("ce-subject"), "/orders/7");
  EXPECT_EQ(event.body, "");
  EXPECT_EQ(sidecar.Call("GET", "http://orders/200").status, 200);
  EXPECT_EQ(Stored(sidecar).size(), 1u);
}

TEST(EmitAtLeastOnce, TellsNobodyOfAnAnswerThatIsNoSuccess) {
  Origin upstream(AsAsked);
  Origin hub(NoContent());
  SidecarProcess sidecar(Policy(upstream.port(), hub.port()));
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_EQ(sidecar.Call("POST", "http://orders/404").status, 404);
  EXPECT_EQ(sidecar.Call("POST", "http://orders/500").status, 500);
  EXPECT_TRUE(NothingIsStored(sidecar));
  EXPECT_EQ(sidecar.Call("POST", "http://orders/200").status, 200);
  ASSERT_TRUE(hub.WaitForRequests(1));
  EXPECT_EQ(Stored(sidecar).size(), 1u);
}

TEST(EmitAtLeastOnce, SurvivesAKillBetweenTheDeedAndItsAnswer) {
  Gate answer;
  Origin upstream([&](const Request&) {
    answer.Wait();
    return Response{.status = 201};
  });
  const Gate::AtEnd open(answer);
  Origin hub(NoContent());
  SidecarProcess sidecar(Policy(upstream.port(), hub.port()));
  ASSERT_TRUE(sidecar.Start().ok());
  std::thread caller([&] { EXPECT_EQ(sidecar.Call("POST", "http://orders/7").status, 0); });
  // The upstream has the call, and may have done all of it; nobody is told yet.
  EXPECT_TRUE(upstream.WaitForRequests(1));
  const Json held = Stored(sidecar);
  EXPECT_EQ(held.size(), 1u);
  if (!held.empty()) {
    EXPECT_EQ(held[0]["state"], "PENDING");
    EXPECT_EQ(held[0]["held"], true);
  }
  EXPECT_EQ(hub.request_count(), 0u);
  sidecar.Kill();
  caller.join();
  EXPECT_EQ(hub.request_count(), 0u);
  ASSERT_TRUE(sidecar.Start().ok());
  ASSERT_TRUE(hub.WaitForRequests(1));
  EXPECT_EQ(hub.requests()[0].Header("ce-type"), "order.changed");
  EXPECT_EQ(hub.requests()[0].Header("ce-subject"), "/7");
  EXPECT_TRUE(Eventually([&] { return Stored(sidecar)[0]["state"] == "SUCCEEDED"; }));
  EXPECT_EQ(hub.request_count(), 1u);
}

TEST(EmitAtLeastOnce, TellsOfACallWhoseAnswerNeverCame) {
  Origin upstream(origin::CloseWithoutAnswer());
  Origin hub(NoContent());
  SidecarProcess sidecar(Policy(upstream.port(), hub.port()));
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_EQ(sidecar.Call("POST", "http://orders/7").Header("pillion-flag"), "UC");
  EXPECT_TRUE(hub.WaitForRequests(1));
}

TEST(EmitAtLeastOnce, TellsOfACallThatTookTooLong) {
  Origin upstream(origin::Hang());
  Origin hub(NoContent());
  SidecarProcess sidecar(Policy(upstream.port(), hub.port(), "500ms"));
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_EQ(sidecar.Call("POST", "http://orders/7").Header("pillion-flag"), "UT");
  EXPECT_TRUE(hub.WaitForRequests(1));
}

TEST(EmitAtLeastOnce, TellsNobodyOfACallThatReachedNobody) {
  const int nobody = FreePort();
  Origin hub(NoContent());
  SidecarProcess sidecar(Policy(nobody, hub.port()));
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_EQ(sidecar.Call("POST", "http://orders/7").Header("pillion-flag"), "UF");
  EXPECT_TRUE(NothingIsStored(sidecar));
  EXPECT_EQ(hub.request_count(), 0u);
}

TEST(EmitAtLeastOnce, TellsOfACallThatTheDrainCutOff) {
  Gate answer;
  Origin upstream([&](const Request&) {
    answer.Wait();
    return Response{.status = 201};
  });
  const Gate::AtEnd open(answer);
  Origin hub(NoContent());
  SidecarProcess sidecar(Policy(upstream.port(), hub.port()), "",
                         {.lines = "drain_timeout: 200ms\n"});
  ASSERT_TRUE(sidecar.Start().ok());
  std::thread caller([&] { EXPECT_EQ(sidecar.Call("POST", "http://orders/7").status, 0); });
  EXPECT_TRUE(upstream.WaitForRequests(1));
  EXPECT_EQ(sidecar.Terminate().value(), ExitStatus::Code(0));
  caller.join();
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_TRUE(hub.WaitForRequests(1));
}

}  // namespace
}  // namespace pillion::harness
