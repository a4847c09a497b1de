// A clock that stands still until a test moves it. For tests only.
#ifndef PILLION_SIDECAR_DELIVERY_FAKE_CLOCK_H_
#define PILLION_SIDECAR_DELIVERY_FAKE_CLOCK_H_

#include <condition_variable>
#include <mutex>

#include "absl/time/time.h"
#include "sidecar/delivery/clock.h"

namespace pillion::delivery {

// Serves one waiting thread.
class FakeClock : public Clock {
 public:
  absl::Time Now() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return now_;
  }

  void WaitUntil(std::unique_lock<std::mutex>& lock, std::condition_variable& wakeup,
                 absl::Time deadline) override {
    {
      const std::lock_guard<std::mutex> own(mutex_);
      if (now_ >= deadline) return;
      waiter_lock_ = lock.mutex();
      waiter_ = &wakeup;
    }
    wakeup.wait(lock);
    const std::lock_guard<std::mutex> own(mutex_);
    waiter_lock_ = nullptr;
    waiter_ = nullptr;
  }

  // Moves the time, and wakes the waiting thread. Negative: the clock was set back.
  void Advance(absl::Duration by) {
    std::mutex* waiter_lock = nullptr;
    std::condition_variable* waiter = nullptr;
    {
      const std::lock_guard<std::mutex> own(mutex_);
      now_ += by;
      waiter_lock = waiter_lock_;
      waiter = waiter_;
    }
    if (waiter == nullptr) return;
    // The waiter holds its lock from before it looks at the time until it sleeps: no wake-up is
    // lost.
    const std::lock_guard<std::mutex> lock(*waiter_lock);
    waiter->notify_all();
  }

 private:
  std::mutex mutex_;
  absl::Time now_ = absl::FromUnixSeconds(1'000'000'000);
  std::mutex* waiter_lock_ = nullptr;
  std::condition_variable* waiter_ = nullptr;
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_FAKE_CLOCK_H_
