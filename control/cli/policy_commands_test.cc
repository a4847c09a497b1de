#include <gtest/gtest.h>
#include <sysexits.h>

#include <filesystem>
#include <string>
#include <vector>

#include "control/cli/run_pillionctl.h"

namespace pillion::control {
namespace {

constexpr char kPolicy[] = R"(
clusters: [{ name: orders, endpoints: [127.0.0.1:5001] }]
virtual_hosts:
- name: orders
  domains: [orders, "*.orders.local"]
  routes:
  - name: create-report
    match: { prefix: /reports, methods: [POST], headers: [{ name: x-tier, exact: gold }] }
    publish: { topic: report.wanted }
  - name: ping
    match: { path: /ping, query_parameters: [{ name: deep, present: true }] }
    direct_response: { status: 204 }
subscriptions: [{ name: audit, topic: "report.*", cluster: orders }]
)";

class Pillionctl : public testing::Test {
 protected:
  void SetUp() override { Write("policy.yaml", kPolicy); }
  void Write(const std::string& name, const std::string& text) {
    WriteFile(directory_ + "/" + name, text);
  }
  void Expect(const std::vector<std::string>& arguments, int status, const std::string& out,
              const std::string& err) {
    const Finished finished = RunPillionctl(arguments, directory_);
    EXPECT_EQ(finished.status, status);
    EXPECT_EQ(finished.out, out);
    EXPECT_EQ(finished.err, err);
  }

  const std::string directory_ = TestDirectory();
};

TEST_F(Pillionctl, ValidatesAGoodPolicyFromFilesAndDirectories) {
  Expect({"validate", "policy.yaml"}, 0,
         "ok: 1 virtual host, 2 routes, 1 cluster, 0 brokers, 1 subscription\n", "");
  std::filesystem::create_directory(directory_ + "/more");
  Write("more/users.yaml",
        "clusters: [{ name: users, endpoints: [127.0.0.1:5002] }]\n"
        "brokers: [{ name: events, embedded: {} }]\n"
        "subscriptions: [{ name: s, topic: report.*, cluster: users }]\n"
        "virtual_hosts: [{ name: users, domains: [users] }]\n");
  Expect({"validate", "policy.yaml", "more"}, 0,
         "ok: 2 virtual hosts, 2 routes, 2 clusters, 1 broker, 2 subscriptions\n", "");
}

TEST_F(Pillionctl, SaysEveryMistakeOfEveryFileOnItsOwnLine) {
  Write("a.yaml",
        "virtual_hosts:\n"
        "- name: v\n"
        "  domains: [orders]\n"
        "  routes:\n"
        "  - { match: { prefix: / }, route: { cluster: order, timout: 3s } }\n");
  Expect({"validate", "policy.yaml", "a.yaml"}, 1, "",
         "a.yaml:3:13: virtual_hosts[0].domains[0]: duplicate domain 'orders'; the first is at "
         "policy.yaml:5\n"
         "a.yaml:5:47: virtual_hosts[0].routes[0].route.cluster: no cluster 'order' is defined; "
         "did you mean 'orders'?\n"
         "a.yaml:5:54: virtual_hosts[0].routes[0].route.timout: unknown field; did you mean "
         "'timeout'?\n");
}

TEST_F(Pillionctl, WarnsOfWhatIsLegalButSenseless) {
  Write("policy.yaml",
        "virtual_hosts:\n"
        "- name: v\n"
        "  domains: [v]\n"
        "  routes:\n"
        "  - { name: all, match: { prefix: / }, direct_response: { status: 204 } }\n"
        "  - { match: { path: /x }, direct_response: { status: 204 } }\n");
  Expect({"validate", "policy.yaml"}, 0,
         "ok: 1 virtual host, 2 routes, 0 clusters, 0 brokers, 0 subscriptions\n",
         "warning: policy.yaml:6:5: virtual_hosts[0].routes[1]: never gets a call: routes[0] "
         "'all' before it matches all of them\n");
}

TEST_F(Pillionctl, SaysWhichFileCannotBeRead) {
  const Finished finished = RunPillionctl({"validate", "absent.yaml"}, directory_);
  EXPECT_EQ(finished.status, 1);
  EXPECT_TRUE(finished.err.starts_with("absent.yaml: no such file or directory")) << finished.err;
}

TEST_F(Pillionctl, ExplainsACallThatMatches) {
  Expect({"explain", "--policy", "policy.yaml", "POST", "http://Orders:8080/x/../reports/7#top",
          "-H", "X-Tier: gold", "-H", "accept: */*"},
         0,
         R"(path '/x/../reports/7' is taken as '/reports/7'
virtual host 'orders': yes: 'Orders:8080' is 'orders'
  routes[0] 'create-report': matches
    publish:
      topic: report.wanted
      broker: embedded
      payload: FULL
      max_request_bytes: 8MiB
      delay: 0s
      max_delay: 0s
)",
         "");
}

