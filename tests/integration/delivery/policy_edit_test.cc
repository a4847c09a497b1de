// Edits of the policy while deliveries are on their way.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "absl/time/time.h"
#include "tests/integration/delivery/sidecar_process.h"
#include "tests/integration/harness/origin.h"

namespace pillion::harness {
namespace {

constexpr int kEdits = 24;
constexpr int kCallers = 3;

// One route, in the mode that `action` says.
std::string Policy(const Origin& origin, const std::string& action) {
  return absl::Substitute(R"(
clusters:
- { name: orders, endpoints: ["127.0.0.1:$0"] }
virtual_hosts:
- name: orders
  domains: [orders]
  routes: [{ name: order, match: { prefix: / }, $1 }]
subscriptions:
- { name: hub, topic: order.*, cluster: orders, path: /hub }
)",
                          origin.port(), action);
}

struct Answered {
  std::string number;
  Response response;
};

TEST(PolicyEdit, BetweenModesFailsNoCallAndLosesNoDelivery) {
  Origin origin([](const Request& request) { return Response{.body = "done " + request.body}; });
  const std::vector<std::string> modes = {
      "async: { cluster: orders }", "route: { cluster: orders }", "publish: { topic: order.news }",
      "async: { cluster: orders, wait: 5s }"};
  SidecarProcess sidecar(Policy(origin, modes[0]));
  ASSERT_TRUE(sidecar.Start().ok());
  std::mutex mutex;
  std::vector<Answered> answered;
  std::atomic<bool> stopping = false;
  std::atomic<size_t> next = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&] {
      while (!stopping) {
        const std::string number = std::to_string(next++);
        Response response = sidecar.Call("POST", "http://orders/x", number);
        std::lock_guard lock(mutex);
        answered.push_back({number, std::move(response)});
      }
    });
  }
  const auto count = [&] {
    std::lock_guard lock(mutex);
    return answered.size();
  };
  absl::Status edited;
  bool called = true;
  for (int edit = 1; edit <= kEdits && edited.ok() && called; ++edit) {
    // Each mode serves a few calls.
    const size_t before = count();
    called = Eventually([&] { return count() >= before + 10; });
    edited = sidecar.EditPolicy(Policy(origin, modes[edit % modes.size()]));
  }
  stopping = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_TRUE(edited.ok()) << edited;
  EXPECT_TRUE(called);

  std::map<std::string, int> modes_seen;
  std::set<std::string> promised;
  for (const Answered& call : answered) {
    const std::string location = call.response.Header("location").value_or("");
    if (call.response.status == 200) {
      EXPECT_EQ(call.response.body, "done " + call.number);
      ++modes_seen["answered"];
      continue;
    }
    ASSERT_EQ(call.response.status, 202) << call.response.body;
    const bool message = absl::StartsWith(location, "/.pillion/messages/");
    ++modes_seen[message ? "message" : "operation"];
    promised.insert(absl::StrCat(message ? "/hub " : "/x ", call.number));
    ASSERT_EQ(sidecar.AwaitFinal(call.response).value("status", ""), "succeeded") << call.number;
  }
  EXPECT_EQ(modes_seen.size(), 3u);
  for (const Request& request : origin.requests()) {
    promised.erase(absl::StrCat(request.target, " ", request.body));
  }
  EXPECT_TRUE(promised.empty()) << promised.size() << " never arrived, such as "
                                << *promised.begin();
}

absl::Time Time(const Json& text) {
  absl::Time time;
  EXPECT_TRUE(text.is_string() &&
              absl::ParseTime(absl::RFC3339_full, text.get<std::string>(), &time, nullptr))
      << text;
  return time;
}

// From an attempt to the next.
absl::Duration Wait(const Json& status) {
  return Time(status["nextAttemptAt"]) - Time(status["startedAt"]);
}

TEST(PolicyEdit, ThatTakesAwayAClusterOnlyDelaysItsDeliveries) {
  std::atomic<int> status = 503;
  Origin origin([&](const Request&) { return Response{.status = status}; });
  const std::string async =
      "async: { cluster: orders, retry_policy: { num_retries: 1000, retry_back_off: { "
      "base_interval: 5ms, max_interval: 20ms } } }";
  SidecarProcess sidecar(Policy(origin, async));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response operation = sidecar.Call("POST", "http://orders/x", "1");
  ASSERT_TRUE(origin.WaitForRequests(1));
  ASSERT_TRUE(
      sidecar
          .EditPolicy("virtual_hosts: [{ name: orders, domains: [orders], routes: [{ match: "
                      "{ prefix: / }, direct_response: { status: 200 } }] }]")
          .ok());
  const auto waits = [](const Json& s) {
    return s["status"] == "pending" && absl::StrContains(s["error"].dump(), "no cluster 'orders'");
  };
  const Json waiting = sidecar.AwaitStatus(operation, waits);
  ASSERT_FALSE(waiting.is_null()) << sidecar.Status(operation);
  // It goes on waiting, longer each time, and that uses nothing up. Nor does a restart.
  Json last = waiting;
  const auto await_another = [&] {
    last = sidecar.AwaitStatus(
        operation, [&](const Json& s) { return waits(s) && s["startedAt"] != last["startedAt"]; });
    ASSERT_FALSE(last.is_null());
    EXPECT_EQ(last["attempts"], waiting["attempts"]);
  };
  await_another();
  sidecar.Kill();
  ASSERT_TRUE(sidecar.Start().ok());
  await_another();
  await_another();
  EXPECT_GT(Wait(last), absl::Seconds(2)) << last;
  // When the cluster is back, it waits no more.
  status = 200;
  ASSERT_TRUE(sidecar.EditPolicy(Policy(origin, async)).ok());
  const Json done = sidecar.AwaitFinal(operation);
  EXPECT_EQ(done.value("status", ""), "succeeded");
  EXPECT_LT(Time(done["finishedAt"]), Time(last["nextAttemptAt"]));
}

}  // namespace
}  // namespace pillion::harness
