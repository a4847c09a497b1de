// Headers that the sidecar adds, keeps and removes (wire.md, "Headers").

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/integration/harness/http_client.h"
#include "tests/integration/harness/origin.h"
#include "tests/integration/proxy/test_sidecar.h"

namespace pillion::proxy_test {
namespace {

using harness::Headers;
using harness::HttpClient;
using harness::Origin;
using harness::Request;
using harness::Response;

class SidecarHeaders : public testing::Test {
 protected:
  // What the upstream gets of a call with these headers.
  Request Upstream(Headers headers, const std::string& listener = "outbound") {
    headers.emplace_back("Host", "orders");
    const size_t before = orders_.request_count();
    const auto response = HttpClient(sidecar_.port(listener)).Get("/", headers);
    EXPECT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->status, 200) << response->body;
    return orders_.requests().at(before);
  }

  Origin orders_{[](const Request&) {
    return Response{.headers = {{"Keep-Alive", "timeout=5"},
                                {"Connection", "x-hop, keep-alive"},
                                {"X-Hop", "1"},
                                {"Pillion-Flag", "UF"},
                                {"Set-Cookie", "a=1"},
                                {"Set-Cookie", "b=2"}}};
  }};
  TestSidecar sidecar_{ForwardTo(orders_.port()),
                       {.listeners = absl::StrCat(
                            "- { name: outbound, address: 127.0.0.1:0 }\n"
                            "- { name: inbound, address: 127.0.0.1:0, direction: INBOUND, app: "
                            "\"127.0.0.1:",
                            orders_.port(), "\" }")}};
};

TEST_F(SidecarHeaders, GiveACallAnIdAndATraceIfItHasNone) {
  const Request request = Upstream({});
  EXPECT_EQ(request.Header("x-request-id").value_or("").size(), 36u);
  EXPECT_EQ(request.Header("traceparent").value_or("").size(), 55u);
  EXPECT_NE(Upstream({}).Header("x-request-id"), request.Header("x-request-id"));
  // What is not a traceparent is replaced.
  EXPECT_EQ(Upstream({{"traceparent", "nonsense"}}).Header("traceparent")->size(), 55u);
}

TEST_F(SidecarHeaders, KeepIdAndTraceOfACall) {
  constexpr char kTrace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const Request request = Upstream({{"X-Request-Id", "mine"}, {"Traceparent", kTrace}});
  EXPECT_EQ(request.Header("x-request-id").value_or(""), "mine");
  EXPECT_EQ(request.Header("traceparent").value_or(""), kTrace);
}

TEST_F(SidecarHeaders, RemoveWhatIsForOneHopOnly) {
  const Request request = Upstream({{"Connection", "x-mine, authorization, host, keep-alive"},
                                    {"X-Mine", "1"},
                                    {"Keep-Alive", "1"},
                                    {"TE", "trailers"},
                                    {"Proxy-Authorization", "p"},
                                    {"Authorization", "kept"}});
  for (const char* gone : {"connection", "x-mine", "keep-alive", "te", "proxy-authorization"}) {
    EXPECT_FALSE(request.Header(gone)) << gone;
  }
  EXPECT_EQ(request.Header("authorization").value_or(""), "kept");
  EXPECT_EQ(request.Header("host").value_or(""), "orders");

  const auto response = HttpClient(sidecar_.port()).Get("http://orders/");
  EXPECT_FALSE(response->Header("x-hop"));
  EXPECT_FALSE(response->Header("keep-alive"));
  int cookies = 0;
  for (const auto& [name, value] : response->headers) {
    if (absl::EqualsIgnoreCase(name, "set-cookie")) ++cookies;
  }
  EXPECT_EQ(cookies, 2);
}

TEST_F(SidecarHeaders, CannotBeForgedByTheCaller) {
  const Request request =
      Upstream({{"Pillion-Flag", "UF"}, {"Pillion-Delivery-Id", "1"}, {"Pillion-Attempt", "7"}});
  for (const auto& [name, value] : request.headers) {
    EXPECT_FALSE(absl::StartsWithIgnoreCase(name, "pillion-")) << name;
  }
}

TEST_F(SidecarHeaders, NameTheHopAndRefuseALoop) {
  EXPECT_EQ(Upstream({{"Via", "1.1 other"}}).Header("via").value_or(""),
            "1.1 other, 1.1 pillion-web-1");
  // A sidecar's two sides are two hops: leaving by one and coming in by the other is no loop.
  EXPECT_EQ(Upstream({{"Via", "1.1 pillion-web-1"}}, "inbound").Header("via").value_or(""),
            "1.1 pillion-web-1, 1.1 pillion-web-1-in");
  const auto loop =
      HttpClient(sidecar_.port()).Get("/", {{"Host", "orders"}, {"Via", "1.1 pillion-web-1"}});
  EXPECT_EQ(loop->status, 508);
  EXPECT_TRUE(absl::StrContains(loop->body, "pillion-web-1")) << loop->body;
}

TEST_F(SidecarHeaders, TellTheAppWhoCallsOnInboundListenersOnly) {
  EXPECT_EQ(Upstream({}, "inbound").Header("x-forwarded-for").value_or(""), "127.0.0.1");
  EXPECT_EQ(Upstream({{"X-Forwarded-For", "10.0.0.1"}}, "inbound").Header("x-forwarded-for"),
            "10.0.0.1, 127.0.0.1");
  EXPECT_FALSE(Upstream({}).Header("x-forwarded-for"));
}

TEST_F(SidecarHeaders, LetTheAppAnswerForTheWholeServer) {
  const auto answer =
      HttpClient(sidecar_.port("inbound"))
          .Send({.method = "OPTIONS", .target = "*", .headers = {{"Host", "orders"}}});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 200) << answer->body;
  EXPECT_EQ(orders_.requests().at(0).method, "OPTIONS");
  EXPECT_EQ(orders_.requests().at(0).target, "*");
}

TEST_F(SidecarHeaders, CannotBeForgedByTheApp) {
  const auto answer = HttpClient(sidecar_.port("inbound")).Get("http://orders/");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->Header("set-cookie").value_or(""), "a=1");
  EXPECT_FALSE(answer->Header("pillion-flag"));
  // What another sidecar says on the way is passed on.
  EXPECT_EQ(HttpClient(sidecar_.port()).Get("http://orders/")->Header("pillion-flag"), "UF");
}

TEST_F(SidecarHeaders, OfADeliveryReachTheAppThroughItsInboundListener) {
  const Request request =
      Upstream({{"Pillion-Delivery-Id", "d1"}, {"Pillion-Attempt", "2"}}, "inbound");
  EXPECT_EQ(request.Header("pillion-delivery-id").value_or(""), "d1");
  EXPECT_EQ(request.Header("pillion-attempt").value_or(""), "2");
}

TEST(Loop, OfASidecarThatRoutesToItselfIsRefused) {
  TestSidecar sidecar(ForwardTo(harness::FreePort()));
  sidecar.SetPolicy(ForwardTo(sidecar.port()));
  const auto response = HttpClient(sidecar.port()).Get("http://orders/");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 508) << response->body;
}

}  // namespace
}  // namespace pillion::proxy_test
