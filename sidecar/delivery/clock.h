// The time of day as the delivery engine sees it, and waiting for an instant of it.
//
// Wall-clock time, as due times and expiries outlive the process and the machine.
#ifndef PILLION_SIDECAR_DELIVERY_CLOCK_H_
#define PILLION_SIDECAR_DELIVERY_CLOCK_H_

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

class SystemClock : public Clock {
 public:
  absl::Time Now() override;
  void WaitUntil(std::unique_lock<std::mutex>& lock, std::condition_variable& wakeup,
                 absl::Time deadline) override;
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_CLOCK_H_
