// Which calls go where, and what the policy changes about them on the way.

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
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

// Answers with what it was asked, line by line.
Response Echo(const Request& request) {
  std::string seen = absl::StrCat(request.method, " ", request.target, "\n");
  for (const auto& [name, value] : request.headers) absl::StrAppend(&seen, name, ": ", value, "\n");
  return Response{.headers = {{"x-from-upstream", "yes"}, {"x-secret", "inside"}},
                  .body = seen + "\n" + request.body};
}

// `routes` are the entries of the virtual host `orders`; clusters: `orders` echoes, `a` and `b` say
// their names.
class Routing : public testing::Test {
 protected:
  void Start(std::string_view routes) {
    const std::string policy = absl::StrReplaceAll(
        R"(
clusters:
- { name: orders, endpoints: ["127.0.0.1:ORDERS"] }
- { name: a, endpoints: ["127.0.0.1:PORT_A"] }
- { name: b, endpoints: ["127.0.0.1:PORT_B"] }
virtual_hosts:
- name: orders
  domains: [orders, "*.orders.local", "orders.*", "orders:8080"]
  routes:
ROUTES
- name: other
  domains: [other]
  routes:
  - { match: { prefix: / }, direct_response: { status: 200, body: other } }
)",
        {{"ORDERS", absl::StrCat(echo_.port())},
         {"PORT_A", absl::StrCat(a_.port())},
         {"PORT_B", absl::StrCat(b_.port())},
         {"ROUTES", absl::string_view(routes.data(), routes.size())}});
    sidecar_ = std::make_unique<TestSidecar>(policy);
    client_ = std::make_unique<HttpClient>(sidecar_->port());
  }

  Response Call(const std::string& method, const std::string& target, Headers headers = {}) {
    if (!harness::FindHeader(headers, "host")) headers.emplace_back("Host", "orders");
    auto response = client_->Send({.method = method, .target = target, .headers = headers});
    EXPECT_TRUE(response.ok()) << target << ": " << response.status();
    return response.ok() ? *response : Response{.status = 0};
  }
  std::string Body(const std::string& target, Headers headers = {}) {
    return Call("GET", target, std::move(headers)).body;
  }

  Origin echo_{Origin::Handler(Echo)};
  Origin a_{[](const Request&) { return Response{.body = "a"}; }};
  Origin b_{[](const Request&) { return Response{.body = "b"}; }};
  std::unique_ptr<TestSidecar> sidecar_;
  std::unique_ptr<HttpClient> client_;
};

