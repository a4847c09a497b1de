#include "core/config/load.h"

#include <gtest/gtest.h>

#include <string>

#include "core/config/defaults.h"
#include "core/config/printer.h"
#include "core/config/units.h"
#include "google/protobuf/util/message_differencer.h"
#include "pillion/config/v1/bootstrap.pb.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::config {
namespace {

using google::protobuf::util::MessageDifferencer;

Loaded<v1::Policy> LoadText(const std::string& text) {
  return LoadPolicy({{SourceFile{"p.yaml", text}}});
}

std::string ErrorsOf(const std::string& text) { return ToString(LoadText(text).errors); }

std::string WarningsOf(const std::string& text) {
  const Loaded<v1::Policy> loaded = LoadText(text);
  EXPECT_EQ(ToString(loaded.errors), "");
  return ToString(loaded.warnings);
}

// The policy of the reference documentation.
constexpr char kReference[] = R"(
clusters:
- name: orders
  endpoints: [127.0.0.1:5001, { address: 127.0.0.1:5002, weight: 2 }]
  lb_policy: LEAST_REQUEST
  connect_timeout: 1s
  circuit_breakers: { max_connections: 1024, max_pending_requests: 1024, max_requests: 1024, max_retries: 3 }
  idle_timeout: 30s
- name: billing
  endpoints: ["[::1]:5003", unix:/run/billing.sock, billing.internal:80]
brokers:
- { name: events, embedded: {} }
virtual_hosts:
- name: orders
  domains: [orders, "*.orders.local"]
  routes:
  - name: create-report
    match: { prefix: /reports, methods: [POST] }
    async:
      cluster: orders
      when: on_prefer
      timeout: 10m
      expires_after: 24h
      retry_policy: { retry_on: "5xx,connect-failure,reset", num_retries: 3, retry_back_off: { base_interval: 2s } }
      result_retention: 24h
      max_request_bytes: 8MiB
      idempotency: { required: false }
      wait: 0s
  - name: sign-up
    match: { path: /signup, methods: [POST] }
    publish: { topic: user.signed-up, broker: events, key: { header: x-user-id } }
  - name: everything else
    match: { prefix: / }
    route: { cluster: orders, timeout: 15s, request_headers_to_add: { x-a: b, x-c: 1 } }
    emit:
    - { topic: order.changed, on: SUCCESS, methods: [POST, PUT, PATCH, DELETE], payload: NONE }
subscriptions:
- name: billing-on-order
  topic: order.*
  cluster: billing
  path: /events/order
- { name: audit, topic: "**", broker: events, cluster: billing }
)";

TEST(LoadPolicy, ReadsTheReferencePolicyWithoutAWord) {
  const Loaded<v1::Policy> loaded = LoadText(kReference);
  EXPECT_EQ(ToString(loaded.errors), "");
  EXPECT_EQ(ToString(loaded.warnings), "");
  ASSERT_NE(loaded.value, nullptr);
  const v1::Policy& policy = *loaded.value;
  EXPECT_EQ(policy.clusters(0).endpoints(1).weight(), 2u);
  EXPECT_EQ(policy.clusters(1).endpoints(0).address(), "[::1]:5003");
  EXPECT_EQ(policy.virtual_hosts(0).routes(0).async().when(), v1::AsyncAction::ON_PREFER);
  EXPECT_EQ(policy.virtual_hosts(0).routes(0).async().max_request_bytes(), 8u << 20);
  const v1::RouteAction& route = policy.virtual_hosts(0).routes(2).route();
  EXPECT_EQ(route.request_headers_to_add(1).name(), "x-c");
  EXPECT_EQ(route.request_headers_to_add(1).value(), "1");
}

TEST(LoadPolicy, FillsInDefaultsByPlace) {
  const Loaded<v1::Policy> loaded = LoadText(kReference);
  ASSERT_NE(loaded.value, nullptr);
  const v1::Policy& policy = *loaded.value;
  EXPECT_EQ(policy.clusters(0).endpoints(0).weight(), 1u);
  EXPECT_EQ(policy.clusters(1).circuit_breakers().max_retries(), 3u);
  EXPECT_EQ(ToAbslDuration(policy.clusters(1).connect_timeout()), absl::Seconds(1));
  // The same message has other defaults in another place, and what is said stays.
  const v1::AsyncRetryPolicy& async = policy.virtual_hosts(0).routes(0).async().retry_policy();
  EXPECT_EQ(async.retry_on(), "5xx,connect-failure,reset");
  EXPECT_EQ(async.num_retries(), 3u);
  EXPECT_EQ(ToAbslDuration(async.retry_back_off().base_interval()), absl::Seconds(2));
  EXPECT_EQ(ToAbslDuration(async.retry_back_off().max_interval()), absl::Minutes(5));
  ASSERT_EQ(async.retriable_status_codes_size(), 1);
  EXPECT_EQ(async.retriable_status_codes(0), 429u);
  const v1::RetryPolicy& route = policy.virtual_hosts(0).routes(2).route().retry_policy();
  EXPECT_EQ(route.retry_on(), "connect-failure,refused-stream");
  EXPECT_EQ(ToAbslDuration(route.retry_back_off().max_interval()), absl::Milliseconds(250));
  EXPECT_EQ(policy.subscriptions(0).broker(), "embedded");
  EXPECT_EQ(policy.subscriptions(0).concurrency(), 16u);
}

