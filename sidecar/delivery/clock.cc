#include "sidecar/delivery/clock.h"

#include <algorithm>

#include "absl/time/clock.h"

namespace pillion::delivery {

absl::Time SystemClock::Now() { return absl::Now(); }

void SystemClock::WaitUntil(std::unique_lock<std::mutex>& lock, std::condition_variable& wakeup,
                            absl::Time deadline) {
  // Far instants do not fit the system's time type, and waking once a day costs nothing.
  const absl::Time tomorrow = absl::Now() + absl::Hours(24);
  wakeup.wait_until(lock, absl::ToChronoTime(std::min(deadline, tomorrow)));
}

}  // namespace pillion::delivery
