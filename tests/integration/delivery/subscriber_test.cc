// What a subscriber's answers bring about: attempts, dead letters and what an operator does with
// them, order.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "tests/integration/delivery/gate.h"
#include "tests/integration/delivery/sidecar_process.h"
#include "tests/integration/harness/origin.h"

namespace pillion::harness {
namespace {

// POST /TOPIC publishes to TOPIC (one, two), keyed by x-key; one subscription takes each.
std::string Policy(const Origin& subscriber, const std::string& more = "") {
  return absl::Substitute(R"(
clusters:
- { name: hub, endpoints: ["127.0.0.1:$0"] }
virtual_hosts:
- name: shop
  domains: [shop]
  routes:
  - { match: { path: /one }, publish: { topic: one, key: { header: x-key } } }
  - { match: { path: /two }, publish: { topic: two, key: { header: x-key } } }
subscriptions:
- name: sub-one
  topic: one
  cluster: hub
  path: /sub-one
  retry_policy: { num_retries: 3, retry_back_off: { base_interval: 5ms, max_interval: 20ms } }$1
- name: sub-two
  topic: two
  cluster: hub
  path: /sub-two
  retry_policy: { num_retries: 0 }
)",
                          subscriber.port(), more);
}

// Answers with the statuses of a script, then with 200.
class Script {
 public:
  explicit Script(std::deque<int> statuses = {}) : statuses_(std::move(statuses)) {}
  void Append(int status) {
    std::lock_guard lock(mutex_);
    statuses_.push_back(status);
  }
  const Origin& origin() const { return origin_; }

 private:
  Response Answer() {
    std::lock_guard lock(mutex_);
    if (statuses_.empty()) return Response{.status = 200};
    const int status = statuses_.front();
    statuses_.pop_front();
    return Response{.status = status, .body = absl::StrCat("no: ", status)};
  }

  std::mutex mutex_;
  std::deque<int> statuses_;
  Origin origin_{[this](const Request&) { return Answer(); }};
};

Json Listed(const SidecarProcess& sidecar, const std::string& query) {
  return ParseJson(sidecar.Admin("GET", "/.pillion/deliveries?" + query))["deliveries"];
}

TEST(Subscriber, IsAskedAgainAfterAnAnswerThatMayChange) {
  for (const int status : {404, 408, 409, 429, 500, 503}) {
    Script hub({status, status});
    SidecarProcess sidecar(Policy(hub.origin()));
    ASSERT_TRUE(sidecar.Start().ok());
    const Json message = sidecar.AwaitFinal(sidecar.Call("POST", "http://shop/one", "x"));
    ASSERT_EQ(message["deliveries"].size(), 1u) << status;
    const Json delivery = message["deliveries"][0];
    EXPECT_EQ(delivery.value("status", ""), "succeeded") << status;
    EXPECT_EQ(delivery.value("attempts", 0), 3) << status;
    const std::vector<Request> requests = hub.origin().requests();
    ASSERT_EQ(requests.size(), 3u) << status;
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(requests[i].Header("pillion-attempt"), std::to_string(i + 1));
      EXPECT_EQ(requests[i].Header("pillion-delivery-id"), delivery.value("id", ""));
    }
  }
}

TEST(Subscriber, IsNeverAskedAgainAfterAnAnswerThatSaysNo) {
  Script hub;
  SidecarProcess sidecar(Policy(hub.origin()));
  ASSERT_TRUE(sidecar.Start().ok());
  for (const int status : {400, 401, 403, 410, 422, 301}) {
    hub.Append(status);
    const Json message = sidecar.AwaitFinal(sidecar.Call("POST", "http://shop/one", "x"));
    EXPECT_EQ(message.value("status", ""), "failed") << status;
    const Json delivery = message["deliveries"][0];
    EXPECT_EQ(delivery.value("attempts", 0), 1) << status;
    EXPECT_EQ(delivery.value("lastStatus", 0), status);
  }
  EXPECT_EQ(Listed(sidecar, "state=failed").size(), 6u);
}

TEST(Subscriber, ThatIsSilentOrBreaksOffIsAskedAgain) {
  std::atomic<int> count = 0;
  Origin hub(Origin::RawHandler([&](Connection& connection) {
    if (++count <= 2) {
      origin::ResetWithoutAnswer()(connection);
    } else if (ReadRequestHead(connection).ok()) {
      WriteResponse(connection, {.status = 204}, "POST").IgnoreError();
    }
  }));
  SidecarProcess sidecar(Policy(hub));
  ASSERT_TRUE(sidecar.Start().ok());
  const Json message = sidecar.AwaitFinal(sidecar.Call("POST", "http://shop/one"));
  EXPECT_EQ(message.value("status", ""), "succeeded") << message;
  EXPECT_EQ(message["deliveries"][0].value("attempts", 0), 3);
}