TEST(LoadPolicy, ReportsAllMistakesOfAllFilesInOrder) {
  const Loaded<v1::Policy> loaded = LoadPolicy({
      {"policy/b.yaml", R"(virtual_hosts:
- name: orders
  domains: [orders]
  routes:
  - match: { prefix: / }
    route: { cluster: order, timout: 3s }
  - match: { prefix: /x, path: /y }
    async: { cluster: orders, timeout: 10 }
)"},
      {"policy/a.yaml", R"(clusters:
- name: orders
  endpoints: [127.0.0.1:5001]
  lb_policy: LEAST
  weight: 1
- name: orders
  endpoints: []
)"},
  });
  EXPECT_EQ(loaded.value, nullptr);
  EXPECT_EQ(ToString(loaded.errors),
            "policy/a.yaml:4:14: clusters[0].lb_policy: expected one of LEAST_REQUEST, "
            "ROUND_ROBIN, RANDOM, found "
            "'LEAST'\n"
            "policy/a.yaml:5:3: clusters[0].weight: unknown field; here can be name, endpoints, "
            "lb_policy, connect_timeout, circuit_breakers, idle_timeout\n"
            "policy/a.yaml:6:9: clusters[1].name: duplicate cluster 'orders'; the first is at "
            "policy/a.yaml:2\n"
            "policy/a.yaml:7:14: clusters[1].endpoints: must not be empty\n"
            "policy/b.yaml:6:23: virtual_hosts[0].routes[0].route.cluster: no cluster 'order' is "
            "defined; did you "
            "mean 'orders'?\n"
            "policy/b.yaml:6:30: virtual_hosts[0].routes[0].route.timout: unknown field; did you "
            "mean 'timeout'?\n"
            "policy/b.yaml:7:32: virtual_hosts[0].routes[1].match.path: only one of 'prefix' and "
            "'path' can be set\n"
            "policy/b.yaml:8:40: virtual_hosts[0].routes[1].async.timeout: expected a duration "
            "such as 250ms, 15s, "
            "10m or 24h, found '10'\n");
}

TEST(LoadPolicy, CountsIndicesWithinEachFile) {
  const Loaded<v1::Policy> loaded = LoadPolicy({
      {"a.yaml", "clusters:\n- { name: a, endpoints: [127.0.0.1:1] }\n"},
      {"b.yaml",
       "clusters:\n- { name: a, endpoints: [127.0.0.1:1] }\n- { name: b, endpoints: [here] }\n"},
  });
  EXPECT_EQ(ToString(loaded.errors),
            "b.yaml:2:11: clusters[0].name: duplicate cluster 'a'; the first is at a.yaml:2\n"
            "b.yaml:3:26: clusters[1].endpoints[0].address: the port is missing: expected an "
            "address such as "
            "127.0.0.1:80, [::1]:80, unix:/path or host.name:80, found 'here'\n");
}

TEST(LoadPolicy, DoesNotMissWhatAnUnreadableFileMayDefine) {
  const Loaded<v1::Policy> loaded = LoadPolicy({
      {"a.yaml", "clusters: [\n"},
      {"b.yaml", "subscriptions:\n- { name: s, topic: t, cluster: c, path: x }\n"},
  });
  EXPECT_EQ(
      ToString(loaded.errors),
      "a.yaml:2:1: not YAML: end of sequence flow not found; the '[' at line 1, column 11 is not "
      "closed, or a ',' is missing before this place\n"
      "b.yaml:2:42: subscriptions[0].path: expected a path that starts with '/', found 'x'\n");
}

TEST(LoadPolicy, TakesAnEmptyFileForAnEmptyPolicy) {
  EXPECT_NE(LoadText("").value, nullptr);
  EXPECT_NE(LoadText("# nothing yet\n").value, nullptr);
}

struct Mistake {
  const char* text;
  const char* errors;
};

class PolicyMistake : public testing::TestWithParam<Mistake> {};

TEST_P(PolicyMistake, IsReportedWithPlaceAndFix) {
  EXPECT_EQ(ErrorsOf(GetParam().text), GetParam().errors);
}

