// What an asynchronous call goes through before it has ended: attempts, waits, refusals, its time
// running out.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/substitute.h"
#include "tests/integration/delivery/gate.h"
#include "tests/integration/delivery/sidecar_process.h"
#include "tests/integration/harness/origin.h"

namespace pillion::harness {
namespace {

using Clock = std::chrono::steady_clock;

constexpr char kQuickly[] =
    ", retry_policy: { num_retries: 3, retry_back_off: { base_interval: 5ms, max_interval: 20ms } "
    "}";

std::string PolicyFor(const std::string& endpoint, const std::string& async) {
  return absl::Substitute(R"(
clusters:
- { name: orders, endpoints: ["$0"] }
virtual_hosts:
- name: orders
  domains: [orders]
  routes:
  - { name: report, match: { prefix: / }, async: { cluster: orders$1 } }
)",
                          endpoint, async);
}

std::string Policy(const Origin& origin, const std::string& async) {
  return PolicyFor(absl::Substitute("127.0.0.1:$0", origin.port()), async);
}

std::string Result(const Response& accepted) {
  return accepted.Header("location").value_or("") + "/result";
}

// Answers the first `failures` requests with `failure`, the others with 200; knows when each came.
class Failing {
 public:
  Failing(size_t failures, Response failure) : failures_(failures), failure_(std::move(failure)) {}

  const Origin& origin() const { return origin_; }
  // Between the requests of these numbers. REQUIRES: both have been answered.
  Clock::duration Between(size_t first, size_t second) const {
    std::lock_guard lock(mutex_);
    return came_.at(second) - came_.at(first);
  }

 private:
  Response Answer() {
    std::lock_guard lock(mutex_);
    came_.push_back(Clock::now());
    return came_.size() <= failures_ ? failure_ : Response{.body = "done"};
  }

