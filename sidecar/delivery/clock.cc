#include "sidecar/delivery/clock.h"

#include <algorithm>

#include "absl/time/clock.h"

namespace pillion::delivery {
namespace {

// The time of day may be set ahead, or the machine sleep, while somebody waits: so he looks at it
// again after this.
constexpr absl::Duration kLongestWait = absl::Seconds(5);

}  // namespace

absl::Time AdvancingTime::Advance(absl::Time time_of_day,
                                  std::chrono::steady_clock::time_point steady) {
  const absl::Time expected = last_ + absl::FromChrono(steady - last_steady_);
  last_ = std::max(time_of_day, expected);
  last_steady_ = steady;
  return last_;
}

absl::Time SystemClock::Now() {
  const std::lock_guard<std::mutex> lock(mutex_);
  const absl::Time time_of_day = absl::Now();
  return time_.Advance(time_of_day, std::chrono::steady_clock::now());
}

void SystemClock::WaitUntil(std::unique_lock<std::mutex>& lock, std::condition_variable& wakeup,
                            absl::Time deadline) {
  const absl::Duration wait = std::min(deadline - Now(), kLongestWait);
  if (wait > absl::ZeroDuration()) wakeup.wait_for(lock, absl::ToChronoNanoseconds(wait));
}

}  // namespace pillion::delivery
