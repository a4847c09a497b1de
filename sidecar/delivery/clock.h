// The time of day as the delivery engine sees it, and waiting for an instant of it.
//
// Wall-clock time, as due times and expiries outlive the process and the machine; but it never goes
// back while the process runs.
#ifndef PILLION_SIDECAR_DELIVERY_CLOCK_H_
#define PILLION_SIDECAR_DELIVERY_CLOCK_H_

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "absl/time/time.h"

namespace pillion::delivery {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() = 0;
  // Waits on `wakeup` (with `lock` held, as std::condition_variable::wait does) until it is
  // notified or Now() reaches `deadline`. May return early.
  virtual void WaitUntil(std::unique_lock<std::mutex>& lock, std::condition_variable& wakeup,
                         absl::Time deadline) = 0;
};

// Makes a time that never goes back of two clocks, one of which may be set: where the time of day
// was set back it goes on from where it was, as fast as the other clock. What waits for an instant
// would wait for as long again as the clock was wrong. Not thread-safe.
class AdvancingTime {
 public:
  // Both as they are now, the time of day read first.
  absl::Time Advance(absl::Time time_of_day, std::chrono::steady_clock::time_point steady);

 private:
  absl::Time last_ = absl::InfinitePast();
  std::chrono::steady_clock::time_point last_steady_;
};

class SystemClock : public Clock {
 public:
  absl::Time Now() override;
  void WaitUntil(std::unique_lock<std::mutex>& lock, std::condition_variable& wakeup,
                 absl::Time deadline) override;

 private:
  std::mutex mutex_;
  AdvancingTime time_;
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_CLOCK_H_
