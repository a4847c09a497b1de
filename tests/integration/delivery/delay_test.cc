// Calls and messages that are to be made later.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/substitute.h"
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
  - { match: { path: /free }, async: { cluster: orders, max_delay: 1h, expires_after: 30m } }
  - { match: { path: /later }, async: { cluster: orders, delay: 1h, max_delay: 2h } }
  - { match: { path: /strict }, async: { cluster: orders } }
  - { match: { path: /asked }, async: { cluster: orders, when: ON_PREFER, max_delay: 1h } }
  - { match: { path: /news }, publish: { topic: news, max_delay: 1h } }
subscriptions:
- { name: reader, topic: news, cluster: orders, path: /reader }
)",
                          origin.port());
}

class Delay : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(sidecar_.Start().ok()); }
  Response Post(const std::string& path, Headers headers) {
    return sidecar_.Call("POST", "http://orders" + path, "{}", std::move(headers));
  }

  Origin origin_{[](const Request&) { return Response{.status = 200}; }};
  SidecarProcess sidecar_{Policy(origin_)};
};

TEST_F(Delay, IsAsLongAsTheCallerAsksAndTheHeaderGoesNoFurther) {
  const auto asked = std::chrono::steady_clock::now();
  const Response accepted = Post("/free", {{"Pillion-Delay", "500ms"}});
  ASSERT_EQ(accepted.status, 202) << accepted.body;
  EXPECT_EQ(sidecar_.Status(accepted).value("status", ""), "pending");
  EXPECT_EQ(sidecar_.AwaitFinal(accepted).value("status", ""), "succeeded");
  EXPECT_GE(std::chrono::steady_clock::now() - asked, std::chrono::milliseconds(499));
  ASSERT_EQ(origin_.request_count(), 1u);
  EXPECT_EQ(origin_.requests()[0].Header("pillion-delay"), std::nullopt);
  EXPECT_EQ(origin_.requests()[0].Header("pillion-attempt"), "1");
}

TEST_F(Delay, OfThePolicyIsWhatACallerThatDoesNotSayGets) {
  const Response later = Post("/later", {});
  ASSERT_EQ(later.status, 202);
  const Json status = sidecar_.Status(later);
  EXPECT_EQ(status.value("status", ""), "pending");
  EXPECT_GT(status.value("nextAttemptAt", ""), status.value("createdAt", "z")) << status;
  EXPECT_EQ(sidecar_.AwaitFinal(Post("/later", {{"pillion-delay", "0s"}})).value("status", ""),
            "succeeded");
  EXPECT_EQ(sidecar_.Status(later).value("attempts", 9), 0);
}

// Whether the answer says to come again in `seconds`, or a little earlier, as time passes.
bool ComesAgainIn(const Response& answer, int seconds) {
  int told = 0;
  return absl::SimpleAtoi(answer.Header("retry-after").value_or(""), &told) && told <= seconds &&
         told > seconds - 60;
}

TEST_F(Delay, IsWhatRetryAfterTellsButNoMoreThanAnHour) {
  for (const char* path : {"/free", "/news"}) {
    const Response accepted = Post(path, {{"pillion-delay", "10m"}});
    ASSERT_EQ(accepted.status, 202);
    EXPECT_TRUE(ComesAgainIn(accepted, 600)) << accepted.Header("retry-after").value_or("none");
    const Response status =
        sidecar_.Call("GET", accepted.Header("location").value_or("/no-location"));
    EXPECT_TRUE(ComesAgainIn(status, 600)) << status.Header("retry-after").value_or("none");
  }
  const Response none = sidecar_.Call(
      "GET",
      ParseJson(Post("/free", {{"pillion-delay", "10m"}})).value("statusUrl", "") + "/result");
  EXPECT_EQ(none.status, 409);
  EXPECT_TRUE(ComesAgainIn(none, 600)) << none.Header("retry-after").value_or("none");
  EXPECT_EQ(Post("/later", {{"pillion-delay", "2h"}}).Header("retry-after"), "3600");
  EXPECT_EQ(Post("/strict", {}).Header("retry-after"), "1");
}

TEST_F(Delay, SurvivesAKill) {
  const Response accepted = Post("/free", {{"pillion-delay", "1s"}});
  ASSERT_EQ(accepted.status, 202);
  sidecar_.Kill();
  ASSERT_TRUE(sidecar_.Start().ok());
  EXPECT_EQ(sidecar_.AwaitFinal(accepted).value("status", ""), "succeeded");
  EXPECT_EQ(origin_.request_count(), 1u);
}

TEST_F(Delay, OfAMessageHoldsForItsSubscribers) {
  const Response accepted = Post("/news", {{"pillion-delay", "1h"}});
  ASSERT_EQ(accepted.status, 202);
  EXPECT_EQ(sidecar_.AwaitFinal(Post("/news", {})).value("status", ""), "succeeded");
  const Json status = sidecar_.Status(accepted);
  EXPECT_EQ(status.value("status", ""), "pending") << status;
  EXPECT_EQ(status["deliveries"][0].value("attempts", 9), 0) << status;
}

TEST_F(Delay, ThatTheRouteDoesNotAllowIsRefusedWithTheReason) {
  const struct {
    const char* path;
    const char* delay;
    const char* reason;
  } cases[] = {{"/strict", "1s", "does not let its callers choose"},
               {"/free", "10", "is no duration"},
               {"/free", "2h", "longer than the route's max_delay of 1h"},
               {"/free", "45m", "would have expired"},
               {"/asked", "1s", "Prefer: respond-async"},
               {"/news", "1d", "is no duration"}};
  for (const auto& c : cases) {
    const Response refused = Post(c.path, {{"pillion-delay", c.delay}});
    EXPECT_EQ(refused.status, 400) << c.path;
    EXPECT_EQ(refused.Header("content-type"), "application/problem+json");
    EXPECT_TRUE(absl::StrContains(refused.body, c.reason)) << refused.body;
  }
  EXPECT_EQ(origin_.request_count(), 0u);
}

}  // namespace
}  // namespace pillion::harness
