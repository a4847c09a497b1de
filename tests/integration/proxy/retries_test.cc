// Retries, timeouts, circuit breakers and load balancing, as `route` and `clusters` promise them.

#include <signal.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/integration/harness/deadline.h"
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

std::string Retry(const std::string& retry_on, int num_retries, const std::string& more = "") {
  return absl::StrCat(", retry_policy: { retry_on: \"", retry_on, "\", num_retries: ", num_retries,
                      ", retry_back_off: { base_interval: 1ms, max_interval: 2ms }", more, " }");
}

// Answers with `status` the first `times` times, then with 200.
class Failing {
 public:
  Failing(int status, int times)
      : origin_([this, status, times](const Request& request) {
          const int attempt = ++attempts_;
          const bool fail = attempt <= times;
          return Response{.status = fail ? status : 200,
                          .headers = {{"x-attempt", absl::StrCat(attempt)}},
                          .body = fail ? "failed" : "ok " + request.body};
        }) {}
  int port() const { return origin_.port(); }
  int attempts() const { return attempts_; }
  const Origin& origin() const { return origin_; }

 private:
  std::atomic<int> attempts_{0};
  Origin origin_;
};

// Reads requests and breaks the connection of the first `times`, then answers.
class Breaking {
 public:
  explicit Breaking(int times)
      : origin_([this, times](Connection& connection) {
          auto request = harness::ReadRequestHead(connection);
          while (request.ok() && ReadRequestBody(connection, *request, nullptr).ok()) {
            if (++attempts_ <= times) return;
            if (!WriteResponse(connection, {.body = "ok"}, request->method).ok()) return;
            request = harness::ReadRequestHead(connection);
          }
        }) {}
  int port() const { return origin_.port(); }
  int attempts() const { return attempts_; }

 private:
  std::atomic<int> attempts_{0};
  Origin origin_;
};

// By SIGSTOP: the state in /proc/PID/stat comes after the name.
bool IsStopped(const harness::Process& process) {
  const auto stat = harness::ReadFile(absl::StrCat("/proc/", process.pid(), "/stat"));
  return stat.ok() && absl::StrContains(*stat, ") T ");
}

TEST(Retries, FollowTheStatusThatThePolicyNames) {
  struct Case {
    const char* retry_on;
    int status;
    bool retried;
  };
  const Case cases[] = {
      {"5xx", 500, true},
      {"5xx", 503, true},
      {"5xx", 404, false},
      {"gateway-error", 502, true},
      {"gateway-error", 504, true},
      {"gateway-error", 500, false},
      {"retriable-4xx", 409, true},
      {"retriable-4xx", 404, false},
      {"retriable-status-codes", 429, true},
      {"retriable-status-codes", 500, false},
      {"connect-failure,refused-stream,reset", 503, false},
  };
  TestSidecar sidecar("virtual_hosts: []\n");
  for (const Case& c : cases) {
    SCOPED_TRACE(absl::StrCat(c.retry_on, " on ", c.status));
    Failing orders(c.status, 2);
    sidecar.SetPolicy(
        ForwardTo(orders.port(), Retry(c.retry_on, 2, ", retriable_status_codes: [429]")));
    const auto response = HttpClient(sidecar.port()).Post("http://orders/", "kept body");
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(orders.attempts(), c.retried ? 3 : 1);
    EXPECT_EQ(response->status, c.retried ? 200 : c.status);
    EXPECT_EQ(response->body, c.retried ? "ok kept body" : "failed");
  }
}

TEST(Retries, EndWithTheLastAnswerAsItWas) {
  Failing orders(503, 100);
  TestSidecar sidecar(ForwardTo(orders.port(), Retry("5xx", 2)));
  const auto response = HttpClient(sidecar.port()).Get("/x", {{"Host", "orders"}});
  EXPECT_EQ(response->status, 503);
  EXPECT_EQ(response->body, "failed");
  EXPECT_EQ(response->Header("x-attempt").value_or(""), "3");
  EXPECT_EQ(orders.attempts(), 3);
  EXPECT_EQ(sidecar.AccessLine("/x")["response_flags"], "URX");
}

