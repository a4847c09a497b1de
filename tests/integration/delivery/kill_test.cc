// A sidecar that is killed again and again: what it said is safe, is.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "tests/integration/delivery/sidecar_process.h"
#include "tests/integration/harness/origin.h"

namespace pillion::harness {
namespace {

constexpr int kKills = 10;
constexpr int kCallers = 4;

std::string Policy(const Origin& receiver) {
  return absl::Substitute(R"(
clusters:
- { name: receiver, endpoints: ["127.0.0.1:$0"] }
virtual_hosts:
- name: shop
  domains: [shop]
  routes:
  - name: order
    match: { path: /async }
    async:
      cluster: receiver
      retry_policy: { num_retries: 1000, retry_back_off: { base_interval: 1ms, max_interval: 50ms } }
  - { name: news, match: { path: /publish }, publish: { topic: news } }
subscriptions:
- name: first
  topic: news
  cluster: receiver
  path: /first
  retry_policy: { num_retries: 1000, retry_back_off: { base_interval: 1ms, max_interval: 50ms } }
- name: second
  topic: news
  cluster: receiver
  path: /second
  retry_policy: { num_retries: 1000, retry_back_off: { base_interval: 1ms, max_interval: 50ms } }
)",
                          receiver.port());
}

// Counts what arrived, by path and number. Every fifth request is told to come again.
class Receiver {
 public:
  const Origin& origin() const { return origin_; }
  int Seen(const std::string& path, int number) const {
    std::lock_guard lock(mutex_);
    const auto found = seen_.find({path, number});
    return found == seen_.end() ? 0 : found->second;
  }

 private:
  Response Answer(const Request& request) {
    std::lock_guard lock(mutex_);
    if (++requests_ % 5 == 0) return Response{.status = 503};
    ++seen_[{request.target, std::stoi(request.body)}];
    return Response{.status = 200};
  }

  mutable std::mutex mutex_;
  int requests_ = 0;
  std::map<std::pair<std::string, int>, int> seen_;
  Origin origin_{[this](const Request& request) { return Answer(request); }};
};

// Calls from several threads, each with its own number, and what was accepted of them.
class Callers {
 public:
  struct Accepted {
    int number;
    Response response;
  };

  explicit Callers(const SidecarProcess& sidecar) : sidecar_(sidecar) {
    for (int i = 0; i < kCallers; ++i) threads_.emplace_back([this] { Run(); });
  }
  ~Callers() { Stop(); }

  // Until `count` more have been accepted.
  bool AwaitMore(size_t count) {
    std::unique_lock lock(mutex_);
    const size_t goal = accepted_.size() + count;
    return more_.wait_for(lock, kPatience, [&] { return accepted_.size() >= goal; });
  }

  const std::vector<Accepted>& Stop() {
    stopping_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    return accepted_;
  }
  // Answers other than 202, but for none at all.
  int refused() const { return refused_; }

 private:
  void Run() {
    while (!stopping_) {
      const int number = next_++;
      const Response response =
          sidecar_.Call("POST", number % 2 == 0 ? "http://shop/async" : "http://shop/publish",
                        std::to_string(number));
      if (response.status == 202) {
        std::lock_guard lock(mutex_);
        accepted_.push_back({number, response});
        more_.notify_all();
      } else if (response.status != 0) {
        // A moment after its start it has no policy yet, and says so.
        refused_ += !absl::StrContains(response.body, "no policy");
      }
    }
  }

  const SidecarProcess& sidecar_;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> next_ = 0;
  std::atomic<int> refused_ = 0;
  std::mutex mutex_;
  std::condition_variable more_;
  std::vector<Accepted> accepted_;
  std::vector<std::thread> threads_;
};

TEST(Killed, LosesNothingThatItAccepted) {
  const unsigned seed = std::random_device()();
  RecordProperty("seed", std::to_string(seed));
  std::mt19937 random(seed);
  Receiver receiver;
  SidecarProcess sidecar(Policy(receiver.origin()));
  ASSERT_TRUE(sidecar.Start().ok());
  Callers callers(sidecar);
  for (int kill = 0; kill < kKills; ++kill) {
    ASSERT_TRUE(callers.AwaitMore(std::uniform_int_distribution<size_t>(1, 80)(random)));
    ASSERT_TRUE(sidecar.process().Running());
    sidecar.process().Signal(SIGKILL);
    const absl::StatusOr<ExitStatus> end = sidecar.process().WaitForExit();
    ASSERT_TRUE(end.ok()) << end.status();
    ASSERT_EQ(*end, ExitStatus::Signal(SIGKILL)) << "seed " << seed << ", kill " << kill;
    const absl::Status started = sidecar.Start();
    ASSERT_TRUE(started.ok()) << started << "\n" << sidecar.process().Output();
  }
  const std::vector<Callers::Accepted>& accepted = callers.Stop();
  EXPECT_EQ(callers.refused(), 0);
  EXPECT_GE(accepted.size(), static_cast<size_t>(kKills));
  for (const Callers::Accepted& call : accepted) {
    const Json status = sidecar.AwaitFinal(call.response);
    ASSERT_EQ(status.value("status", "unknown"), "succeeded")
        << "seed " << seed << ", number " << call.number << ": " << status;
    const bool async = call.number % 2 == 0;
    for (const char* path : {"/async", "/first", "/second"}) {
      const bool due = async == (std::string(path) == "/async");
      if (due) {
        EXPECT_GE(receiver.Seen(path, call.number), 1) << call.number;
      } else {
        EXPECT_EQ(receiver.Seen(path, call.number), 0) << call.number;
      }
    }
  }
}

}  // namespace
}  // namespace pillion::harness
