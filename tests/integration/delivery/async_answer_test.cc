// Which answer a caller of an asynchronous route gets, and when: Prefer, the policy's wait, its own
// answer.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/substitute.h"
#include "tests/integration/delivery/gate.h"
#include "tests/integration/delivery/sidecar_process.h"
#include "tests/integration/harness/origin.h"

namespace pillion::harness {
namespace {

std::string Policy(const Origin& origin, const std::string& async) {
  return absl::Substitute(R"(
clusters:
- { name: orders, endpoints: ["127.0.0.1:$0"] }
virtual_hosts:
- name: orders
  domains: [orders]
  routes:
  - { name: report, match: { prefix: / }, async: { cluster: orders$1 } }
)",
                          origin.port(), async);
}

// Answers at once, but for /slow: that waits for the gate.
class Reports {
 public:
  int port() const { return origin_.port(); }
  const Origin& origin() const { return origin_; }
  Gate& gate() { return gate_; }

 private:
  Gate gate_;
  Origin origin_{[this](const Request& request) {
    if (request.target == "/slow") gate_.Wait();
    return Response{.status = 201, .body = "report"};
  }};
  Gate::AtEnd open_{gate_};
};

TEST(AsyncPreference, IsAnsweredSynchronouslyIfDoneWithinTheWait) {
  Reports reports;
  SidecarProcess sidecar(Policy(reports.origin(), ""));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response done =
      sidecar.Call("POST", "http://orders/", "", {{"Prefer", "respond-async, wait=25"}});
  EXPECT_EQ(done.status, 201);
  EXPECT_EQ(done.body, "report");
  // What the caller prefers of the sidecar is nothing for the upstream.
  EXPECT_EQ(reports.origin().requests().at(0).Header("prefer"), std::nullopt);
}

TEST(AsyncPreference, IsAnsweredWith202WhenTheWaitIsOver) {
  Reports reports;
  SidecarProcess sidecar(Policy(reports.origin(), ""));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/slow", "",
                                         {{"Prefer", "RESPOND-ASYNC; x=1, wait=1, wait=60, odd"}});
  EXPECT_EQ(accepted.status, 202);
  EXPECT_EQ(accepted.Header("preference-applied"), "respond-async");
  EXPECT_EQ(ParseJson(accepted).value("status", ""), "running");
  reports.gate().Open();
  EXPECT_EQ(sidecar.AwaitFinal(accepted).value("status", ""), "succeeded");
}

TEST(AsyncPreference, DecidesOnARouteThatAsksForIt) {
  Reports reports;
  SidecarProcess sidecar(Policy(reports.origin(), ", when: ON_PREFER"));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response forwarded = sidecar.Call("POST", "http://orders/", "{}");
  EXPECT_EQ(forwarded.status, 201);
  EXPECT_EQ(forwarded.body, "report");
  EXPECT_EQ(reports.origin().requests().at(0).Header("pillion-delivery-id"), std::nullopt);
  EXPECT_EQ(sidecar.Call("POST", "http://orders/", "{}", {{"Prefer", "wait=5"}}).status, 201);
  const Response accepted =
      sidecar.Call("POST", "http://orders/", "{}", {{"Prefer", "Respond-Async"}});
  EXPECT_EQ(accepted.status, 202);
  EXPECT_EQ(accepted.Header("preference-applied"), "respond-async");
  EXPECT_EQ(sidecar.AwaitFinal(accepted).value("status", ""), "succeeded");
}

TEST(AsyncPolicy, HoldsTheCallForItsWait) {
  Reports reports;
  SidecarProcess sidecar(Policy(reports.origin(), ", wait: 2s"));
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_EQ(sidecar.Call("POST", "http://orders/").body, "report");
  const auto start = std::chrono::steady_clock::now();
  const Response accepted = sidecar.Call("POST", "http://orders/slow");
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  EXPECT_EQ(accepted.status, 202);
}