  const size_t failures_;
  const Response failure_;
  mutable std::mutex mutex_;
  std::vector<Clock::time_point> came_;
  Origin origin_{[this](const Request&) { return Answer(); }};
};

TEST(AsyncRetry, TriesAgainWithTheSameIdAndCounts) {
  Failing upstream(3, Response{.status = 503});
  SidecarProcess sidecar(Policy(upstream.origin(), kQuickly));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/", "the body");
  const Json status = sidecar.AwaitFinal(accepted);
  EXPECT_EQ(status.value("status", ""), "succeeded") << status;
  EXPECT_EQ(status.value("attempts", 0), 4);
  const std::vector<Request> requests = upstream.origin().requests();
  ASSERT_EQ(requests.size(), 4u);
  for (size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(requests[i].Header("pillion-attempt"), std::to_string(i + 1));
    EXPECT_EQ(requests[i].Header("pillion-delivery-id"), ParseJson(accepted).value("id", ""));
    EXPECT_EQ(requests[i].body, "the body");
  }
}

TEST(AsyncRetry, EndsWithTheLastAnswerWhenNoneIsLeft) {
  Failing upstream(100, Response{.status = 502, .body = "bad day"});
  SidecarProcess sidecar(Policy(upstream.origin(), kQuickly));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/");
  const Json status = sidecar.AwaitFinal(accepted);
  EXPECT_EQ(status.value("status", ""), "failed") << status;
  EXPECT_EQ(status.value("attempts", 0), 4);
  EXPECT_EQ(status.value("lastStatus", 0), 502);
  const Response result = sidecar.Call("GET", Result(accepted));
  EXPECT_EQ(result.status, 502);
  EXPECT_EQ(result.body, "bad day");
  EXPECT_EQ(result.Header("pillion-flag"), std::nullopt);
}

TEST(AsyncRetry, LeavesTheApplicationsOwnErrorsAlone) {
  Failing upstream(100, Response{.status = 500, .body = "a bug"});
  SidecarProcess sidecar(Policy(upstream.origin(), kQuickly));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/");
  const Json status = sidecar.AwaitFinal(accepted);
  EXPECT_EQ(status.value("status", ""), "failed") << status;
  EXPECT_EQ(status.value("attempts", 0), 1);
  const Response result = sidecar.Call("GET", Result(accepted));
  EXPECT_EQ(result.status, 500);
  EXPECT_EQ(result.body, "a bug");
}

TEST(AsyncRetry, WaitsAsLongAsTheUpstreamAsks) {
  Failing upstream(1, Response{.status = 429, .headers = {{"Retry-After", "1"}}});
  SidecarProcess sidecar(Policy(upstream.origin(),
                                ", retry_policy: { retry_back_off: { base_interval: 1ms, "
                                "max_interval: 1m } }"));
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_EQ(sidecar.AwaitFinal(sidecar.Call("POST", "http://orders/")).value("status", ""),
            "succeeded");
  EXPECT_GE(upstream.Between(0, 1), std::chrono::milliseconds(990));
}

TEST(AsyncRetry, WaitsNoLongerThanThePolicyAllows) {
  Failing upstream(1, Response{.status = 503, .headers = {{"Retry-After", "3600"}}});
  SidecarProcess sidecar(Policy(upstream.origin(), kQuickly));
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_EQ(sidecar.AwaitFinal(sidecar.Call("POST", "http://orders/")).value("status", ""),
            "succeeded");
}

TEST(AsyncRetry, KeepsAnUpstreamsWishForAWaitToTheAnswersThatAskForOne) {
  Failing upstream(1, Response{.status = 502, .headers = {{"Retry-After", "3600"}}});
  SidecarProcess sidecar(Policy(upstream.origin(),
                                ", retry_policy: { retry_back_off: { base_interval: 1ms, "
                                "max_interval: 1h } }"));
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_EQ(sidecar.AwaitFinal(sidecar.Call("POST", "http://orders/")).value("status", ""),
            "succeeded");
}

// Answers the first request of each connection, and closes instead of answering the second.
void AnswerOnce(Connection& connection) {
  if (!ReadRequestHead(connection).ok()) return;
  WriteResponse(connection, {.body = "done"}, "POST").IgnoreError();
  ReadRequestHead(connection).IgnoreError();
}

TEST(AsyncRetry, AfterAPooledConnectionWasFoundClosedIsForThePolicyToSay) {
  const std::string retry =
      ", retry_policy: { retry_on: refused-stream, retry_back_off: { base_interval: 1ms, "
      "max_interval: 1ms }, num_retries: ";
  struct Case {
    const char* method;
    const char* retries;
    const char* ends_as;
  };
  for (const Case& c :
       {Case{"POST", "3", "failed"}, Case{"GET", "3", "succeeded"}, Case{"GET", "0", "failed"}}) {
    Origin origin{Origin::RawHandler(AnswerOnce)};
    SidecarProcess sidecar(Policy(origin, retry + c.retries + " }"));
    ASSERT_TRUE(sidecar.Start().ok());
    // One for each of the two workers, so that the third finds a connection.
    for (int i = 0; i < 2; ++i) {
      ASSERT_EQ(sidecar.AwaitFinal(sidecar.Call(c.method, "http://orders/")).value("status", ""),
                "succeeded");
    }
    const Json status = sidecar.AwaitFinal(sidecar.Call(c.method, "http://orders/"));
    EXPECT_EQ(status.value("status", ""), c.ends_as) << c.method << " " << status;
    if (status.value("status", "") == "failed") {
      EXPECT_EQ(status.value("attempts", 0), 1);
      EXPECT_EQ(origin.connection_count(), 2u);
    }
  }
}

TEST(AsyncLimits, OfTheClusterPostponeWithoutUsingUpRetries) {
  for (const char* breakers : {"max_requests: 1", "max_connections: 1, max_pending_requests: 0"}) {
    Gate gate;
    Origin origin([&](const Request&) {
      gate.Wait();
      return Response{.body = "done"};
    });
    Gate::AtEnd open(gate);
    SidecarProcess sidecar(absl::Substitute(R"(
clusters:
- { name: orders, endpoints: ["127.0.0.1:$0"], circuit_breakers: { $1 } }
virtual_hosts:
- name: orders
  domains: [orders]
  routes: [{ match: { prefix: / }, async: { cluster: orders, retry_policy: { num_retries: 0 } } }]
)",
                                            origin.port(), breakers));
    ASSERT_TRUE(sidecar.Start().ok());
    const size_t before = origin.request_count();
    const Response first = sidecar.Call("POST", "http://orders/");
    ASSERT_TRUE(origin.WaitForRequests(before + 1));
    const Response second = sidecar.Call("POST", "http://orders/");
    const Json waiting = sidecar.AwaitStatus(second, [](const Json& s) {
      return s["status"] == "pending" && absl::StrContains(s["error"].dump(), "circuit_breakers");
    });
    ASSERT_FALSE(waiting.is_null()) << sidecar.Status(second);
    EXPECT_EQ(waiting.value("attempts", 9), 0);
    EXPECT_EQ(origin.request_count(), before + 1);
    gate.Open();
    EXPECT_EQ(sidecar.AwaitFinal(first).value("status", ""), "succeeded");
    EXPECT_EQ(sidecar.AwaitFinal(second).value("status", ""), "succeeded");
  }
}