constexpr Mistake kSyntax[] = {
    {"clusters: [",
     "p.yaml:1:1: not YAML: end of sequence flow not found; the '[' at line 1, column 11 is not "
     "closed, or a ',' is missing before this place\n"},
    {"clusters:\n- { name: a endpoints: [] }\n",
     "p.yaml:2:22: not YAML: end of map flow not found; the '{' at line 2, column 3 is not closed, "
     "or a ',' is missing before this place\n"},
    {"clusters: ]\n",
     "p.yaml:1:11: not YAML: illegal flow end; nothing is open that this bracket closes: take it "
     "away, or put the text in quotes\n"},
    {"a: b: c\n",
     "p.yaml:1:5: not YAML: illegal map value; text with ': ' in it needs quotes, and all fields "
     "of "
     "one object begin in the same column\n"},
    {"clusters:\n- name: a\n   endpoints: []\n",
     "p.yaml:3:13: not YAML: illegal map value; text with ': ' in it needs quotes, and all fields "
     "of one object begin in the same column\n"},
    {"clusters:\n- name: a\n endpoints: []\n",
     "p.yaml:3:2: not YAML: end of sequence not found; the fields of one object begin in the same "
     "column, and so do the items of one list\n"},
    {"clusters:\n  - a\n - b\n",
     "p.yaml:3:2: not YAML: end of map not found; the fields of one object begin in the same "
     "column, and so do the items of one list\n"},
    {"clusters: - a\n",
     "p.yaml:1:11: not YAML: illegal block entry; '- ' begins a line, in the same column as the "
     "other items of its list\n"},
    {"clusters:\n\t- name: a\n",
     "p.yaml:2:2: not YAML: illegal block entry; indent with spaces: YAML takes no tabs there\n"},
    {"clusters:\r\n- name: a\r\n \tendpoints: []\r\n",
     "p.yaml:3:2: not YAML: illegal tab when looking for indentation; indent with spaces: YAML "
     "takes no tabs there\n"},
    {"domains: [\n\t*]\n",
     "p.yaml:2:3: not YAML: alias not found after *; text that begins with '*' needs quotes: "
     "'*'\n"},
    {"ää: @ääääääääää"
     "ääääääääää"
     "ääääääääääääx\n",
     "p.yaml:1:7: not YAML: unknown token; text that begins with '@' needs quotes: '@ääääääääää"
     "ääääääääää"
     "äääääääääää...'\n"},
    {"virtual_hosts:\n- name: a\n  domains: [a, *.local]\n",
     "p.yaml:3:16: not YAML: the referenced anchor is not defined; text that begins with '*' needs "
     "quotes: '*.local'\n"},
    {"domains: [*]\n",
     "p.yaml:1:12: not YAML: alias not found after *; text that begins with '*' needs quotes: "
     "'*'\n"},
    {"topic: **\n",
     "p.yaml:1:8: not YAML: the referenced anchor is not defined; text that begins with '*' needs "
     "quotes: '**'\n"},
    {"topic: &\n",
     "p.yaml:1:9: not YAML: anchor not found after &; text that begins with '&' needs quotes: "
     "'&'\n"},
    {"name: @a b\n",
     "p.yaml:1:7: not YAML: unknown token; text that begins with '@' needs quotes: '@a'\n"},
    {"safe_regex: \"\\d+\"\n",
     "p.yaml:1:16: not YAML: unknown escape character: d; between double quotes a backslash is "
     "written \\\\; single quotes leave it as it is\n"},
    {"clusters:\n- name:a\n",
     "p.yaml:2:3: clusters[0]: expected a map, found 'name:a'; a ':' after a field's name is "
     "followed by a blank\n"},
    {"clusters: []\n-name: a\n",
     "p.yaml:2:1: -name: unknown field; a '-' that begins a list item is followed by a blank\n"},
    {"[]", "p.yaml:1:1: expected a map, found a list\n"},
    {"text", "p.yaml:1:1: expected a map, found 'text'\n"},
    {"clusters:\n", "p.yaml:1:1: clusters: expected a list, found nothing\n"},
    {"clusters: x\n", "p.yaml:1:11: clusters: expected a list, found 'x'\n"},
    {"clusters: [1]\n", "p.yaml:1:12: clusters[0]: expected a map, found '1'\n"},
    {"--- {}\n--- {}\n", "p.yaml:2:1: not YAML: a second document; a file holds one\n"},
    {"clusters: !!seq []\n",
     "p.yaml:1:11: not YAML: tags are not supported; text that begins with '!' needs quotes: "
     "'!!seq'\n"},
    {"clusters: []\nclusters: []\n",
     "p.yaml:2:1: duplicate key 'clusters'; it is first at line 1\n"},
    {"? [a]\n: b\n", "p.yaml:1:3: expected a field name, found a list\n"},
    {"clusters: &a [*a]\n", "p.yaml:1:15: not YAML: an alias of a node that contains it\n"},
    {"clusters: *a\n",
     "p.yaml:1:11: not YAML: the referenced anchor is not defined; text that begins with '*' needs "
     "quotes: '*a'\n"},
    {"a: \x01\n", "p.yaml:1:4: not YAML: byte 0x01 is not text in UTF-8\n"},
    {"a: b\nc: \xff\n", "p.yaml:2:4: not YAML: byte 0xff is not text in UTF-8\n"},
    {"cluster: []\n", "p.yaml:1:1: cluster: unknown field; did you mean 'clusters'?\n"},
    {"zzz: []\n",
     "p.yaml:1:1: zzz: unknown field; here can be clusters, brokers, virtual_hosts, "
     "subscriptions\n"},
};
INSTANTIATE_TEST_SUITE_P(Syntax, PolicyMistake, testing::ValuesIn(kSyntax));