TEST(Retries, TryAnotherEndpointWhenOneRefuses) {
  Failing orders(500, 0);
  const std::string policy =
      absl::StrCat("clusters:\n- { name: orders, lb_policy: ROUND_ROBIN, endpoints: [\"127.0.0.1:",
                   harness::FreePort(), "\", \"127.0.0.1:", orders.port(),
                   "\"] }\nvirtual_hosts:\n- { name: o, domains: [orders], routes: [ { match: { "
                   "prefix: / }, route: { "
                   "cluster: orders } } ] }\n");
  TestSidecar sidecar(policy);
  HttpClient client(sidecar.port());
  for (int i = 0; i < 10; ++i) {
    const auto response = client.Post("http://orders/", "b");
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->status, 200) << response->body;  // connect-failure is retried by default
  }
}

TEST(Retries, NeverRepeatByDefaultWhatMayHaveBeenProcessed) {
  for (const char* method : {"POST", "GET"}) {
    Breaking orders(100);
    TestSidecar sidecar(ForwardTo(orders.port()));
    const auto response = HttpClient(sidecar.port())
                              .Send({.method = method, .target = "http://orders/", .body = "b"});
    EXPECT_EQ(response->status, 503) << method;
    EXPECT_EQ(response->Header("pillion-flag").value_or(""), "UC");
    EXPECT_EQ(orders.attempts(), 1) << method;
  }
}

TEST(Retries, RepeatAResetIfThePolicySaysSo) {
  Breaking orders(1);
  TestSidecar sidecar(ForwardTo(orders.port(), Retry("reset", 1)));
  const auto response = HttpClient(sidecar.port()).Post("http://orders/", "b");
  EXPECT_EQ(response->status, 200) << response->body;
  EXPECT_EQ(orders.attempts(), 2);
}

// An upstream that closes idle connections: the request on such a one was not processed.
TEST(Retries, HideAPooledConnectionThatTurnsOutToBeClosed) {
  std::atomic<int> requests{0};
  Origin orders([&](Connection& connection) {
    const bool first = requests == 0;
    auto request = harness::ReadRequestHead(connection);
    while (request.ok()) {
      ++requests;
      if (!WriteResponse(connection, {.body = "ok"}, request->method).ok()) return;
      request = harness::ReadRequestHead(connection);
      if (first) return;  // closes instead of answering the second
    }
  });
  TestSidecar sidecar(ForwardTo(orders.port()), {.more = "drain_timeout: 1s"});
  HttpClient client(sidecar.port());
  EXPECT_EQ(client.Get("http://orders/")->status, 200);
  const auto response = client.Get("http://orders/");
  EXPECT_EQ(response->status, 200) << response->body;
  EXPECT_EQ(orders.connection_count(), 2u);
}

TEST(Retries, AreNotMadeWhenTheBodyIsTooLargeToKeep) {
  Failing orders(503, 1);
  TestSidecar sidecar(ForwardTo(orders.port(), ", retry_buffer_bytes: 100KiB" + Retry("5xx", 3)));
  HttpClient client(sidecar.port());
  const auto large = client.Post("http://orders/", std::string(1000 * 1000, 'x'));
  EXPECT_EQ(large->status, 503);
  EXPECT_EQ(orders.attempts(), 1);
  Failing again(503, 1);
  sidecar.SetPolicy(ForwardTo(again.port(), ", retry_buffer_bytes: 100KiB" + Retry("5xx", 3)));
  const std::string small(90 * 1000, 'x');
  const auto kept = client.Post("http://orders/", small);
  EXPECT_EQ(kept->status, 200);
  EXPECT_EQ(kept->body, "ok " + small);
}

