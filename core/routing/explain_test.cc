#include "core/routing/explain.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "core/routing/route_table.h"
#include "core/routing/test_table.h"
#include "core/strings.h"

namespace pillion::routing {
namespace {

constexpr char kPolicy[] = R"(
clusters: [{ name: orders, endpoints: [127.0.0.1:1] }]
virtual_hosts:
- { name: users, domains: [users, "*.users"] }
- { name: rest, domains: ["*"] }
- name: orders
  domains: [orders, "*.orders"]
  routes:
  - { name: reports, match: { prefix: /reports, methods: [POST] }, async: { cluster: orders } }
  - { match: { prefix: /, methods: [PUT, POST] }, direct_response: { status: 200 } }
  - { match: { path: /x }, direct_response: { status: 200 } }
  - { match: { path_separated_prefix: /rep, case_sensitive: false }, direct_response: { status: 200 } }
  - { match: { safe_regex: "/[0-9]+" }, direct_response: { status: 200 } }
  - { match: { prefix: /, headers: [{ name: X-Tier, exact: gold }] }, direct_response: { status: 201 } }
  - { match: { prefix: /, query_parameters: [{ name: v, present: true }] }, direct_response: { status: 202 } }
  - { match: { prefix: /logs }, direct_response: { status: 200 } }
  - name: rest
    match: { prefix: /reports }
    route: { cluster: orders, timeout: 3s }
    emit: [{ topic: order.read }]
)";

std::string LinesOf(const std::vector<std::string>& lines) {
  return absl::StrJoin(lines, "\n") + "\n";
}

TEST(Explain, SaysWhyEachWasNotTakenAndWhatTheOneTakenDoes) {
  const auto table = TableOf(kPolicy);
  const TestRequest request{.authority = "Orders:80",
                            .path = "/reports/7",
                            .headers = HeaderMap(Headers{{"x-tier", "silver"}})};
  const Explanation explanation = Explain(*table, request.view());
  EXPECT_EQ(LinesOf(explanation.lines),
            R"(virtual host 'users': no: 'Orders:80' is none of users, *.users
virtual host 'rest': no: 'Orders:80' is '*', but a more specific domain goes before
virtual host 'orders': yes: 'Orders:80' is 'orders'
  routes[0] 'reports': method GET is not POST
  routes[1]: method GET is not one of PUT, POST
  routes[2]: path '/reports/7' is not '/x'
  routes[3]: path '/reports/7' is neither '/rep' nor below it (in any letter case)
  routes[4]: path '/reports/7' does not match the regular expression '/[0-9]+'
  routes[5]: header x-tier is 'silver', wanted 'gold'
  routes[6]: query parameter v is absent, wanted any value
  routes[7]: path '/reports/7' does not start with '/logs'
  routes[8] 'rest': matches
    route:
      cluster: orders
      timeout: 3s
      idle_timeout: 5m
      retry_policy:
        retry_on: "connect-failure,refused-stream"
        num_retries: 1
        per_try_timeout: 0s
        retry_back_off:
          base_interval: 25ms
          max_interval: 250ms
      retry_buffer_bytes: 64KiB
    emit:
    - topic: order.read
      broker: embedded
      on: SUCCESS
      payload: NONE
      guarantee: ON_ANSWER
)");
  ASSERT_NE(explanation.route, nullptr);
  EXPECT_EQ(explanation.route->name, "rest");
}

TEST(Explain, SaysThatThereIsNoVirtualHostOrNoRoute) {
  const auto table = TableOf(R"(
virtual_hosts:
- name: v
  domains: [v, v.local]
  routes: [{ name: a, match: { path: /a }, direct_response: { status: 200 } }]
- { name: w, domains: [w] }
)");
  const TestRequest unknown{.authority = "u"};
  const std::string no_host =
      "virtual host 'v': no: 'u' is none of v, v.local\n"
      "virtual host 'w': no: 'u' is none of w\n"
      "no virtual host has the domain 'u'\n";
  EXPECT_EQ(LinesOf(Explain(*table, unknown.view()).lines), no_host);
  EXPECT_EQ(Explain(*table, unknown.view()).route, nullptr);
  EXPECT_EQ(LinesOf(NoRouteWhy(*table, unknown.view())), no_host);

  const TestRequest elsewhere{.method = "PUT", .path = "/b"};
  EXPECT_EQ(LinesOf(Explain(*table, elsewhere.view()).lines),
            "virtual host 'v': yes: 'v' is 'v'\n"
            "virtual host 'w': no: 'v' is none of w\n"
            "  routes[0] 'a': path '/b' is not '/a'\n"
            "no route of virtual host 'v' matches PUT /b\n");
  EXPECT_EQ(LinesOf(NoRouteWhy(*table, elsewhere.view())),
            "virtual host 'v': yes: 'v' is 'v'\n"
            "  routes[0] 'a': path '/b' is not '/a'\n"
            "no route of virtual host 'v' matches PUT /b\n");
}

// The line about the only route of a table with this match.
std::string WhyNot(const std::string& match, const TestRequest& request) {
  return Explain(*TableOfMatches({match}), request.view()).lines.at(1);
}

TEST(Explain, PutsEachConditionIntoWords) {
  const auto header = [](const std::string& condition) {
    return StrCat("prefix: /, headers: [{ name: x, ", condition, " }]");
  };
  const TestRequest a{.headers = HeaderMap(Headers{{"x", "a"}})};
  const TestRequest none;
  const struct {
    const char* condition;
    const TestRequest& request;
    const char* why;
  } kCases[] = {
      {"exact: b", a, "header x is 'a', wanted 'b'"},
      {"exact: b", none, "header x is absent, wanted 'b'"},
      {"prefix: b", a, "header x is 'a', wanted a value that starts with 'b'"},
      {"suffix: b", a, "header x is 'a', wanted a value that ends with 'b'"},
      {"contains: b", a, "header x is 'a', wanted a value that contains 'b'"},
      {"safe_regex: b+", a,
       "header x is 'a', wanted a value that matches the regular expression 'b+'"},
      {"present: false", a, "header x is 'a', wanted none"},
      {"present: true", none, "header x is absent, wanted any value"},
      {"exact: a, invert: true", a, "header x is 'a', wanted any but 'a'"},
      {"prefix: a, invert: true", a, "header x is 'a', wanted no value that starts with 'a'"},
      {"suffix: a, invert: true", a, "header x is 'a', wanted no value that ends with 'a'"},
      {"contains: a, invert: true", a, "header x is 'a', wanted no value that contains 'a'"},
      {"safe_regex: a, invert: true", a,
       "header x is 'a', wanted no value that matches the regular expression 'a'"},
      {"present: true, invert: true", a, "header x is 'a', wanted none"},
      {"present: false, invert: true", none, "header x is absent, wanted any value"},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(WhyNot(header(test.condition), test.request), StrCat("  routes[0]: ", test.why));
  }
}

TEST(Explain, ShowsWhatTheRequestSaysReadablyAndCut) {
  EXPECT_EQ(WhyNot("path: /a", {.path = StrCat("/", std::string(120, 'x'))}),
            StrCat("  routes[0]: path '/", std::string(99, 'x'), "...' is not '/a'"));
  EXPECT_EQ(
      WhyNot("prefix: /, query_parameters: [{ name: q, exact: a }]", {.query = "q=%1b[2J%0a%ff"}),
      R"(  routes[0]: query parameter q is '\x1b[2J\x0a\xff', wanted 'a')");
}

TEST(Explain, CutsLongLists) {
  std::string yaml = "virtual_hosts:\n";
  for (int host = 0; host < 1300; ++host) {
    StrAppend(&yaml, "- name: v", host, "\n  domains: [v", host, "]\n");
  }
  StrAppend(&yaml, "  routes:\n");  // of the last
  for (int route = 0; route < 10000; ++route) {
    StrAppend(&yaml, "  - { match: { path: /", route, " }, direct_response: { status: 200 } }\n");
  }
  const auto table = TableOf(yaml);

  const TestRequest hit{.authority = "v1299", .path = "/9999"};
  const std::vector<std::string> lines = Explain(*table, hit.view()).lines;
  ASSERT_GT(lines.size(), 203u);
  EXPECT_LT(lines.size(), 220u);
  EXPECT_EQ(lines[99], "virtual host 'v99': no: 'v1299' is none of v99");
  EXPECT_EQ(lines[100], "... and 1,199 more");
  EXPECT_EQ(lines[101], "virtual host 'v1299': yes: 'v1299' is 'v1299'");
  EXPECT_EQ(lines[201], "  routes[99]: path '/9999' is not '/99'");
  EXPECT_EQ(lines[202], "  ... and 9,899 more");
  EXPECT_EQ(lines[203], "  routes[9999]: matches");

  const TestRequest miss{.authority = "v1299", .path = "/no"};
  const std::vector<std::string> why = NoRouteWhy(*table, miss.view());
  ASSERT_EQ(why.size(), 13u);
  EXPECT_EQ(why[11], "  ... and 9,990 more");
  EXPECT_EQ(why[12], "no route of virtual host 'v1299' matches GET /no");

  const TestRequest unknown{.authority = "u"};
  const std::vector<std::string> no_host = NoRouteWhy(*table, unknown.view());
  ASSERT_EQ(no_host.size(), 7u);
  EXPECT_EQ(no_host[5], "... and 1,295 more");
}

}  // namespace
}  // namespace pillion::routing