constexpr Mistake kClusters[] = {
    {"clusters:\n- {}\n",
     "p.yaml:2:3: clusters[0].name: required field is missing\n"
     "p.yaml:2:3: clusters[0].endpoints: required field is missing\n"},
    {"clusters: [{name: '', endpoints: [127.0.0.1:1]}]",
     "p.yaml:1:19: clusters[0].name: must not be empty\n"},
    {"clusters: [{name: a b, endpoints: [127.0.0.1:1]}]",
     "p.yaml:1:19: clusters[0].name: expected a name of letters, digits and . _ - : / (at most "
     "128), found 'a b'\n"},
    {"clusters: [{name: a, endpoints: [127.0.0.1:99999]}]",
     "p.yaml:1:34: clusters[0].endpoints[0].address: '99999' is not a port (1 to 65535)\n"},
    {"clusters: [{name: a, endpoints: [{address: 127.0.0.1:1, weight: 0}]}]",
     "p.yaml:1:65: clusters[0].endpoints[0].weight: must be at least 1\n"},
    {"clusters: [{name: a, endpoints: [{address: 127.0.0.1:1, weight: -1}]}]",
     "p.yaml:1:65: clusters[0].endpoints[0].weight: expected a whole number, found '-1'\n"},
    {"clusters: [{name: a, endpoints: [{address: 127.0.0.1:1, weight: '1'}]}]",
     "p.yaml:1:65: clusters[0].endpoints[0].weight: expected a whole number, found '1'\n"},
    {"clusters: [{name: a, endpoints: [127.0.0.1:1, 127.0.0.1:1]}]",
     "p.yaml:1:47: clusters[0].endpoints[1].address: '127.0.0.1:1' is in 'endpoints' twice\n"},
    {"clusters: [{name: a, endpoints: [127.0.0.1:1], connect_timeout: 0s}]",
     "p.yaml:1:65: clusters[0].connect_timeout: must be at least 1ms\n"},
    {"clusters: [{name: a, endpoints: [127.0.0.1:1], connect_timeout: -1s}]",
     "p.yaml:1:65: clusters[0].connect_timeout: expected a duration such as 250ms, 15s, 10m or "
     "24h, found '-1s'\n"},
    {"clusters: [{name: a, endpoints: [127.0.0.1:1], circuit_breakers: {max_requests: "
     "4294967296}}]",
     "p.yaml:1:81: clusters[0].circuit_breakers.max_requests: must be at most 4294967295\n"},
    {"brokers: [{name: b}]", "p.yaml:1:11: brokers[0]: 'embedded' is required\n"},
    {"virtual_hosts: [{name: v, domains: [], source_services: []}]",
     "p.yaml:1:36: virtual_hosts[0].domains: must not be empty\n"
     "p.yaml:1:57: virtual_hosts[0].source_services: must not be empty\n"},
};
INSTANTIATE_TEST_SUITE_P(Clusters, PolicyMistake, testing::ValuesIn(kClusters));

// One route in a virtual host; the text starts at column 1 of line 5.
#define ROUTE(text)                                   \
  "clusters: [{name: c, endpoints: [127.0.0.1:1]}]\n" \
  "virtual_hosts:\n- name: v\n  domains: [v]\n  routes: [{\n" text "}]\n"