// What the caller sends while the upstream answers is read before the upload ends; then the body is
// too large to be sent again from its start.
TEST(Retries, AreNotMadeWhenTheBodyOutgrowsTheBufferWithTheAnswer) {
  std::atomic<bool> begun{false}, stopped{false}, answered{false};
  Origin orders([&](Connection& connection) {
    if (!connection.ReadThrough("\r\n\r\nfirst").ok()) return;
    begun = true;
    if (!harness::Eventually([&] { return stopped.load(); })) return;
    (void)connection.Send("HTTP/1.1 503 No\r\nContent-Length: 6\r\n\r\nfailed");
    answered = true;
    (void)connection.ReadToEnd();
  });
  TestSidecar sidecar(ForwardTo(orders.port(), ", retry_buffer_bytes: 10" + Retry("5xx", 3)));
  Connection caller = *Connection::Connect(sidecar.port());
  ASSERT_TRUE(
      caller.Send("POST / HTTP/1.1\r\nHost: orders\r\nContent-Length: 20\r\n\r\nfirst").ok());
  ASSERT_TRUE(harness::Eventually([&] { return begun.load(); }));
  // Both are there when the sidecar looks again, the answer first.
  sidecar.process().Signal(SIGSTOP);
  ASSERT_TRUE(harness::Eventually([&] { return IsStopped(sidecar.process()); }));
  stopped = true;
  ASSERT_TRUE(harness::Eventually([&] { return answered.load(); }));
  ASSERT_TRUE(caller.Send("0123456789").ok());
  sidecar.process().Signal(SIGCONT);
  const auto response = ReadResponse(caller, "POST");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 503);
  EXPECT_EQ(response->body, "failed");
  EXPECT_EQ(orders.connection_count(), 1u);
}

TEST(Retries, BeyondTheBudgetAreJustNotMade) {
  Failing orders(503, 1);
  TestSidecar sidecar(
      ForwardTo(orders.port(), Retry("5xx", 3), ", circuit_breakers: { max_retries: 0 }"));
  const auto response = HttpClient(sidecar.port()).Get("http://orders/");
  EXPECT_EQ(response->status, 503);
  EXPECT_EQ(response->body, "failed") << "the upstream's own answer is what there is to hear";
  EXPECT_EQ(orders.attempts(), 1);
  // One call at a time needs no more than one place, however often it is repeated.
  Failing often(503, 3);
  sidecar.SetPolicy(
      ForwardTo(often.port(), Retry("5xx", 3), ", circuit_breakers: { max_retries: 1 }"));
  EXPECT_EQ(HttpClient(sidecar.port()).Get("http://orders/")->status, 200);
  EXPECT_EQ(often.attempts(), 4);
}

TEST(Retries, WaitAsLongAsTheUpstreamAsksUpToThePolicysLimit) {
  for (const int status : {503, 429, 500}) {
    std::atomic<int> attempts{0};
    Origin orders([&](const Request&) {
      return Response{.status = ++attempts == 1 ? status : 200, .headers = {{"Retry-After", "99"}}};
    });
    TestSidecar sidecar(
        ForwardTo(orders.port(),
                  ", retry_policy: { retry_on: \"5xx,retriable-status-codes\", "
                  "retriable_status_codes: [429], retry_back_off: { base_interval: 1ms, "
                  "max_interval: 500ms } }"));
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(HttpClient(sidecar.port()).Get("http://orders/")->status, 200);
    const auto waited = std::chrono::steady_clock::now() - begun;
    EXPECT_GE(waited, std::chrono::milliseconds(status == 500 ? 0 : 500)) << status;
    EXPECT_LT(waited, std::chrono::seconds(30));
  }
}