TEST(AsyncPolicy, TellsWhoWaitsThatTheCallFailed) {
  Origin origin(origin::Hang());
  SidecarProcess sidecar(
      Policy(origin, ", wait: 30s, timeout: 50ms, retry_policy: { num_retries: 0 }"));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response failed = sidecar.Call("POST", "http://orders/");
  EXPECT_EQ(failed.status, 502);
  EXPECT_EQ(failed.Header("pillion-flag"), "URX");
  EXPECT_TRUE(absl::StrContains(failed.body, "timeout")) << failed.body;
}

TEST(AsyncPolicy, AnswersWithWhatAnUnmodifiedCallerExpects) {
  Reports reports;
  SidecarProcess sidecar(Policy(reports.origin(), R"(, respond: {
      status: 200, body: '{"op":"{operation}","at":"{status_url}"}',
      headers: { x-kind: report, x-operation: '{operation}' } })"));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response answer = sidecar.Call("POST", "http://orders/reports", "{}");
  EXPECT_EQ(answer.status, 200) << answer.body;
  const std::string location = answer.Header("location").value_or("");
  const Json body = ParseJson(answer);
  const std::string id = body.value("op", "");
  EXPECT_EQ(id.size(), 26u) << answer.body;
  EXPECT_EQ(location, "/.pillion/operations/" + id);
  EXPECT_EQ(body.value("at", ""), "http://orders" + location);
  EXPECT_EQ(answer.Header("x-kind"), "report");
  EXPECT_EQ(answer.Header("x-operation"), id);
  EXPECT_EQ(sidecar.AwaitFinal(answer).value("status", ""), "succeeded");
}

TEST(IdempotencyKey, GivesTheSameAnswerForTheSameRequest) {
  Reports reports;
  SidecarProcess sidecar(Policy(reports.origin(), ""));
  ASSERT_TRUE(sidecar.Start().ok());
  const auto call = [&](const std::string& path, const std::string& body, Headers headers) {
    return sidecar.Call("POST", "http://orders" + path, body, std::move(headers));
  };
  const Response first = call("/a", "{}", {{"Idempotency-Key", "k-1"}});
  ASSERT_EQ(first.status, 202);
  const Json done = sidecar.AwaitFinal(first);
  ASSERT_EQ(done.value("status", ""), "succeeded");

  const Response bare = call("/a", "{}", {{"Idempotency-Key", "k-1"}});
  const Response quoted = call("/a", "{}", {{"Idempotency-Key", "\"k-1\""}});
  for (const Response& again : {bare, quoted}) {
    EXPECT_EQ(again.status, 202);
    EXPECT_EQ(again.Header("location"), first.Header("location"));
    EXPECT_EQ(again.body, first.body);
  }
  EXPECT_EQ(reports.origin().request_count(), 1u);

  EXPECT_EQ(call("/a", "{\"other\":1}", {{"Idempotency-Key", "k-1"}}).status, 422);
  EXPECT_EQ(call("/b", "{}", {{"Idempotency-Key", "k-1"}}).status, 422);
  // Somebody else's key is another key.
  const Response other =
      call("/a", "{}", {{"Idempotency-Key", "k-1"}, {"Authorization", "Bearer other"}});
  EXPECT_EQ(other.status, 202);
  EXPECT_NE(other.Header("location"), first.Header("location"));
  // Without a key every call is a new one.
  EXPECT_NE(call("/a", "{}", {}).Header("location"), first.Header("location"));
}

TEST(IdempotencyKey, SurvivesARestart) {
  Reports reports;
  SidecarProcess sidecar(Policy(reports.origin(), ""));
  ASSERT_TRUE(sidecar.Start().ok());
  const Headers key = {{"Idempotency-Key", "k-1"}};
  const Response first = sidecar.Call("POST", "http://orders/a", "{}", key);
  ASSERT_EQ(sidecar.AwaitFinal(first).value("status", ""), "succeeded");
  sidecar.Kill();
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_EQ(sidecar.Call("POST", "http://orders/a", "{}", key).Header("location"),
            first.Header("location"));
  EXPECT_EQ(reports.origin().request_count(), 1u);
}