constexpr Mistake kRoutes[] = {
    {ROUTE(""),
     "p.yaml:5:12: virtual_hosts[0].routes[0].match: required field is missing\n"
     "p.yaml:5:12: virtual_hosts[0].routes[0]: one of route, async, publish, direct_response, "
     "redirect is required\n"},
    {ROUTE("match: {}, route: {cluster: c}"),
     "p.yaml:6:8: virtual_hosts[0].routes[0].match: one of prefix, path, path_separated_prefix, "
     "safe_regex is "
     "required\n"},
    {ROUTE("match: {prefix: ''}, route: {cluster: c}"),
     "p.yaml:6:17: virtual_hosts[0].routes[0].match.prefix: must not be empty\n"},
    {ROUTE("match: {prefix: '/a?b'}, route: {cluster: c}"),
     "p.yaml:6:17: virtual_hosts[0].routes[0].match.prefix: a path has no '?' and no '#'\n"},
    {ROUTE("match: {prefix: /}, route: {cluster: c, prefix_rewrite: '/a%2Fb'}"),
     "p.yaml:6:57: virtual_hosts[0].routes[0].route.prefix_rewrite: an escaped slash, backslash or "
     "NUL in the path, which sidecars refuse\n"},
    {ROUTE("match: {prefix: /}, redirect: {prefix_rewrite: '/a\\b'}"),
     "p.yaml:6:48: virtual_hosts[0].routes[0].redirect.prefix_rewrite: invalid character in the "
     "path, which sidecars refuse\n"},
    {ROUTE("match: {path: '/a%2'}, route: {cluster: c}"),
     "p.yaml:6:15: virtual_hosts[0].routes[0].match.path: incomplete percent escape in the path, "
     "which sidecars refuse\n"},
    {ROUTE("match: {safe_regex: '('}, route: {cluster: c}"),
     "p.yaml:6:21: virtual_hosts[0].routes[0].match.safe_regex: the regular expression does not "
     "compile: missing ): "
     "(\n"},
    {ROUTE("match: {prefix: /, methods: [post]}, route: {cluster: c}"),
     "p.yaml:6:30: virtual_hosts[0].routes[0].match.methods[0]: methods are written in upper case; "
     "did you mean "
     "'POST'?\n"},
    {ROUTE("match: {prefix: /, methods: POST}, route: {cluster: c}"),
     "p.yaml:6:29: virtual_hosts[0].routes[0].match.methods: expected a list, found 'POST'\n"},
    {ROUTE("match: {prefix: /, methods: [PUT, PUT]}, route: {cluster: c}"),
     "p.yaml:6:35: virtual_hosts[0].routes[0].match.methods[1]: 'PUT' is in the list twice\n"},
    {ROUTE("match: {prefix: /, headers: [{name: x-a}]}, route: {cluster: c}"),
     "p.yaml:6:30: virtual_hosts[0].routes[0].match.headers[0]: one of exact, prefix, suffix, "
     "contains, safe_regex, "
     "present is required\n"},
    {ROUTE("match: {prefix: /, headers: [{name: x-a, present: yes}]}, route: {cluster: c}"),
     "p.yaml:6:51: virtual_hosts[0].routes[0].match.headers[0].present: expected true or false, "
     "found 'yes'\n"},
    {ROUTE("match: {prefix: /}, route: {}"),
     "p.yaml:6:28: virtual_hosts[0].routes[0].route: exactly one of cluster, weighted_clusters is "
     "required\n"},
    {ROUTE("match: {prefix: /}, route: {cluster: c, weighted_clusters: [{name: c}]}"),
     "p.yaml:6:28: virtual_hosts[0].routes[0].route: exactly one of cluster, weighted_clusters is "
     "required\n"},
    {ROUTE("match: {prefix: /}, route: {weighted_clusters: []}"),
     "p.yaml:6:28: virtual_hosts[0].routes[0].route: exactly one of cluster, weighted_clusters is "
     "required\n"
     "p.yaml:6:48: virtual_hosts[0].routes[0].route.weighted_clusters: must not be empty\n"},
    {ROUTE("match: {prefix: /}, route: {cluster: c, weighted_clusters: []}"),
     "p.yaml:6:60: virtual_hosts[0].routes[0].route.weighted_clusters: must not be empty\n"},
    {ROUTE("match: {prefix: /, methods: []}, route: {cluster: c}, emit: [{topic: a, methods: []}]"),
     "p.yaml:6:29: virtual_hosts[0].routes[0].match.methods: must not be empty\n"
     "p.yaml:6:82: virtual_hosts[0].routes[0].emit[0].methods: must not be empty\n"},
    {ROUTE("match: {prefix: /}, async: {cluster: c, retry_policy: {retriable_status_codes: []}}"),
     "p.yaml:6:80: virtual_hosts[0].routes[0].async.retry_policy.retriable_status_codes: must not "
     "be empty\n"},
    {ROUTE("match: {prefix: /}, route: {weighted_clusters: [{name: c, weight: 0}]}"),
     "p.yaml:6:48: virtual_hosts[0].routes[0].route.weighted_clusters: every 'weight' is 0\n"},
    {ROUTE("match: {prefix: /}, route: {cluster: c, prefix_rewrite: /x, regex_rewrite: {pattern: "
           "x}}"),
     "p.yaml:6:28: virtual_hosts[0].routes[0].route: only one of prefix_rewrite, regex_rewrite can "
     "be set\n"},
    {ROUTE("match: {prefix: /}, route: {cluster: c, regex_rewrite: {pattern: a, substitution: "
           "\"\\\\1\"}}"),
     "p.yaml:6:83: virtual_hosts[0].routes[0].route.regex_rewrite.substitution: does not suit "
     "'pattern': Rewrite "
     "schema requests 1 matches, but the regexp only has 0 parenthesized subexpressions.\n"},
    {ROUTE("match: {prefix: /}, route: {cluster: c, retry_policy: {retry_on: 'gateway-errors'}}"),
     "p.yaml:6:66: virtual_hosts[0].routes[0].route.retry_policy.retry_on: 'gateway-errors' is not "
     "a retry condition; "
     "did you mean 'gateway-error'?\n"},
    {ROUTE("match: {prefix: /}, route: {cluster: c, retry_buffer_bytes: 64KB}"),
     "p.yaml:6:61: virtual_hosts[0].routes[0].route.retry_buffer_bytes: expected a size such as "
     "64KiB, 8MiB or a "
     "number of bytes, found '64KB'\n"},
    {ROUTE("match: {prefix: /}, route: {cluster: c, request_headers_to_add: {\"x a\": b}}"),
     "p.yaml:6:66: virtual_hosts[0].routes[0].route.request_headers_to_add[0].name: expected a "
     "header name such as "
     "x-tier, found 'x a'\n"},
    {ROUTE("match: {prefix: /}, route: {cluster: c}, async: {cluster: c}"),
     "p.yaml:6:49: virtual_hosts[0].routes[0].async: only one of 'route' and 'async' can be set\n"},
    {ROUTE("match: {prefix: /}, async: {cluster: c}, emit: [{topic: t}]"),
     "p.yaml:6:48: virtual_hosts[0].routes[0].emit: makes sense only with 'route'\n"},
    {ROUTE("match: {prefix: /}, async: {cluster: c, wait: 2m}"),
     "p.yaml:6:47: virtual_hosts[0].routes[0].async.wait: must be at most 60s\n"},
    {ROUTE("match: {prefix: /}, async: {cluster: c, delay: 24h}"),
     "p.yaml:6:48: virtual_hosts[0].routes[0].async.delay: must be below 'expires_after', which is "
     "24h\n"},
    {ROUTE("match: {prefix: /}, async: {cluster: c, delay: 2m, expires_after: 90s}"),
     "p.yaml:6:48: virtual_hosts[0].routes[0].async.delay: must be below 'expires_after', which is "
     "1m30s\n"},
    {ROUTE("match: {prefix: /}, publish: {topic: 'a..b', broker: b}"),
     "p.yaml:6:38: virtual_hosts[0].routes[0].publish.topic: expected a topic such as "
     "order.changed, found 'a..b'\n"
     "p.yaml:6:54: virtual_hosts[0].routes[0].publish.broker: no broker 'b' is defined\n"},
    {ROUTE("match: {prefix: /}, direct_response: {status: 99}"),
     "p.yaml:6:47: virtual_hosts[0].routes[0].direct_response.status: must be at least 200\n"},
    {ROUTE("match: {prefix: /}, redirect: {port_redirect: 0}"),
     "p.yaml:6:47: virtual_hosts[0].routes[0].redirect.port_redirect: must be at least 1\n"},
    {ROUTE("match: 5, route: 6"),
     "p.yaml:6:8: virtual_hosts[0].routes[0].match: expected a map, found '5'\n"
     "p.yaml:6:18: virtual_hosts[0].routes[0].route: expected a map, found '6'\n"},
    {ROUTE("name: x, match: {prefix: /}, route: {cluster: c}}, {name: x, match: {prefix: /}, "
           "route: {cluster: c}"),
     "p.yaml:6:59: virtual_hosts[0].routes[1].name: 'x' is in 'routes' twice\n"},
};
INSTANTIATE_TEST_SUITE_P(Routes, PolicyMistake, testing::ValuesIn(kRoutes));