TEST(AsyncRetry, GoesOnWhenTheUpstreamComesUp) {
  const TempDir directory = TempDir::ForSockets();
  const std::string socket = directory / "orders.sock";
  SidecarProcess sidecar(PolicyFor("unix:" + socket,
                                   ", retry_policy: { num_retries: 1000, retry_back_off: { "
                                   "base_interval: 10ms, max_interval: 100ms } }"));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/", "{}");
  ASSERT_EQ(accepted.status, 202);
  const Json waiting =
      sidecar.AwaitStatus(accepted, [](const Json& s) { return s.value("attempts", 0) >= 3; });
  ASSERT_FALSE(waiting.is_null());
  EXPECT_TRUE(waiting["error"].is_string()) << waiting;
  EXPECT_TRUE(waiting["lastStatus"].is_null()) << waiting;
  Origin origin(socket, [](const Request&) { return Response{.body = "up"}; });
  EXPECT_EQ(sidecar.AwaitFinal(accepted).value("status", ""), "succeeded");
  EXPECT_EQ(sidecar.Call("GET", Result(accepted)).body, "up");
}

TEST(AsyncRetry, TriesAgainWhenAnAnswerBreaksOff) {
  std::atomic<int> count = 0;
  Origin origin(Origin::RawHandler([&](Connection& connection) {
    if (++count == 1) {
      origin::CloseMidAnswer(1000, 10)(connection);
    } else if (ReadRequestHead(connection).ok()) {
      WriteResponse(connection, {.body = "whole"}, "GET").IgnoreError();
    }
  }));
  SidecarProcess sidecar(Policy(origin, kQuickly));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("GET", "http://orders/");
  EXPECT_EQ(sidecar.AwaitFinal(accepted).value("status", ""), "succeeded");
  EXPECT_EQ(sidecar.Call("GET", Result(accepted)).body, "whole");
}

TEST(AsyncRetry, GivesUpOnAnAttemptThatTakesTooLong) {
  Origin origin(origin::Hang());
  SidecarProcess sidecar(Policy(origin, std::string(", timeout: 50ms") + kQuickly));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/");
  const Json status = sidecar.AwaitFinal(accepted);
  EXPECT_EQ(status.value("status", ""), "failed") << status;
  EXPECT_EQ(status.value("attempts", 0), 4);
  EXPECT_TRUE(absl::StrContains(status["error"].dump(), "timeout")) << status;
  const Response result = sidecar.Call("GET", Result(accepted));
  EXPECT_EQ(result.status, 502);
  EXPECT_EQ(result.Header("pillion-flag"), "URX");
  EXPECT_TRUE(absl::StrContains(result.body, "timeout")) << result.body;
}

TEST(AsyncExpiry, EndsWhatCouldNotBeDoneInTime) {
  Failing upstream(100, Response{.status = 503});
  SidecarProcess sidecar(Policy(upstream.origin(),
                                ", expires_after: 1s, retry_policy: { retry_back_off: { "
                                "base_interval: 1h, max_interval: 1h } }"));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/");
  const Json status = sidecar.AwaitFinal(accepted);
  EXPECT_EQ(status.value("status", ""), "expired") << status;
  EXPECT_EQ(status.value("attempts", 0), 1);
  const Response result = sidecar.Call("GET", Result(accepted));
  EXPECT_EQ(result.status, 504);
  EXPECT_EQ(result.Header("pillion-flag"), "UT");
}

TEST(AsyncLimits, RefuseALargeBodyAtOnce) {
  Failing upstream(0, Response{});
  SidecarProcess sidecar(Policy(upstream.origin(), ", max_request_bytes: 1KiB"));
  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_EQ(sidecar.Call("POST", "http://orders/", std::string(1024, 'x')).status, 202);
  const Response refused = sidecar.Call("POST", "http://orders/", std::string(1025, 'x'));
  EXPECT_EQ(refused.status, 413);
  EXPECT_TRUE(absl::StrContains(refused.body, "max_request_bytes")) << refused.body;
  const Response chunked = sidecar.Call("POST", "http://orders/", std::string(1025, 'x'),
                                        {{"Transfer-Encoding", "chunked"}});
  EXPECT_EQ(chunked.status, 413);
}

TEST(AsyncLimits, FailAnOperationWhoseAnswerIsTooLargeToKeep) {
  Origin origin([](const Request&) { return Response{.body = std::string(2000, 'x')}; });
  SidecarProcess sidecar(Policy(origin, ", max_result_bytes: 1KiB"));
  ASSERT_TRUE(sidecar.Start().ok());
  const Json status = sidecar.AwaitFinal(sidecar.Call("GET", "http://orders/"));
  EXPECT_EQ(status.value("status", ""), "failed") << status;
  EXPECT_TRUE(absl::StrContains(status["error"].dump(), "max_result_bytes")) << status;
}

}  // namespace
}  // namespace pillion::harness