TEST(Retries, HoldTheirPlaceInTheBudgetUntilTheAnswerBegins) {
  std::atomic<int> attempts{0};
  Origin orders([&](Connection& connection) {
    if (!connection.ReadThrough("\r\n\r\n").ok()) return;
    if (++attempts % 2 == 1) {
      (void)connection.Send("HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    } else {
      (void)connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
      (void)connection.ReadToEnd();
    }
  });
  TestSidecar sidecar(
      ForwardTo(orders.port(), Retry("5xx", 1), ", circuit_breakers: { max_retries: 1 }"));
  std::vector<Connection> callers;
  for (int i = 0; i < 3; ++i) {
    callers.push_back(*Connection::Connect(sidecar.port()));
    ASSERT_TRUE(callers.back().Send("GET / HTTP/1.1\r\nHost: orders\r\n\r\n").ok());
    const auto begun = callers.back().ReadThrough("hello");
    ASSERT_TRUE(begun.ok()) << begun.status();
  }
}

TEST(Timeouts, EndTheCall) {
  Origin orders(harness::origin::Hang());
  TestSidecar sidecar(ForwardTo(orders.port(), ", timeout: 200ms" + Retry("5xx,reset", 5)));
  HttpClient client(sidecar.port());
  const auto response = client.Get("/slow", {{"Host", "orders"}});
  EXPECT_EQ(response->status, 504);
  EXPECT_EQ(response->Header("pillion-flag").value_or(""), "UT");
  EXPECT_TRUE(absl::StrContains(response->body, "200ms")) << response->body;
  EXPECT_EQ(orders.connection_count(), 1u) << "the whole call's time is up: no retry";
  EXPECT_EQ(sidecar.AccessLine("/slow")["response_flags"], "UT");
  EXPECT_EQ(client.Get("http://nobody/")->status, 404);
  EXPECT_EQ(client.connections_made(), 1);
}

TEST(Timeouts, OfOneAttemptLeaveTimeForAnother) {
  std::atomic<int> attempts{0};
  Origin orders([&](Connection& connection) {
    if (!connection.ReadThrough("\r\n\r\n").ok()) return;
    if (++attempts == 1) {
      (void)connection.ReadToEnd();
    } else {
      (void)connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
  });
  TestSidecar sidecar(ForwardTo(orders.port(), Retry("reset", 1, ", per_try_timeout: 200ms")));
  EXPECT_EQ(HttpClient(sidecar.port()).Get("http://orders/")->body, "ok");
  attempts = 0;
  sidecar.SetPolicy(
      ForwardTo(orders.port(), Retry("gateway-error", 0, ", per_try_timeout: 100ms")));
  const auto response = HttpClient(sidecar.port()).Get("http://orders/");
  EXPECT_EQ(response->status, 504);
  EXPECT_EQ(response->Header("pillion-flag").value_or(""), "UT");
}

TEST(Timeouts, OfACallerThatStopsInTheMiddleOfItsRequestAreItsOwn) {
  Origin orders(harness::origin::Hang());
  TestSidecar sidecar("virtual_hosts: []\n");
  const std::string limits[] = {", timeout: 200ms", ", timeout: 0s, idle_timeout: 200ms",
                                Retry("5xx,reset", 3, ", per_try_timeout: 200ms")};
  for (const std::string& limit : limits) {
    SCOPED_TRACE(limit);
    sidecar.SetPolicy(ForwardTo(orders.port(), limit));
    const size_t before = orders.connection_count();
    Connection caller = *Connection::Connect(sidecar.port());
    ASSERT_TRUE(
        caller.Send("POST / HTTP/1.1\r\nHost: orders\r\nContent-Length: 9\r\n\r\nhello").ok());
    const auto response = ReadResponse(caller, "POST");
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->status, 408) << response->body;
    EXPECT_EQ(response->Header("pillion-flag").value_or(""), "DPE");
    EXPECT_EQ(response->Header("connection").value_or(""), "close");
    EXPECT_EQ(orders.connection_count(), before + 1) << "repeated";
  }
}

TEST(Timeouts, OfABodyThatStopsComing) {
  Origin orders([](Connection& connection) {
    if (!connection.ReadThrough("\r\n\r\n").ok()) return;
    (void)connection.Send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
    (void)connection.ReadToEnd();
  });
  TestSidecar sidecar(ForwardTo(orders.port(), ", timeout: 0s, idle_timeout: 200ms"));
  EXPECT_FALSE(HttpClient(sidecar.port()).Get("/idle", {{"Host", "orders"}}).ok());
  EXPECT_EQ(sidecar.AccessLine("/idle")["response_flags"], "UT");
}

TEST(Timeouts, OfAnUpstreamThatSaysNothingAtAll) {
  Origin orders(harness::origin::Hang());
  TestSidecar sidecar(ForwardTo(orders.port(), ", timeout: 0s, idle_timeout: 200ms"));
  const auto response = HttpClient(sidecar.port()).Get("http://orders/");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 504);
  EXPECT_EQ(response->Header("pillion-flag").value_or(""), "UT");
  EXPECT_TRUE(absl::StrContains(response->body, "idle_timeout")) << response->body;
}