constexpr Mistake kDomains[] = {
    {"virtual_hosts: [{name: v, domains: [A, a]}]",
     "p.yaml:1:40: virtual_hosts[0].domains[1]: duplicate domain 'a'; the first is at p.yaml:1\n"},
    {"virtual_hosts: [{name: v, domains: ['*a']}]",
     "p.yaml:1:37: virtual_hosts[0].domains[0]: expected a domain such as orders, "
     "orders.local:8080, *.local, orders.* "
     "or *, found '*a'\n"},
    {"virtual_hosts: [{name: v, domains: ['a:x']}]",
     "p.yaml:1:37: virtual_hosts[0].domains[0]: expected a domain such as orders, "
     "orders.local:8080, *.local, orders.* "
     "or *, found 'a:x'\n"},
    {"virtual_hosts: [{name: v}]",
     "p.yaml:1:17: virtual_hosts[0].domains: required field is missing\n"},
};
INSTANTIATE_TEST_SUITE_P(Domains, PolicyMistake, testing::ValuesIn(kDomains));

TEST(LoadPolicy, AcceptsEveryFormOfDomain) {
  EXPECT_EQ(ErrorsOf("virtual_hosts: [{name: v, domains: [a, 'b:80', '*', '*:8080', '*.a', 'a.*', "
                     "'*.a:80', 'a.*:80', "
                     "127.0.0.1, '[::1]', '[::1]:80']}]"),
            "");
}

TEST(LoadPolicy, ExpandsAliasesAndMergeKeys) {
  const Loaded<v1::Policy> loaded = LoadText(R"(
clusters:
- &base { name: a, endpoints: &e [127.0.0.1:1], connect_timeout: 2s }
- { <<: *base, name: b }
- { name: c, endpoints: *e }
)");
  ASSERT_EQ(ToString(loaded.errors), "");
  EXPECT_EQ(loaded.value->clusters(1).name(), "b");
  EXPECT_EQ(ToAbslDuration(loaded.value->clusters(1).connect_timeout()), absl::Seconds(2));
  EXPECT_EQ(loaded.value->clusters(2).endpoints(0).address(), "127.0.0.1:1");
}

TEST(LoadPolicy, RefusesTooLargeAFile) {
  EXPECT_EQ(ErrorsOf(std::string((4 << 20) + 1, ' ')), "p.yaml: larger than 4 MiB\n");
}

