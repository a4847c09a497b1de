// Order by key, whatever happens: retries, dead letters, kills, and two workers at once.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "tests/integration/delivery/sidecar_process.h"
#include "tests/integration/harness/origin.h"

namespace pillion::harness {
namespace {

constexpr int kKeys = 6;
constexpr int kKills = 5;
constexpr int kPerKey = 12;  // accepted, at least, between two kills

std::string Policy(const Origin& receiver) {
  return absl::Substitute(R"(
clusters:
- { name: receiver, endpoints: ["127.0.0.1:$0"] }
virtual_hosts:
- name: shop
  domains: [shop]
  routes:
  - { name: news, match: { path: /publish }, publish: { topic: news, key: { header: x-key } } }
subscriptions:
- name: reader
  topic: news
  cluster: receiver
  order_by_key: true
  retry_policy: { num_retries: 3, retry_back_off: { base_interval: 1ms, max_interval: 20ms } }
)",
                          receiver.port());
}

// What arrived, key by key. Of ten numbers one is refused for good, one fails whenever it comes,
// and one fails at first.
class Receiver {
 public:
  const Origin& origin() const { return origin_; }
  std::vector<int> Of(const std::string& key) const {
    std::lock_guard lock(mutex_);
    const auto found = seen_.find(key);
    return found == seen_.end() ? std::vector<int>() : found->second;
  }

 private:
  Response Answer(const Request& request) {
    const int number = std::stoi(request.body);
    const std::string key = request.Header("ce-partitionkey").value_or("");
    const int attempt = std::stoi(request.Header("pillion-attempt").value_or("0"));
    std::lock_guard lock(mutex_);
    // One that a killed sidecar had sent, and that was read only after the next one had repeated
    // it, says nothing about the order in which they were sent.
    int& latest = attempts_[{key, number}];
    if (attempt < latest) return Response{.status = 200};
    latest = attempt;
    seen_[key].push_back(number);
    if (number % 10 == 3) return Response{.status = 400};
    if (number % 10 == 6) return Response{.status = 503};
    if (number % 10 == 8 && ++failures_[{key, number}] == 1) return Response{.status = 503};
    return Response{.status = 200};
  }

  mutable std::mutex mutex_;
  std::map<std::string, std::vector<int>> seen_;
  std::map<std::pair<std::string, int>, int> attempts_;
  std::map<std::pair<std::string, int>, int> failures_;
  Origin origin_{[this](const Request& request) { return Answer(request); }};
};

// One thread a key, each of which publishes one number after the other.
class Publishers {
 public:
  explicit Publishers(const SidecarProcess& sidecar) : sidecar_(sidecar) {
    for (int key = 0; key < kKeys; ++key) threads_.emplace_back([this, key] { Run(key); });
  }
  ~Publishers() { Stop(); }

  bool AwaitMore() {
    std::vector<size_t> before;
    for (int key = 0; key < kKeys; ++key) before.push_back(Accepted(key).size());
    return Eventually([&] {
      for (int key = 0; key < kKeys; ++key) {
        if (Accepted(key).size() < before[static_cast<size_t>(key)] + kPerKey) return false;
      }
      return true;
    });
  }
  void Stop() {
    stopping_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  std::map<int, Response> Accepted(int key) const {
    std::lock_guard lock(mutex_);
    return accepted_[key];
  }

 private:
  void Run(int key) {
    for (int number = 0; !stopping_; ++number) {
      const Response response = sidecar_.Call("POST", "http://shop/publish", std::to_string(number),
                                              {{"x-key", absl::StrCat(key)}});
      if (response.status != 202) continue;
      std::lock_guard lock(mutex_);
      accepted_[key].emplace(number, response);
    }
  }

  const SidecarProcess& sidecar_;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  std::map<int, Response> accepted_[kKeys];
  std::vector<std::thread> threads_;
};

TEST(OrderByKey, HoldsUnderKillsRetriesAndDeadLetters) {
  Receiver receiver;
  SidecarProcess sidecar(Policy(receiver.origin()));
  ASSERT_TRUE(sidecar.Start().ok());
  Publishers publishers(sidecar);
  for (int kill = 0; kill < kKills; ++kill) {
    ASSERT_TRUE(publishers.AwaitMore());
    ASSERT_TRUE(sidecar.process().Running());
    sidecar.Kill();
    const absl::Status started = sidecar.Start();
    ASSERT_TRUE(started.ok()) << started << "\n" << sidecar.process().Output();
  }
  ASSERT_TRUE(publishers.AwaitMore());
  publishers.Stop();
  for (int key = 0; key < kKeys; ++key) {
    for (const auto& [number, response] : publishers.Accepted(key)) {
      const Json status = sidecar.AwaitFinal(response);
      const bool fails = number % 10 == 3 || number % 10 == 6;
      ASSERT_EQ(status.value("status", ""), fails ? "failed" : "succeeded")
          << "key " << key << ", number " << number << ": " << status;
    }
    // An attempt may come twice, but never after one of a later number: also of those whose
    // publisher was killed before it heard that they were accepted.
    const std::vector<int> seen = receiver.Of(absl::StrCat(key));
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()))
        << "key " << key << ": " << testing::PrintToString(seen);
    for (const auto& [number, response] : publishers.Accepted(key)) {
      EXPECT_TRUE(std::binary_search(seen.begin(), seen.end(), number))
          << "key " << key << " lacks " << number;
    }
  }
}

}  // namespace
}  // namespace pillion::harness
