// An engine on a real SQLite file with a fake clock, and its asynchronous interface made
// synchronous. For tests.
#ifndef PILLION_SIDECAR_DELIVERY_ENGINE_HARNESS_H_
#define PILLION_SIDECAR_DELIVERY_ENGINE_HARNESS_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "sidecar/delivery/engine.h"
#include "sidecar/delivery/fake_clock.h"
#include "sidecar/delivery/random.h"
#include "sidecar/delivery/sqlite_store.h"

namespace pillion::delivery {

// Values on their way from the engine's thread to the test's.
template <typename T>
class Inbox {
 public:
  void Put(T value) {
    const std::lock_guard<std::mutex> lock(mutex_);
    values_.push_back(std::move(value));
    arrived_.notify_all();
  }
  // Nothing if none comes within half a minute: the test has failed.
  std::optional<T> Next() {
    std::unique_lock<std::mutex> lock(mutex_);
    const auto deadline = std::chrono::system_clock::now() + std::chrono::seconds(30);
    if (!arrived_.wait_until(lock, deadline, [this] { return !values_.empty(); }))
      return std::nullopt;
    T value = std::move(values_.front());
    values_.pop_front();
    return value;
  }
  size_t size() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return values_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<T> values_;
};

// A new empty directory below the test's temporary one.
std::string NewDirectory();

class EngineHarness {
 public:
  explicit EngineHarness(EngineOptions options = {}, std::string directory = NewDirectory(),
                         int max_row_bytes = SqliteStore::kMaxRowBytes);
  ~EngineHarness();

  // As after the end of the process: what ran is lost.
  void Restart();

  absl::StatusOr<Accepted> Accept(AcceptRequest request);
  absl::StatusOr<std::vector<Accepted>> AcceptAll(std::vector<AcceptRequest> requests);
  absl::StatusOr<MessageView> Get(const std::string& id);
  absl::StatusOr<DeliveryResult> GetResult(const std::string& id);
  absl::StatusOr<std::vector<ListedDelivery>> Describe(const std::string& id, bool content);
  absl::StatusOr<MessageView> Cancel(const std::string& id);
  absl::StatusOr<DeliveryPage> List(ListRequest request);
  absl::StatusOr<ChangeSummary> Change(ChangeRequest request);
  absl::StatusOr<ChangeSummary> Replay(DeliverySelection selection);
  absl::StatusOr<ChangeSummary> Drop(DeliverySelection selection);
  // The state of an operation, or of the first delivery of a message.
  DeliveryState StateOf(const std::string& id);

  // The next attempt that was dispatched. Ends the test if none comes.
  ClaimedDelivery NextAttempt();
  // Waits until everything that is due now has been dispatched; returns how many attempts wait for
  // NextAttempt.
  size_t AttemptsWaiting();
  // Lets the engine's thread come to rest.
  void Settle();

  void Succeed(const ClaimedDelivery& delivery, int status = 200, std::string body = "");
  void FailForNow(const ClaimedDelivery& delivery, int status = 503,
                  absl::Duration retry_after = {});
  // What an abort leads to.
  void EndAborted(const ClaimedDelivery& delivery);
  void Postpone(const ClaimedDelivery& delivery, absl::Duration wait);
  void FailForGood(const ClaimedDelivery& delivery, int status = 400, std::string body = "");

  FakeClock clock;
  std::unique_ptr<Engine> engine;
  Inbox<ClaimedDelivery> attempts;
  Inbox<uint64_t> aborts;
  const std::string directory;

 private:
  void Open();

  SecureRandom random_;
  const EngineOptions options_;
  const int max_row_bytes_;
};

// An asynchronous call on `route`: retried up to `num_retries` times, at once (no back-off).
AcceptRequest AsyncCall(const std::string& route = "reports", int num_retries = 3);
// A message with one delivery per subscription, no limit of retries worth the name.
AcceptRequest Publication(const std::string& topic, const std::vector<std::string>& subscriptions,
                          int num_retries = 3);

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_ENGINE_HARNESS_H_