TEST(LoadPolicy, RefusesTooDeepNesting) {
  EXPECT_EQ(ErrorsOf("a: " + std::string(100'000, '[')),
            "p.yaml:1:36: not YAML: nested deeper than 64 levels\n");
}

TEST(LoadPolicy, RefusesAliasesThatExpandWithoutEnd) {
  std::string text = "a0: &a0 [x]\n";
  for (int i = 1; i < 30; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before + ", " + before +
            "]\n";
  }
  EXPECT_EQ(ErrorsOf(text), "p.yaml:18:6: not YAML: more than 500000 nodes, aliases resolved\n");
}

TEST(LoadPolicy, KeepsCountOfTheMistakesThatItDoesNotShow) {
  std::string text;
  for (int i = 0; i < 1500; ++i) text += "unknown" + std::to_string(i) + ": 1\n";
  const std::vector<Diagnostic> errors = LoadText(text).errors;
  ASSERT_EQ(errors.size(), 1001u);
  EXPECT_EQ(errors.back().ToString(), "500 further mistakes are not shown");
}

TEST(LoadPolicy, WarnsOfHiddenRoutes) {
  EXPECT_EQ(WarningsOf(R"(
virtual_hosts:
- name: v
  domains: [v]
  routes:
  - { name: all gets, match: { prefix: /a, methods: [GET] }, direct_response: { status: 200 } }
  - { match: { path: /a/b, methods: [GET] }, direct_response: { status: 201 } }
  - { match: { path: /a/b }, direct_response: { status: 202 } }
  - { match: { prefix: /A, case_sensitive: false }, direct_response: { status: 203 } }
  - { match: { path_separated_prefix: /a/x, headers: [{ name: x, exact: y }] }, direct_response: { status: 204 } }
  - { match: { safe_regex: /a.* }, direct_response: { status: 205 } }
  - { match: { prefix: / }, direct_response: { status: 206 } }
  - { match: { safe_regex: /b.* }, direct_response: { status: 207 } }
)"),
            "p.yaml:7:5: virtual_hosts[0].routes[1]: never gets a call: routes[0] 'all gets' "
            "before it matches all of "
            "them\n"
            "p.yaml:10:5: virtual_hosts[0].routes[4]: never gets a call: routes[3] before it "
            "matches all of them\n"
            "p.yaml:13:5: virtual_hosts[0].routes[7]: never gets a call: routes[6] before it "
            "matches all of them\n");
}

TEST(LoadPolicy, WarnsOfTopicsWithoutACounterpart) {
  EXPECT_EQ(WarningsOf(R"(
clusters: [{ name: c, endpoints: [127.0.0.1:1] }]
brokers: [{ name: other, embedded: {} }]
virtual_hosts:
- name: v
  domains: [v]
  routes:
  - { match: { path: /a }, publish: { topic: order.changed } }
  - { match: { path: /b }, publish: { topic: user.created, broker: other } }
subscriptions:
- { name: s, topic: order.change, cluster: c }
- { name: t, topic: user.*, cluster: c }
)"),
            "p.yaml:8:46: virtual_hosts[0].routes[0].publish.topic: no subscription takes topic "
            "'order.changed' from "
            "broker 'embedded'; did you mean 'order.change'?\n"
            "p.yaml:9:46: virtual_hosts[0].routes[1].publish.topic: no subscription takes topic "
            "'user.created' from "
            "broker 'other'\n"
            "p.yaml:11:21: subscriptions[0].topic: no route publishes or emits a topic that "
            "'order.change' matches on "
            "broker 'embedded'; did you mean 'order.changed'?\n"
            "p.yaml:12:21: subscriptions[1].topic: no route publishes or emits a topic that "
            "'user.*' matches on broker "
            "'embedded'\n");
}

TEST(CheckPolicy, ReportsByPathWhatWasNotReadFromAFile) {
  v1::Policy policy = *LoadText(kReference).value;
  EXPECT_EQ(ToString(CheckPolicy(policy)), "");
  policy.mutable_clusters(0)->set_name("oders");
  policy.mutable_clusters(0)->mutable_connect_timeout()->set_nanos(-1);
  policy.mutable_clusters(1)->set_lb_policy(static_cast<v1::Cluster::LbPolicy>(77));
  policy.mutable_virtual_hosts(0)->mutable_routes(1)->clear_action();
  EXPECT_EQ(ToString(CheckPolicy(policy)),
            "clusters[0].connect_timeout: not a duration, or too long\n"
            "clusters[1].lb_policy: unknown value 77\n"
            "virtual_hosts[0].routes[1]: one of route, async, publish, direct_response, redirect "
            "is required\n"
            "virtual_hosts[0].routes[0].async.cluster: no cluster 'orders' is defined; did you "
            "mean 'oders'?\n"
            "virtual_hosts[0].routes[2].route.cluster: no cluster 'orders' is defined; did you "
            "mean 'oders'?\n");
}

TEST(ToYaml, PrintsWhatTheLoaderReadsBackAsTheSame) {
  const Loaded<v1::Policy> loaded = LoadText(kReference);
  ASSERT_NE(loaded.value, nullptr);
  const std::string yaml = ToYaml(*loaded.value);
  const Loaded<v1::Policy> again = LoadText(yaml);
  ASSERT_EQ(ToString(again.errors), "") << yaml;
  EXPECT_TRUE(MessageDifferencer::Equals(*loaded.value, *again.value)) << yaml;
}

TEST(ToYaml, QuotesTextThatYamlWouldTakeForSomethingElse) {
  const char* const bodies[] = {
      "null", "true",         "1",     "-",     "a: b",   "a #b",        "\"\\\n\t\x01", "&a",
      "*a",   "- a",          "a:",    "1.5e3", "~",      "caf\xc3\xa9", "{a}",          "0x10",
      "on",   " a",           "a, b]", "!x",    "a\r\nb", "%d",          "@a",           "`a`",
      "1:2",  "\xe2\x82\xac", "a\n",   "=",     "<<"};
  v1::Policy policy = *LoadText(kReference).value;
  for (const char* body : bodies) {
    v1::DirectResponseAction* answer =
        policy.mutable_virtual_hosts(0)->mutable_routes(0)->mutable_direct_response();
    answer->set_status(200);
    answer->set_body(body);
    const std::string yaml = ToYaml(policy);
    const Loaded<v1::Policy> loaded = LoadText(yaml);
    ASSERT_EQ(ToString(loaded.errors), "") << yaml;
    EXPECT_EQ(loaded.value->virtual_hosts(0).routes(0).direct_response().body(), body);
  }
}

TEST(ToYaml, IndentsAndShowsDefaults) {
  v1::EmitAction emit;
  emit.set_topic("order.changed");
  emit.add_methods("POST");
  ApplyDefaults(&emit);
  EXPECT_EQ(ToYaml(emit, 2),
            "  topic: order.changed\n"
            "  broker: embedded\n"
            "  on: SUCCESS\n"
            "  methods: [POST]\n"
            "  payload: NONE\n"
            "  guarantee: ON_ANSWER\n");
}

TEST(ToJson, KeepsTheFieldNames) {
  v1::Endpoint endpoint;
  endpoint.set_address("127.0.0.1:1");
  EXPECT_EQ(ToJson(endpoint), "{\n \"address\": \"127.0.0.1:1\"\n}\n");
}

Loaded<v1::SidecarBootstrap> LoadSidecar(const std::string& text) {
  return LoadSidecarBootstrap({"s.yaml", text});
}

TEST(LoadSidecarBootstrap, ReadsTheReferenceAndFillsInDefaults) {
  const Loaded<v1::SidecarBootstrap> loaded = LoadSidecar(R"(
node: { id: web-1, service: web }
listeners:
- { name: outbound, address: 127.0.0.1:15001 }
- { name: inbound,  address: 0.0.0.0:15006, direction: INBOUND, app: 127.0.0.1:8080 }
policy:
  control: { address: 127.0.0.1:18000 }
store: { path: /var/lib/pillion/web-1 }
runtime: { workers: 2, io: auto }
)");
  ASSERT_EQ(ToString(loaded.errors), "");
  EXPECT_EQ(ToString(loaded.warnings), "");
  EXPECT_EQ(loaded.value->admin().address(), "127.0.0.1:15000");
  EXPECT_EQ(loaded.value->listeners(0).direction(), v1::Listener::OUTBOUND);
  EXPECT_EQ(loaded.value->limits().max_header_bytes(), 64u << 10);
  EXPECT_EQ(loaded.value->log().access(), "-");
  EXPECT_EQ(loaded.value->log().level(), v1::INFO);
  EXPECT_EQ(ToAbslDuration(loaded.value->drain_timeout()), absl::Seconds(10));
}

TEST(LoadSidecarBootstrap, ReportsAllMistakes) {
  EXPECT_EQ(
      ToString(LoadSidecar(R"(
admin: { address: localhost:15000 }
listeners:
- { name: a, address: 127.0.0.1:0, app: 127.0.0.1:1 }
- { name: a, address: 127.0.0.1:0, direction: INBOUND }
- { name: b, address: 127.0.0.1:0, direction: IN, app: 127.0.0.1:1 }
policy: { files: [], control: {} }
limits: { max_header_bytes: 1 }
)")
                   .errors),
      "s.yaml:2:1: node: required field is missing\n"
      "s.yaml:2:1: store: required field is missing\n"
      "s.yaml:2:19: admin.address: expected an address such as 127.0.0.1:80, [::1]:80 or "
      "unix:/path, found "
      "'localhost:15000'\n"
      "s.yaml:4:41: listeners[0].app: makes sense only with 'direction=INBOUND'\n"
      "s.yaml:5:3: listeners[1].app: required field is missing (because of 'direction=INBOUND')\n"
      "s.yaml:5:11: listeners[1].name: duplicate listener 'a'; the first is at s.yaml:4\n"
      "s.yaml:6:47: listeners[2].direction: expected one of OUTBOUND, INBOUND, found 'IN'\n"
      "s.yaml:7:18: policy.files: must not be empty\n"
      "s.yaml:7:31: policy.control.address: required field is missing\n"
      "s.yaml:8:29: limits.max_header_bytes: must be at least 1KiB\n");
}

TEST(LoadSidecarBootstrap, SaysThatAnEmptyFileIsNoBootstrap) {
  EXPECT_EQ(ToString(LoadSidecar("").errors).substr(0, 44),
            "s.yaml:1:1: expected a map, found nothing\ns.");
}

TEST(LoadControlBootstrap, WarnsOfAnOpenDoor) {
  const Loaded<v1::ControlBootstrap> loaded = LoadControlBootstrap({"c.yaml", R"(
xds: { address: 0.0.0.0:18000 }
rest: { address: 0.0.0.0:18001 }
policy: { directory: policy/ }
state: { path: state/ }
)"});
  ASSERT_EQ(ToString(loaded.errors), "");
  EXPECT_EQ(ToString(loaded.warnings),
            "c.yaml:3:18: rest.address: '0.0.0.0:18001' can be reached from other machines, and "
            "nothing there asks who "
            "calls\n");
}

}  // namespace
}  // namespace pillion::config