// Two virtual hosts whose routes have the same name, and one for whatever else there is; `above` is
// put before the routes.
std::string TwoHosts(const Origin& origin, const std::string& name, const std::string& above) {
  return absl::Substitute(R"(
clusters:
- { name: orders, endpoints: ["127.0.0.1:$0"] }
virtual_hosts:
- name: users
  domains: [users]
  routes: [$2 { $1match: { prefix: / }, async: { cluster: orders, concurrency: 1 } }]
- name: billing
  domains: [billing]
  routes: [$2 { $1match: { prefix: / }, async: { cluster: orders, concurrency: 1 } }]
- name: others
  domains: ["*"]
  routes: [$2 { $1match: { prefix: / }, async: { cluster: orders } }]
)",
                          origin.port(), name, above);
}

TEST(IdempotencyKey, IsAnotherOneForAnotherService) {
  Reports reports;
  SidecarProcess sidecar(TwoHosts(reports.origin(), "name: report, ", ""));
  ASSERT_TRUE(sidecar.Start().ok());
  std::set<std::string> operations;
  for (const char* target : {"http://users/x", "http://billing/x", "http://a/x", "http://b/x"}) {
    const Response accepted = sidecar.Call("POST", target, "{}", {{"Idempotency-Key", "k"}});
    EXPECT_EQ(accepted.status, 202) << accepted.body;
    operations.insert(accepted.Header("location").value_or(""));
  }
  EXPECT_EQ(operations.size(), 4u);
}

TEST(IdempotencyKey, SurvivesAnEditOfTheRoutes) {
  Reports reports;
  SidecarProcess sidecar(TwoHosts(reports.origin(), "", ""));
  ASSERT_TRUE(sidecar.Start().ok());
  const auto call = [&] {
    return sidecar.Call("POST", "http://users/x", "{}", {{"Idempotency-Key", "k"}});
  };
  const Response first = call();
  const std::string above = "{ match: { path: /new }, direct_response: { status: 200 } },";
  ASSERT_TRUE(sidecar.EditPolicy(TwoHosts(reports.origin(), "", above)).ok());
  EXPECT_EQ(call().Header("location"), first.Header("location"));
  ASSERT_TRUE(sidecar.EditPolicy(TwoHosts(reports.origin(), "name: renamed, ", above)).ok());
  EXPECT_EQ(call().Header("location"), first.Header("location"));
}

TEST(AsyncPolicy, SharesNoLimitWithARouteOfTheSameNameElsewhere) {
  Reports reports;
  SidecarProcess sidecar(TwoHosts(reports.origin(), "name: report, ", ""));
  ASSERT_TRUE(sidecar.Start().ok());
  sidecar.Call("POST", "http://users/slow", "{}");
  ASSERT_TRUE(reports.origin().WaitForRequests(1));
  const Response other = sidecar.Call("POST", "http://billing/x", "{}");
  EXPECT_EQ(sidecar.AwaitFinal(other).value("status", ""), "succeeded");
  const auto listed = [&](const std::string& route) {
    return ParseJson(sidecar.Admin("GET", "/.pillion/deliveries?route=" + route))["deliveries"]
        .size();
  };
  EXPECT_EQ(listed("users/report"), 1u);
  EXPECT_EQ(listed("billing/report"), 1u);
}

TEST(IdempotencyKey, CanBeRequired) {
  Reports reports;
  SidecarProcess sidecar(Policy(reports.origin(), ", idempotency: { required: true }"));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response missing = sidecar.Call("POST", "http://orders/", "{}");
  EXPECT_EQ(missing.status, 400);
  EXPECT_TRUE(absl::StrContains(missing.body, "idempotency-key")) << missing.body;
  EXPECT_EQ(sidecar.Call("POST", "http://orders/", "{}", {{"Idempotency-Key", ""}}).status, 400);
  EXPECT_EQ(sidecar.Call("POST", "http://orders/", "{}", {{"Idempotency-Key", "k"}}).status, 202);
}

}  // namespace
}  // namespace pillion::harness
