// An edit of the policy file changes what becomes of a call, while calls go on.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/integration/harness/http_client.h"
#include "tests/integration/harness/origin.h"
#include "tests/integration/proxy/test_sidecar.h"

namespace pillion::proxy_test {
namespace {

using harness::HttpClient;
using harness::Origin;
using harness::Request;
using harness::Response;

constexpr int kEdits = 50;
constexpr int kCalls = kSanitized ? 1000 : 5000;
constexpr int kParallel = 4;  // callers beside the one that is measured alone

const char* ModeOf(int edit) {
  static constexpr const char* kModes[] = {"forward", "direct", "async"};
  return kModes[edit % 3];
}

// Every policy says its number twice, in places that different parts of the sidecar apply: a call
// that saw half of two policies would hear two numbers.
std::string Policy(int edit, int port) {
  static constexpr char kForward[] =
      "route: { cluster: orders, request_headers_to_add: { x-edit: \"$\" }, "
      "response_headers_to_add: { x-policy: \"$\" } }";
  static constexpr char kDirect[] =
      "direct_response: { status: 200, body: \"direct $\", headers: { x-policy: \"$\" } }";
  static constexpr char kAsync[] =
      "async: { cluster: orders, respond: { body: \"async $\", headers: { x-policy: \"$\" } } }";
  static constexpr const char* kActions[] = {kForward, kDirect, kAsync};
  std::string action;
  for (const char* c = kActions[edit % 3]; *c != '\0'; ++c) {
    if (*c == '$') {
      absl::StrAppend(&action, edit);
    } else {
      action += *c;
    }
  }
  return absl::StrCat("clusters:\n- { name: orders, endpoints: [\"127.0.0.1:", port,
                      "\"] }\nvirtual_hosts:\n- name: orders\n  domains: [orders]\n  routes:\n",
                      "  - { match: { prefix: / }, ", action, " }\n");
}

// Empty, or what is wrong with an answer.
std::string Mistake(const absl::StatusOr<Response>& response) {
  if (!response.ok()) return response.status().ToString();
  const std::string number = response->Header("x-policy").value_or("none");
  const int edit = std::atoi(number.c_str());
  const int status = edit % 3 == 2 ? 202 : 200;
  const std::string body = absl::StrCat(ModeOf(edit), " ", number);
  if (response->status == status && response->body == body) return "";
  return absl::StrCat("status ", response->status, ", x-policy ", number, ", body ",
                      response->body);
}

struct Caller {
  void Run(int port, std::atomic<int>& calls, const std::atomic<bool>& edited) {
    HttpClient client(port);
    while (mistake.empty() && (!edited || calls < kCalls)) {
      mistake = Mistake(client.Post("http://orders/reports", "{}"));
      ++calls;
    }
    connections = client.connections_made();
  }

  std::string mistake;
  int connections = 0;
};

class ModeChange : public testing::Test {
 protected:
  // Edits the policy kEdits times while `callers` call, each over one connection that stays.
  void EditWhileCalling(int callers) {
    Origin orders([](const Request& request) {
      return Response{.body = absl::StrCat("forward ", request.Header("x-edit").value_or("-"))};
    });
    TestSidecar::Options options;
    options.access = "";
    TestSidecar sidecar(Policy(0, orders.port()), options);
    const int port = sidecar.port();

    std::atomic<int> calls{0};
    std::atomic<bool> edited{false};
    std::vector<Caller> running(static_cast<size_t>(callers));
    std::vector<std::thread> threads;
    for (Caller& caller : running) {
      threads.emplace_back([&] { caller.Run(port, calls, edited); });
    }
    std::vector<std::chrono::nanoseconds> times;
    for (int edit = 1; edit <= kEdits; ++edit) {
      // Spread over the calls, so that every policy is in use for a while.
      harness::Eventually([&] { return calls >= edit * kCalls / (kEdits + 1); });
      const auto begun = std::chrono::steady_clock::now();
      sidecar.SetPolicy(Policy(edit, orders.port()));
      times.push_back(std::chrono::steady_clock::now() - begun);
    }
    edited = true;
    for (std::thread& thread : threads) thread.join();

    EXPECT_GE(calls, kCalls);
    for (const Caller& caller : running) {
      EXPECT_EQ(caller.mistake, "");
      EXPECT_EQ(caller.connections, 1) << "an edit has cost a caller its connection";
    }
    std::sort(times.begin(), times.end());
    if (!kSanitized) {
      EXPECT_LT(times[times.size() / 2], std::chrono::seconds(1));
    }
    HttpClient client(port);
    const auto last = client.Post("http://orders/reports", "{}");
    EXPECT_EQ(Mistake(last), "");
    EXPECT_EQ(last.ok() ? last->Header("x-policy").value_or("") : "", absl::StrCat(kEdits));
    EXPECT_EQ(sidecar.Stop(), harness::ExitStatus::Code(0)) << sidecar.process().Output();
  }
};

TEST_F(ModeChange, LosesNoCallAndMixesNoPoliciesInSequence) { EditWhileCalling(1); }

TEST_F(ModeChange, LosesNoCallAndMixesNoPoliciesInParallel) { EditWhileCalling(kParallel); }

TEST_F(ModeChange, KeepsTheLastGoodPolicyWhenTheNewOneIsWrong) {
  Origin orders([](const Request& request) {
    return Response{.body = absl::StrCat("forward ", request.Header("x-edit").value_or("-"))};
  });
  TestSidecar sidecar(Policy(3, orders.port()));
  const size_t before = sidecar.process().Output().size();
  ASSERT_TRUE(
      harness::WriteFileAtomically(sidecar.policy_path(), "virtual_hosts: [{ nam: orders }]\n")
          .ok());
  const auto told = sidecar.process().WaitForOutput("unknown field; did you mean 'name'", before);
  EXPECT_TRUE(told.ok()) << told.status();

  EXPECT_EQ(Mistake(HttpClient(sidecar.port()).Post("http://orders/", "{}")), "");
  HttpClient admin(sidecar.admin_port());
  EXPECT_EQ(admin.Get("/ready")->status, 200);
  EXPECT_TRUE(harness::Eventually([&] {
    const auto dump = admin.Get("/config_dump");
    return dump.ok() && dump->body.find("did you mean 'name'") != std::string::npos;
  }));
  sidecar.SetPolicy(Policy(4, orders.port()));
  EXPECT_EQ(HttpClient(sidecar.port()).Post("http://orders/", "{}")->body, "direct 4");
}

}  // namespace
}  // namespace pillion::proxy_test