TEST_F(Routing, MatchesPathsMethodsHeadersAndQueriesInOrder) {
  Start(R"(
  - { match: { path: /exact }, direct_response: { status: 200, body: path } }
  - { match: { path_separated_prefix: /sep }, direct_response: { status: 200, body: separated } }
  - { match: { safe_regex: "/r/[0-9]+" }, direct_response: { status: 200, body: regex } }
  - { match: { path: /Any, case_sensitive: false }, direct_response: { status: 200, body: any } }
  - { match: { prefix: /m, methods: [PUT, DELETE] }, direct_response: { status: 200, body: method } }
  - match: { prefix: /h, headers: [ { name: x-exact, exact: one }, { name: x-there, present: true } ] }
    direct_response: { status: 200, body: headers }
  - match: { prefix: /h, headers: [ { name: x-prefix, prefix: ab, invert: true }, { name: x-prefix, present: true } ] }
    direct_response: { status: 200, body: inverted }
  - match: { prefix: /h, headers: [ { name: x-re, safe_regex: "a+" } ] }
    direct_response: { status: 200, body: header-regex }
  - match: { prefix: /q, query_parameters: [ { name: id, safe_regex: "[0-9]+" } ] }
    direct_response: { status: 200, body: query }
  - match: { prefix: /q, query_parameters: [ { name: flag, present: true } ] }
    direct_response: { status: 200, body: flag }
  - { match: { prefix: /pre }, direct_response: { status: 200, body: prefix } }
)");
  EXPECT_EQ(Body("/exact"), "path");
  EXPECT_EQ(Body("/exact?with=query"), "path");
  EXPECT_EQ(Call("GET", "/exact/more").status, 404);
  EXPECT_EQ(Body("/sep"), "separated");
  EXPECT_EQ(Body("/sep/more"), "separated");
  EXPECT_EQ(Call("GET", "/separate").status, 404);
  EXPECT_EQ(Body("/r/42"), "regex");
  EXPECT_EQ(Call("GET", "/r/42x").status, 404);
  EXPECT_EQ(Body("/aNY"), "any");
  EXPECT_EQ(Call("DELETE", "/m").body, "method");
  EXPECT_EQ(Call("GET", "/m").status, 404);
  EXPECT_EQ(Body("/h", {{"X-Exact", "one"}, {"x-there", ""}}), "headers");
  EXPECT_EQ(Body("/h", {{"x-prefix", "zz"}}), "inverted");
  EXPECT_EQ(Call("GET", "/h", {{"x-prefix", "abc"}}).status, 404);
  EXPECT_EQ(Body("/h", {{"x-re", "aaa"}}), "header-regex");
  EXPECT_EQ(Body("/q?id=12"), "query");
  EXPECT_EQ(Body("/q?id=x&flag"), "flag");
  EXPECT_EQ(Call("GET", "/q?id=x").status, 404);
  EXPECT_EQ(Body("/prefix"), "prefix");
  // What is matched is the canonical path.
  EXPECT_EQ(Body("/x/../%65xact"), "path");
  EXPECT_EQ(Call("GET", "/a%2fb").status, 400);
}

TEST_F(Routing, ChoosesTheVirtualHostByAuthorityInWhateverFormItComes) {
  Start("  - { match: { prefix: / }, direct_response: { status: 200, body: orders } }");
  for (const char* host : {"orders", "ORDERS", "orders:80", "orders:8080", "eu.orders.local",
                           "orders.eu", "orders.eu:81"}) {
    EXPECT_EQ(Body("/", {{"Host", host}}), "orders") << host;
  }
  EXPECT_EQ(Body("/", {{"Host", "other"}}), "other");
  // As a proxy is called; the Host header is then not what counts (RFC 9112 section 3.2.2).
  EXPECT_EQ(Body("http://other/x", {{"Host", "orders"}}), "other");
  EXPECT_EQ(Body("http://orders", {{"Host", "other"}}), "orders");
  EXPECT_EQ(Call("GET", "/", {{"Host", "orders.local"}}).status, 200);  // by orders.*
  EXPECT_EQ(Call("GET", "/", {{"Host", "nobody"}}).status, 404);
}

TEST_F(Routing, ExplainsWhyThereIsNoRoute) {
  Start(
      "  - { name: by-post, match: { path: /reports, methods: [POST] }, route: { cluster: orders } "
      "}");
  const Response response = Call("GET", "/reports?id=1");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.Header("content-type").value_or(""), "application/problem+json");
  EXPECT_EQ(response.Header("pillion-flag").value_or(""), "NR");
  EXPECT_TRUE(absl::StrContains(response.body, "\"why\"")) << response.body;
  EXPECT_TRUE(absl::StrContains(response.body, "by-post")) << response.body;
  EXPECT_EQ(sidecar_->AccessLine("/reports?id=1")["response_flags"], "NR");
}

TEST_F(Routing, SharesCallsAmongWeightedClusters) {
  Start(R"(
  - match: { prefix: / }
    route: { weighted_clusters: [ { name: a, weight: 3 }, { name: b, weight: 1 }, { name: orders, weight: 0 } ] }
)");
  std::map<std::string, int> calls;
  for (int i = 0; i < 400; ++i) ++calls[Body("/")];
  // 300 and 100 are to be expected; 13 standard deviations off is no chance.
  EXPECT_GT(calls["a"], 190);
  EXPECT_GT(calls["b"], 20);
  EXPECT_EQ(calls["a"] + calls["b"], 400);
}