TEST(DeadLetters, KeepWhatHappenedAndCanBeFoundByFilters) {
  Script hub({500, 422});
  SidecarProcess sidecar(Policy(hub.origin()));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response two = sidecar.Call("POST", "http://shop/two", "x", {{"X-Key", "k"}});
  ASSERT_TRUE(IsFinal(sidecar.AwaitFinal(two)));
  const Response one = sidecar.Call("POST", "http://shop/one", "y");
  ASSERT_TRUE(IsFinal(sidecar.AwaitFinal(one)));
  ASSERT_TRUE(IsFinal(sidecar.AwaitFinal(sidecar.Call("POST", "http://shop/one", "z"))));

  EXPECT_EQ(Listed(sidecar, "").size(), 3u);
  EXPECT_EQ(Listed(sidecar, "state=succeeded").size(), 1u);
  EXPECT_EQ(Listed(sidecar, "state=failed").size(), 2u);
  EXPECT_EQ(Listed(sidecar, "state=failed&topic=one").size(), 1u);
  EXPECT_EQ(Listed(sidecar, "state=failed&created_after=2100-01-01T00:00:00Z").size(), 0u);
  const Json found = Listed(sidecar, "state=failed&subscription=sub-two");
  ASSERT_EQ(found.size(), 1u);
  const Json letter = found[0];
  EXPECT_EQ(letter.value("messageId", ""), ParseJson(two).value("id", ""));
  EXPECT_EQ(letter.value("kind", ""), "PUBLISH");
  EXPECT_EQ(letter.value("topic", ""), "two");
  EXPECT_EQ(letter.value("cluster", ""), "hub");
  EXPECT_EQ(letter.value("reason", ""), "RETRIES_EXHAUSTED");
  EXPECT_EQ(letter.value("attempts", 0), 1);
  EXPECT_EQ(letter.value("lastStatus", 0), 500);
  EXPECT_EQ(Listed(sidecar, "state=failed&subscription=sub-one")[0].value("reason", ""),
            "REJECTED");

  const Json whole = ParseJson(
      sidecar.Admin("GET", "/.pillion/deliveries/" + letter.value("id", "")))["deliveries"][0];
  EXPECT_EQ(whole["answer"].value("status", 0), 500) << whole;
  EXPECT_EQ(whole["answer"].value("body", ""), "no: 500") << whole;

  // Callers have no business there.
  EXPECT_EQ(sidecar.Call("GET", "/.pillion/deliveries").status, 404);
}

