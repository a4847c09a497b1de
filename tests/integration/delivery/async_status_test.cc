// Asynchronous calls as a caller sees them: the 202, the status, the result, the end of waiting.
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "tests/integration/delivery/gate.h"
#include "tests/integration/delivery/sidecar_process.h"
#include "tests/integration/harness/connection.h"
#include "tests/integration/harness/http_client.h"
#include "tests/integration/harness/origin.h"

namespace pillion::harness {
namespace {

constexpr char kUnknownId[] = "01JD3W0000000000000000000A";

// `async` is what the route says beyond its cluster, as `, name: value`.
std::string Policy(const Origin& origin, const std::string& async = "") {
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

Response Hello(const Request&) { return Response{.body = "hello"}; }

std::string Path(const Response& accepted) { return accepted.Header("location").value_or(""); }

TEST(AsyncCall, IsAcceptedWithAnAddressForItsStatus) {
  Origin origin(Hello);
  SidecarProcess sidecar(Policy(origin));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/reports?year=2026", "{}");
  EXPECT_EQ(accepted.status, 202) << accepted.body;
  EXPECT_EQ(accepted.Header("retry-after"), "1");
  EXPECT_EQ(accepted.Header("content-type"), "application/json");
  EXPECT_EQ(accepted.Header("preference-applied"), std::nullopt);
  const Json body = ParseJson(accepted);
  const std::string id = body.value("id", "");
  EXPECT_EQ(id.size(), 26u);
  EXPECT_EQ(body.value("status", ""), "pending");
  EXPECT_EQ(Path(accepted), "/.pillion/operations/" + id);
  EXPECT_EQ(body.value("statusUrl", ""), "http://orders/.pillion/operations/" + id);

  // The same call to an address that is a Host with a port.
  const Response by_host = sidecar.Call("POST", "/reports", "{}", {{"Host", "orders:8080"}});
  EXPECT_EQ(ParseJson(by_host).value("statusUrl", ""), "http://orders:8080" + Path(by_host));
  // Both addresses reach the status.
  EXPECT_EQ(sidecar.Call("GET", body.value("statusUrl", "")).status, 200);
}

TEST(AsyncCall, ReachesTheUpstreamAsItWasMade) {
  Origin origin(Hello);
  SidecarProcess sidecar(Policy(origin));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted =
      sidecar.Call("PUT", "http://orders/reports/7?q=a%20b", "the body",
                   {{"Authorization", "Bearer x"}, {"X-Many", "1"}, {"X-Many", "2"}});
  ASSERT_TRUE(IsFinal(sidecar.AwaitFinal(accepted)));
  ASSERT_EQ(origin.request_count(), 1u);
  const Request seen = origin.requests().at(0);
  EXPECT_EQ(seen.method, "PUT");
  EXPECT_EQ(seen.target, "/reports/7?q=a%20b");
  EXPECT_EQ(seen.body, "the body");
  EXPECT_EQ(seen.Header("host"), "orders");
  EXPECT_EQ(seen.Header("authorization"), "Bearer x");
  EXPECT_EQ(seen.Header("content-length"), "8");
  EXPECT_EQ(seen.Header("pillion-attempt"), "1");
  EXPECT_EQ(seen.Header("pillion-delivery-id"), ParseJson(accepted).value("id", ""));
  EXPECT_NE(seen.Header("x-request-id").value_or(""), "");
}

TEST(AsyncCall, HasAStatusThatSaysEverythingAboutIt) {
  Gate gate;
  Origin origin([&](const Request& request) {
    gate.Wait();
    return Hello(request);
  });
  Gate::AtEnd open(gate);
  SidecarProcess sidecar(Policy(origin));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/reports");
  ASSERT_TRUE(origin.WaitForRequests(1));
  const Response running = sidecar.Call("GET", "http://orders" + Path(accepted));
  EXPECT_EQ(running.status, 200);
  EXPECT_EQ(running.Header("retry-after"), "1");
  const Json before = ParseJson(running);
  EXPECT_EQ(before.value("status", ""), "running") << before;
  EXPECT_EQ(before.value("attempts", 0), 1);
  EXPECT_TRUE(before["createdAt"].is_string() && before["startedAt"].is_string());
  EXPECT_TRUE(before["finishedAt"].is_null() && before["error"].is_null());
  EXPECT_EQ(before.value("statusUrl", ""), "http://orders" + Path(accepted));
  EXPECT_EQ(before.value("resultUrl", ""), "http://orders" + Path(accepted) + "/result");
  EXPECT_TRUE(before.contains("nextAttemptAt"));

  const Response early = sidecar.Call("GET", Path(accepted) + "/result");
  EXPECT_EQ(early.status, 409);
  EXPECT_EQ(early.Header("content-type"), "application/problem+json");

  gate.Open();
  const Json after = sidecar.AwaitFinal(accepted);
  EXPECT_EQ(after.value("status", ""), "succeeded") << after;
  EXPECT_TRUE(after["finishedAt"].is_string());
  EXPECT_TRUE(after["nextAttemptAt"].is_null());
  EXPECT_EQ(sidecar.Call("GET", Path(accepted)).Header("retry-after"), std::nullopt);
}

TEST(AsyncCall, HoldsItsStatusUntilTheEndForWhoeverWaits) {
  Gate gate;
  Origin origin([&](const Request& request) {
    gate.Wait();
    return Hello(request);
  });
  Gate::AtEnd open(gate);
  SidecarProcess sidecar(Policy(origin));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/reports");
  // Too short: the status of now, after that time.
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(sidecar.Call("GET", Path(accepted) + "?wait=soon").status, 400);
  const Json still = ParseJson(sidecar.Call("GET", Path(accepted) + "?wait=200ms"));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(200));
  EXPECT_FALSE(IsFinal(still)) << still;

  auto by_query = std::async(std::launch::async,
                             [&] { return sidecar.Call("GET", Path(accepted) + "?wait=25"); });
  auto by_header = std::async(std::launch::async, [&] {
    return sidecar.Call("GET", Path(accepted), "", {{"Prefer", "wait=25"}});
  });
  EXPECT_EQ(by_query.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  gate.Open();
  EXPECT_EQ(ParseJson(by_query.get()).value("status", ""), "succeeded");
  EXPECT_EQ(ParseJson(by_header.get()).value("status", ""), "succeeded");
}

TEST(AsyncCall, StreamsItsChangesAndEndsWithTheFinalOne) {
  Gate gate;
  Origin origin([&](const Request& request) {
    gate.Wait();
    return Hello(request);
  });
  Gate::AtEnd open(gate);
  SidecarProcess sidecar(Policy(origin));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/reports");
  ASSERT_TRUE(origin.WaitForRequests(1));

  HttpClient client(sidecar.port());
  std::string stream;
  const absl::StatusOr<Response> response =
      client.Send({.target = Path(accepted), .headers = {{"Accept", "text/event-stream"}}}, {},
                  [&](std::string_view piece) {
                    stream += piece;
                    if (absl::StrContains(stream, "\"running\"")) gate.Open();
                    return true;
                  });
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->Header("content-type"), "text/event-stream");
  const size_t running = stream.find("event: status\ndata: {\"id\":");
  const size_t last = stream.rfind("event: status\ndata: ");
  EXPECT_EQ(running, 0u) << stream;
  EXPECT_GT(last, running);
  EXPECT_TRUE(absl::StrContains(stream.substr(last), "\"status\":\"succeeded\"")) << stream;
  EXPECT_TRUE(absl::EndsWith(stream, "\n\n"));
}

TEST(AsyncCall, GivesTheUpstreamsAnswerAsItWas) {
  const std::string bytes("binary\0\r\n\xff", 10);
  Origin origin([&](const Request&) {
    return Response{.status = 201,
                    .headers = {{"Content-Type", "application/x-report"},
                                {"Set-Cookie", "a=1"},
                                {"Set-Cookie", "b=2"},
                                {"Location", "/reports/7"}},
                    .body = bytes};
  });
  SidecarProcess sidecar(Policy(origin));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/reports", "{}");
  const Json status = sidecar.AwaitFinal(accepted);
  const Response result = sidecar.Call("GET", status.value("resultUrl", ""));
  EXPECT_EQ(result.status, 201);
  EXPECT_EQ(result.body, bytes);
  EXPECT_EQ(result.Header("content-type"), "application/x-report");
  EXPECT_EQ(result.Header("location"), "/reports/7");
  EXPECT_EQ(result.Header("content-length"), "10");
  std::vector<std::string> cookies;
  for (const auto& [name, value] : result.headers) {
    if (absl::EqualsIgnoreCase(name, "set-cookie")) cookies.push_back(value);
  }
  EXPECT_EQ(cookies, (std::vector<std::string>{"a=1", "b=2"}));
}

TEST(AsyncCall, TellsApartWhatIsUnknownAndWhatIsOver) {
  Origin origin(Hello);
  SidecarProcess sidecar(Policy(origin, ", result_retention: 2s"));
  ASSERT_TRUE(sidecar.Start().ok());
  for (const std::string& path :
       {absl::StrCat("/.pillion/operations/", kUnknownId),
        absl::StrCat("/.pillion/operations/", kUnknownId, "/result"),
        absl::StrCat("/.pillion/messages/", kUnknownId), std::string("/.pillion/operations/"),
        std::string("/.pillion/operations/no%20id"), std::string("/.pillion/nothing")}) {
    const Response unknown = sidecar.Call("GET", path);
    EXPECT_EQ(unknown.status, 404) << path;
    EXPECT_EQ(unknown.Header("content-type"), "application/problem+json") << path;
  }
  EXPECT_EQ(sidecar.Call("DELETE", absl::StrCat("/.pillion/operations/", kUnknownId)).status, 404);
  EXPECT_EQ(sidecar.Call("POST", absl::StrCat("/.pillion/operations/", kUnknownId)).status, 405);

  const Response accepted = sidecar.Call("POST", "http://orders/reports", "{}");
  ASSERT_TRUE(IsFinal(sidecar.AwaitFinal(accepted)));
  // An operation is no message.
  EXPECT_EQ(sidecar.Call("GET", "/.pillion/messages/" + ParseJson(accepted).value("id", "")).status,
            404);
  Response result;
  EXPECT_TRUE(Eventually([&] {
    result = sidecar.Call("GET", Path(accepted) + "/result");
    return result.status != 200;
  }));
  EXPECT_EQ(result.status, 410) << result.body;
}

TEST(AsyncCall, AbortsTheRunningAttemptWhenItIsCanceled) {
  std::promise<void> closed;
  Origin origin(Origin::RawHandler([&](Connection& connection) {
    if (!ReadRequestHead(connection).ok()) return;
    if (connection.ReadToEnd().ok()) closed.set_value();
  }));
  SidecarProcess sidecar(Policy(origin));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/reports");
  const Json running =
      sidecar.AwaitStatus(accepted, [](const Json& s) { return s["status"] == "running"; });
  ASSERT_FALSE(running.is_null());
  ASSERT_TRUE(Eventually([&] { return origin.connection_count() == 1; }));
  const Response canceled = sidecar.Call("DELETE", Path(accepted));
  EXPECT_EQ(canceled.status, 202);
  EXPECT_EQ(ParseJson(canceled).value("status", ""), "canceled");
  EXPECT_EQ(closed.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(sidecar.Status(accepted).value("status", ""), "canceled");
  EXPECT_EQ(sidecar.Call("DELETE", Path(accepted)).status, 409);
  const Response result = sidecar.Call("GET", Path(accepted) + "/result");
  EXPECT_EQ(result.status, 410);
  EXPECT_EQ(ParseJson(result).value("detail", ""),
            "the operation was canceled; no attempt had come to an end");
}

TEST(AsyncCall, CanBeCanceledWhileItWaitsForItsNextAttempt) {
  Origin origin([](const Request&) { return Response{.status = 503}; });
  SidecarProcess sidecar(Policy(
      origin, ", retry_policy: { retry_back_off: { base_interval: 1h, max_interval: 1h } }"));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/reports");
  const Json pending = sidecar.AwaitStatus(
      accepted, [](const Json& s) { return s["status"] == "pending" && s["attempts"] == 1; });
  ASSERT_FALSE(pending.is_null());
  EXPECT_TRUE(pending["nextAttemptAt"].is_string());
  EXPECT_EQ(pending["lastStatus"], 503);
  EXPECT_EQ(sidecar.Call("DELETE", Path(accepted)).status, 202);
  EXPECT_EQ(sidecar.Status(accepted).value("status", ""), "canceled");
  EXPECT_EQ(sidecar.Call("DELETE", Path(accepted)).status, 409);
  EXPECT_EQ(ParseJson(sidecar.Call("GET", Path(accepted) + "/result")).value("detail", ""),
            "the operation was canceled; what its last attempt met: answered 503");
}

// The answer of the sidecar beside the called service, when that service is away.
TEST(AsyncCall, SaysWhatAProxyOnTheWayAnsweredAndWhy) {
  Origin origin(Hello);
  SidecarProcess called(Policy(origin), "",
                        {.listeners = absl::StrCat("- { name: inbound, address: \"127.0.0.1:0\", "
                                                   "direction: INBOUND, app: \"127.0.0.1:",
                                                   FreePort(), "\" }\n")});
  ASSERT_TRUE(called.Start().ok());
  const auto inbound =
      called.process().WaitForOutput("listener 'inbound' .* on 127.0.0.1:([0-9]+)");
  ASSERT_TRUE(inbound.ok()) << inbound.status();
  SidecarProcess sidecar(
      absl::StrCat("clusters: [{ name: orders, endpoints: [\"127.0.0.1:", *inbound,
                   "\"] }]\nvirtual_hosts:\n- name: orders\n  domains: "
                   "[orders]\n  routes: [{ match: { prefix: / }, async: { "
                   "cluster: orders } }]\n"));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/reports");
  const Json failing =
      sidecar.AwaitStatus(accepted, [](const Json& s) { return s["error"].is_string(); });
  ASSERT_FALSE(failing.is_null());
  EXPECT_TRUE(absl::StartsWith(failing.value("error", ""), "answered 503 (UF): ")) << failing;
  EXPECT_TRUE(absl::StrContains(failing.value("error", ""), "connection refused")) << failing;
}

TEST(AsyncCall, RedirectsToTheResultWhenThePolicySaysSo) {
  Origin origin(Hello);
  SidecarProcess sidecar(Policy(origin, ", redirect_when_done: true"));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/reports");
  const Response done = sidecar.Call("GET", Path(accepted) + "?wait=25s");
  EXPECT_EQ(done.status, 303);
  EXPECT_EQ(done.Header("location"), Path(accepted) + "/result");
  EXPECT_EQ(sidecar.Call("GET", done.Header("location").value_or("")).body, "hello");
}

}  // namespace
}  // namespace pillion::harness