// Holds calls until it is told to let them go.
class Gate {
 public:
  Response Wait() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
    return Response{.body = "ok"};
  }
  bool WaitFor(int waiting) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, harness::kPatience, [&] { return waiting_ >= waiting; });
  }
  void Open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
};

TEST(CircuitBreakers, RefuseWhatIsTooMuch) {
  struct Case {
    const char* limits;
    const char* name;
  };
  const Case cases[] = {{"max_requests: 2", "max_requests"},
                        {"max_connections: 2, max_pending_requests: 0", "max_"}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.limits);
    Gate gate;
    Origin orders([&](const Request&) { return gate.Wait(); });
    TestSidecar sidecar(ForwardTo(orders.port(), ", timeout: 0s",
                                  absl::StrCat(", circuit_breakers: { ", c.limits, " }")));
    std::vector<std::thread> callers;
    std::atomic<int> ok{0};
    for (int i = 0; i < 2; ++i) {
      callers.emplace_back([&] {
        const auto response = HttpClient(sidecar.port()).Get("http://orders/");
        if (response.ok() && response->body == "ok") ++ok;
      });
    }
    EXPECT_TRUE(gate.WaitFor(2));
    const auto response = HttpClient(sidecar.port()).Get("/more", {{"Host", "orders"}});
    EXPECT_EQ(response->status, 503);
    EXPECT_EQ(response->Header("pillion-flag").value_or(""), "UO");
    EXPECT_TRUE(absl::StrContains(response->body, c.name)) << response->body;
    EXPECT_EQ(sidecar.AccessLine("/more")["response_flags"], "UO");
    gate.Open();
    for (std::thread& caller : callers) caller.join();
    EXPECT_EQ(ok, 2);
    // Idle connections belong to a worker. Where no call may wait, one that arrives at the other
    // worker is refused until they close; the kernel gives each new connection to either.
    EXPECT_TRUE(harness::Eventually(
        [&] { return HttpClient(sidecar.port()).Get("http://orders/")->body == "ok"; }));
  }
}

TEST(Connecting, IsRefusedInWords) {
  const int port = harness::FreePort();
  TestSidecar sidecar(ForwardTo(port));
  const auto response = HttpClient(sidecar.port()).Get("http://orders/");
  EXPECT_EQ(response->status, 503);
  EXPECT_EQ(response->Header("pillion-flag").value_or(""), "UF");
  EXPECT_TRUE(absl::StrContains(response->body, absl::StrCat("127.0.0.1:", port)))
      << response->body;
}

class LoadBalancing : public testing::TestWithParam<const char*> {};

TEST_P(LoadBalancing, SharesTheCallsByWeight) {
  std::atomic<int> light{0}, heavy{0};
  Origin one([&](const Request&) {
    ++light;
    return Response{};
  });
  Origin two([&](const Request&) {
    ++heavy;
    return Response{};
  });
  TestSidecar sidecar(absl::StrCat("clusters:\n- { name: orders, lb_policy: ", GetParam(),
                                   ", endpoints: [\"127.0.0.1:", one.port(),
                                   "\", { address: \"127.0.0.1:", two.port(),
                                   "\", weight: 3 }] }\nvirtual_hosts:\n- { name: o, domains: "
                                   "[orders], routes: [ { match: { prefix: / "
                                   "}, route: { cluster: orders } } ] }\n"));
  HttpClient client(sidecar.port());
  for (int i = 0; i < 400; ++i) ASSERT_EQ(client.Get("http://orders/")->status, 200);
  EXPECT_EQ(light + heavy, 400);
  if (GetParam() == std::string("ROUND_ROBIN")) {
    EXPECT_EQ(light, 100);
  } else {  // 100 are to be expected, give or take 9
    EXPECT_GT(light, 30);
    EXPECT_LT(light, 190);
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, LoadBalancing,
                         testing::Values("ROUND_ROBIN", "RANDOM", "LEAST_REQUEST"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace pillion::proxy_test