TEST_F(Routing, RewritesPathAndHost) {
  Start(R"(
  - { match: { prefix: /api/ }, route: { cluster: orders, prefix_rewrite: / } }
  - { match: { path_separated_prefix: /old }, route: { cluster: orders, prefix_rewrite: /new } }
  - { match: { path: /one }, route: { cluster: orders, prefix_rewrite: /two } }
  - match: { prefix: /users/ }
    route:
      cluster: orders
      regex_rewrite: { pattern: "^/users/([0-9]+)/(.*)$", substitution: "/\\2/by/\\1" }
      host_rewrite: users.internal:81
  - { match: { prefix: / }, route: { cluster: orders } }
)");
  auto target_of = [](const std::string& body) { return body.substr(0, body.find('\n')); };
  EXPECT_EQ(target_of(Body("/api/v1/x?y=1")), "GET /v1/x?y=1");
  EXPECT_EQ(target_of(Body("/api/")), "GET /");
  EXPECT_EQ(target_of(Body("/old")), "GET /new");
  EXPECT_EQ(target_of(Body("/old/x")), "GET /new/x");
  EXPECT_EQ(target_of(Body("/one")), "GET /two");
  const std::string users = Body("/users/7/orders?a=%2F");
  EXPECT_EQ(target_of(users), "GET /orders/by/7?a=%2F");
  EXPECT_TRUE(absl::StrContains(absl::AsciiStrToLower(users), "host: users.internal:81\n"))
      << users;
  EXPECT_EQ(target_of(Body("/a/./b//c/../d?q=../x")), "GET /a/b/d?q=../x");
  EXPECT_EQ(target_of(Body("http://orders/abs?x")), "GET /abs?x");
  EXPECT_EQ(target_of(Body("/?")), "GET /?");
}

TEST_F(Routing, RefusesAPathThatTheRewriteLeadsElsewhere) {
  Start(R"(
  - { match: { prefix: /api }, route: { cluster: orders, prefix_rewrite: /public } }
  - { match: { prefix: /root }, route: { cluster: orders, prefix_rewrite: / } }
  - { match: { prefix: /gone }, redirect: { prefix_rewrite: / } }
)");
  EXPECT_TRUE(absl::StartsWith(Body("/api../admin"), "GET /public../admin\n"));
  for (const char* target : {"/root../admin", "/root%2e%2e/admin", "/gone../admin"}) {
    const Response response = Call("GET", target);
    EXPECT_EQ(response.status, 400) << target;
    EXPECT_EQ(response.Header("pillion-flag").value_or(""), "DPE");
  }
}

TEST_F(Routing, EditsHeadersOfRequestsAndAnswers) {
  Start(R"(
  - match: { prefix: / }
    route:
      cluster: orders
      request_headers_to_remove: [authorization, x-gone]
      request_headers_to_add:
      - { name: x-added, value: one }
      - { name: x-set, value: ours, append_action: OVERWRITE_IF_EXISTS_OR_ADD }
      - { name: x-kept, value: ours, append_action: ADD_IF_ABSENT }
      response_headers_to_remove: [x-secret]
      response_headers_to_add: { x-answer: two }
)");
  const Response response = Call("GET", "/",
                                 {{"Authorization", "Bearer secret"},
                                  {"X-Gone", "1"},
                                  {"x-added", "zero"},
                                  {"x-set", "theirs"},
                                  {"x-kept", "theirs"}});
  const std::string& seen = response.body;
  EXPECT_FALSE(absl::StrContains(seen, "secret")) << seen;
  EXPECT_FALSE(absl::StrContains(absl::AsciiStrToLower(seen), "x-gone")) << seen;
  EXPECT_TRUE(absl::StrContains(seen, "x-added: zero\n")) << seen;
  EXPECT_TRUE(absl::StrContains(seen, "x-added: one\n")) << seen;
  EXPECT_TRUE(absl::StrContains(seen, "x-set: ours\n")) << seen;
  EXPECT_FALSE(absl::StrContains(seen, "x-set: theirs\n")) << seen;
  EXPECT_TRUE(absl::StrContains(seen, "x-kept: theirs\n")) << seen;
  EXPECT_FALSE(absl::StrContains(seen, "x-kept: ours\n")) << seen;
  EXPECT_EQ(response.Header("x-answer").value_or(""), "two");
  EXPECT_EQ(response.Header("x-from-upstream").value_or(""), "yes");
  EXPECT_FALSE(response.Header("x-secret"));
}