TEST_F(Pillionctl, ExplainsACallThatMatchesNothing) {
  Expect({"explain", "--policy", "policy.yaml", "POST", "http://orders/reports"}, 2,
         R"(virtual host 'orders': yes: 'orders' is 'orders'
  routes[0] 'create-report': header x-tier is absent, wanted 'gold'
  routes[1] 'ping': path '/reports' is not '/ping'
no route of virtual host 'orders' matches POST /reports
)",
         "");
  Expect({"explain", "--policy", "policy.yaml", "GET", "http://user/"}, 2,
         R"(virtual host 'orders': no: 'user' is none of orders, *.orders.local
no virtual host has the domain 'user'
)",
         "");
  Expect({"explain", "--policy", "policy.yaml", "GET", "http://order/"}, 2,
         R"(virtual host 'orders': no: 'order' is none of orders, *.orders.local
no virtual host has the domain 'order'; did you mean 'orders'?
)",
         "");
}

TEST_F(Pillionctl, TakesTheAuthorityFromAHostHeaderAsASidecarDoes) {
  for (const char* url :
       {"http://127.0.0.1:15001/ping?deep", "http://127.0.0.1:15001/ping?deep="}) {
    Expect({"explain", "--policy", "policy.yaml", "GET", url, "-H", "Host: eu.orders.local"}, 0,
           R"(virtual host 'orders': yes: 'eu.orders.local' is '*.orders.local'
  routes[0] 'create-report': path '/ping' does not start with '/reports'
  routes[1] 'ping': matches
    direct_response:
      status: 204
)",
           "");
  }
}

TEST_F(Pillionctl, ExplainsWhatAServiceMaySee) {
  Write("policy.yaml",
        "virtual_hosts:\n"
        "- { name: inner, domains: [orders], source_services: [billing, audit],\n"
        "    routes: [{ match: { prefix: / }, direct_response: { status: 204 } }] }\n"
        "- { name: rest, domains: ['*'],\n"
        "    routes: [{ match: { prefix: / }, direct_response: { status: 403 } }] }\n");
  const std::string inner =
      "virtual host 'inner': yes: 'orders' is 'orders'\n"
      "virtual host 'rest': no: 'orders' is '*', but a more specific domain goes before\n"
      "  routes[0]: matches\n"
      "    direct_response:\n"
      "      status: 204\n";
  const auto explain = [&](std::vector<std::string> service, const std::string& out) {
    std::vector<std::string> arguments = {"explain", "--policy", "policy.yaml"};
    arguments.insert(arguments.end(), service.begin(), service.end());
    arguments.insert(arguments.end(), {"GET", "http://orders/"});
    Expect(arguments, 0, out, "");
  };
  explain({"--service", "audit"}, inner);
  explain({}, inner +
                  "only for calls of billing, audit (source_services); --service NAME explains "
                  "those of another service\n");
  explain({"--service", "web"},
          "virtual host 'inner': no: 'web' is none of its source_services\n"
          "virtual host 'rest': yes: 'orders' is '*'\n"
          "  routes[0]: matches\n"
          "    direct_response:\n"
          "      status: 403\n");
}

TEST_F(Pillionctl, RefusesToExplainWhatASidecarWouldNotTake) {
  const auto refused = [&](const std::string& url, const std::string& header,
                           const std::string& err) {
    Expect({"explain", "--policy", "policy.yaml", "GET", url, "-H", header}, 1, "", err + "\n");
  };
  refused("orders/", "a: b", "'orders/': a URL starts with http://");
  refused("http://orders/a b", "a: b", "'http://orders/a b': a URL has no spaces");
  refused("http://orders/", "a", "'a': a header is written 'name: value'");
  refused("http://orders/", "a: b\r\nc: d", "'a: b\r\nc: d': a header is one line");
  refused("http://orders:99999/", "a: b",
          "a sidecar answers 400 to this call: invalid port in the host");
  refused("http://orders/%2f", "a: b",
          "a sidecar answers 400 to this call: an escaped slash, backslash or NUL in the path");
  Expect({"explain", "--policy", "policy.yaml", "G T", "http://orders/"}, 1, "",
         "'G T' is not a method\n");
}

TEST_F(Pillionctl, DoesNotExplainByABadPolicy) {
  Write("policy.yaml", "virtual_host: []\n");
  Expect({"explain", "--policy", "policy.yaml", "GET", "http://orders/"}, 1, "",
         "policy.yaml:1:1: virtual_host: unknown field; did you mean 'virtual_hosts'?\n");
}

TEST_F(Pillionctl, HelpsWithItsUse) {
  Expect({"validate"}, EX_USAGE, "", "POLICY is required\nRun with --help for more information.\n");
  const Finished help = RunPillionctl({"explain", "--help"}, directory_);
  EXPECT_EQ(help.status, 0);
  EXPECT_NE(help.out.find("  pillionctl explain --policy policy/ GET http://orders/reports\n"),
            std::string::npos)
      << help.out;
}

}  // namespace
}  // namespace pillion::control