TEST(DeadLetters, KeepTheBeginningOfALargeAnswer) {
  Origin hub(
      [](const Request&) { return Response{.status = 422, .body = std::string(200'000, 'x')}; });
  SidecarProcess sidecar(Policy(hub));
  ASSERT_TRUE(sidecar.Start().ok());
  ASSERT_TRUE(IsFinal(sidecar.AwaitFinal(sidecar.Call("POST", "http://shop/two", "y"))));
  const std::string id = Listed(sidecar, "state=failed")[0].value("id", "");
  const Json whole = ParseJson(sidecar.Admin("GET", "/.pillion/deliveries/" + id));
  EXPECT_EQ(whole["deliveries"][0]["answer"].value("body", ""), std::string(2048, 'x'));
}

TEST(DeadLetters, AreDeliveredAfterAllWhenReplayed) {
  Script hub({500, 500, 500});
  SidecarProcess sidecar(Policy(hub.origin()));
  ASSERT_TRUE(sidecar.Start().ok());
  std::vector<Response> messages;
  for (int i = 0; i < 3; ++i) {
    messages.push_back(sidecar.Call("POST", "http://shop/two", absl::StrCat("m", i)));
    ASSERT_EQ(sidecar.AwaitFinal(messages.back()).value("status", ""), "failed");
  }
  const Json letters = Listed(sidecar, "state=failed");
  ASSERT_EQ(letters.size(), 3u);
  const std::string first = letters[0].value("id", "");

  const Response one = sidecar.Admin("POST", "/.pillion/deliveries:replay",
                                     absl::StrCat(R"({"ids":[")", first, R"("]})"));
  EXPECT_EQ(ParseJson(one).value("changed", 0), 1) << one.body;
  EXPECT_EQ(sidecar.AwaitFinal(messages[0]).value("status", ""), "succeeded");
  EXPECT_EQ(hub.origin().requests().back().body, "m0");
  EXPECT_EQ(hub.origin().requests().back().Header("pillion-delivery-id"), first);

  const Response rest = sidecar.Admin("POST", "/.pillion/deliveries:replay",
                                      R"({"filter":{"subscription":"sub-two"}})");
  EXPECT_EQ(ParseJson(rest).value("changed", 0), 2) << rest.body;
  for (const Response& message : messages) {
    EXPECT_EQ(sidecar.AwaitFinal(message).value("status", ""), "succeeded");
  }
  EXPECT_EQ(Listed(sidecar, "state=failed").size(), 0u);
  // What has been delivered is not delivered once more.
  const Response again = sidecar.Admin("POST", "/.pillion/deliveries:replay",
                                       absl::StrCat(R"({"ids":[")", first, R"(","nobody"]})"));
  EXPECT_EQ(
      ParseJson(again),
      Json({{"changed", 0}, {"skipped", 1}, {"unknownIds", {"nobody"}}, {"nextPageToken", ""}}))
      << again.body;
  EXPECT_EQ(hub.origin().request_count(), 6u);
}

TEST(DeadLetters, AreGoneWhenDropped) {
  Script hub({500, 500});
  SidecarProcess sidecar(Policy(hub.origin()));
  ASSERT_TRUE(sidecar.Start().ok());
  std::vector<Response> messages;
  for (int i = 0; i < 2; ++i) {
    messages.push_back(sidecar.Call("POST", "http://shop/two", "x"));
    ASSERT_EQ(sidecar.AwaitFinal(messages.back()).value("status", ""), "failed");
  }
  const std::string first = Listed(sidecar, "state=failed")[0].value("id", "");
  EXPECT_EQ(ParseJson(sidecar.Admin("POST", "/.pillion/deliveries:drop",
                                    absl::StrCat(R"({"ids":[")", first, R"("]})")))
                .value("changed", 0),
            1);
  EXPECT_EQ(sidecar.Call("GET", *messages[0].Header("location")).status, 404);
  EXPECT_EQ(ParseJson(sidecar.Admin("POST", "/.pillion/deliveries:drop", R"({"all":true})"))
                .value("changed", 0),
            1);
  EXPECT_EQ(Listed(sidecar, "").size(), 0u);
}

// The bodies that were delivered, by key, in the order of the successful answers.
class InOrder {
 public:
  // The first two attempts of every seventh message fail.
  Response Answer(const Request& request) {
    std::lock_guard lock(mutex_);
    const int number = std::stoi(request.body);
    const int attempt = ++attempts_[number];
    if (number % 7 == 0 && attempt <= 2) return Response{.status = 503};
    done_[request.Header("ce-partitionkey").value_or("")].push_back(number);
    return Response{.status = 200};
  }
  std::map<std::string, std::vector<int>> done() const {
    std::lock_guard lock(mutex_);
    return done_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<int, int> attempts_;
  std::map<std::string, std::vector<int>> done_;
};

TEST(OrderByKey, HoldsUnderRetriesAndAcrossARestart) {
  InOrder order;
  Gate gate;
  Origin hub([&](const Request& request) {
    gate.Wait();
    return order.Answer(request);
  });
  Gate::AtEnd open(gate);
  SidecarProcess sidecar(Policy(hub, "\n  order_by_key: true"));
  ASSERT_TRUE(sidecar.Start().ok());
  const std::vector<std::string> keys = {"a", "b", "c"};
  std::vector<Response> messages;
  for (int i = 0; i < 45; ++i) {
    messages.push_back(
        sidecar.Call("POST", "http://shop/one", std::to_string(i), {{"X-Key", keys[i % 3]}}));
    ASSERT_EQ(messages.back().status, 202);
  }
  // One of each key is on its way, and no more.
  ASSERT_TRUE(hub.WaitForRequests(3));
  EXPECT_EQ(Listed(sidecar, "state=running").size(), 3u);
  sidecar.Kill();
  const size_t before = hub.request_count();
  ASSERT_TRUE(sidecar.Start().ok());
  ASSERT_TRUE(hub.WaitForRequests(before + 3));
  EXPECT_EQ(hub.requests().back().Header("pillion-attempt"), "2");
  gate.Open();
  for (const Response& message : messages) {
    ASSERT_EQ(sidecar.AwaitFinal(message).value("status", ""), "succeeded");
  }
  for (size_t key = 0; key < keys.size(); ++key) {
    std::vector<int> expected;
    for (int i = static_cast<int>(key); i < 45; i += 3) expected.push_back(i);
    // At least once: those that ran when it was killed came twice, and the hub may be done with the
    // abandoned one late.
    const std::vector<int> done = order.done()[keys[key]];
    std::vector<int> first_times;
    for (int number : done) {
      const bool repeated = std::count(first_times.begin(), first_times.end(), number) > 0;
      if (!repeated) first_times.push_back(number);
    }
    EXPECT_EQ(first_times, expected) << keys[key];
  }
}

TEST(OrderByKey, LeavesMessagesWithoutAKeyAlone) {
  Gate gate;
  Origin hub([&](const Request&) {
    gate.Wait();
    return Response{.status = 200};
  });
  Gate::AtEnd open(gate);
  SidecarProcess sidecar(Policy(hub, "\n  order_by_key: true"));
  ASSERT_TRUE(sidecar.Start().ok());
  for (int i = 0; i < 4; ++i) sidecar.Call("POST", "http://shop/one", "x");
  EXPECT_TRUE(hub.WaitForRequests(4));
}

}  // namespace
}  // namespace pillion::harness