TEST_F(Routing, AnswersByItself) {
  Start(R"(
  - match: { path: /teapot }
    direct_response: { status: 418, body: "short\n", headers: { content-type: text/plain, x-a: b } }
  - { match: { path: /empty }, direct_response: { status: 204 } }
)");
  const Response teapot = Call("POST", "/teapot");
  EXPECT_EQ(teapot.status, 418);
  EXPECT_EQ(teapot.body, "short\n");
  EXPECT_EQ(teapot.Header("content-type").value_or(""), "text/plain");
  EXPECT_EQ(teapot.Header("x-a").value_or(""), "b");
  EXPECT_EQ(Call("GET", "/empty").status, 204);
  const Response head = Call("HEAD", "/teapot");
  EXPECT_EQ(head.Header("content-length").value_or(""), "6");
  // A body that nobody wanted does not confuse what follows.
  EXPECT_EQ(client_->Post("/teapot", std::string(20000, 'x'), {{"Host", "orders"}})->status, 418);
  EXPECT_EQ(Call("GET", "/teapot").status, 418);
  EXPECT_EQ(client_->connections_made(), 1);
}

TEST_F(Routing, SendsCallersElsewhere) {
  Start(R"(
  - match: { path: /a }
    redirect: { scheme_redirect: https, host_redirect: new.example, port_redirect: 8443 }
  - match: { path_separated_prefix: /b }
    redirect: { prefix_rewrite: /c, response_code: TEMPORARY_REDIRECT }
  - { match: { path: /d }, redirect: { path_redirect: "/e?f=1", response_code: FOUND } }
  - { match: { path: /g }, redirect: { host_redirect: x, strip_query: true, response_code: SEE_OTHER } }
  - match: { prefix: /h/ }
    redirect: { regex_rewrite: { pattern: "^/h/(.*)$", substitution: "/\\1" }, response_code: PERMANENT_REDIRECT }
)");
  auto check = [&](const char* target, int status, const char* location) {
    const Response response = Call("GET", target, {{"Host", "orders:8080"}});
    EXPECT_EQ(response.status, status) << target;
    EXPECT_EQ(response.Header("location").value_or(""), location);
  };
  check("/a?x=1", 301, "https://new.example:8443/a?x=1");
  check("/b/i?x=1", 307, "http://orders:8080/c/i?x=1");
  check("/d?x=1", 302, "http://orders:8080/e?f=1");
  check("/g?x=1", 303, "http://x/g");
  check("/h/i/j", 308, "http://orders:8080/i/j");
}

TEST_F(Routing, NamesTheRouteInTheAccessLog) {
  Start("  - { name: everything, match: { prefix: / }, route: { cluster: orders } }");
  Call("GET", "/seen?q=%22quoted%22", {{"User-Agent", "test/1"}, {"x-request-id", "id-1"}});
  const auto line = sidecar_->AccessLine("/seen?q=%22quoted%22");
  EXPECT_EQ(line["route_name"], "everything");
  EXPECT_EQ(line["virtual_host"], "orders");
  EXPECT_EQ(line["mode"], "forward");
  EXPECT_EQ(line["upstream_cluster"], "orders");
  EXPECT_EQ(line["upstream_host"], absl::StrCat("127.0.0.1:", echo_.port()));
  EXPECT_EQ(line["response_code"], 200);
  EXPECT_EQ(line["user_agent"], "test/1");
  EXPECT_EQ(line["request_id"], "id-1");
  EXPECT_TRUE(line["response_flags"].is_null()) << line;
}

}  // namespace
}  // namespace pillion::proxy_test
