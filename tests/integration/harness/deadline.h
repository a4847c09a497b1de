// Time limits of tests. A limit is only ever reached by a test that fails, so that the default is
// generous enough for a sanitizer build on a busy machine.

#ifndef PILLION_TESTS_INTEGRATION_HARNESS_DEADLINE_H_
#define PILLION_TESTS_INTEGRATION_HARNESS_DEADLINE_H_

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>

namespace pillion::harness {

inline constexpr std::chrono::milliseconds kPatience = std::chrono::seconds(30);

// A point in time, made from a duration. Every function of the harness that waits takes one.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  Deadline() : Deadline(kPatience) {}
  // Implicit, so that a caller can write ReadToEnd(5s).
  template <typename Rep, typename Period>
  Deadline(std::chrono::duration<Rep, Period> from_now) : at_(Clock::now() + from_now) {}

  bool Passed() const { return Clock::now() >= at_; }
  Clock::time_point at() const { return at_; }

  // What is left, as poll(2) wants it: milliseconds, rounded up, never negative (which means
  // forever).
  int PollTimeout() const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(at_ - Clock::now());
    return static_cast<int>(std::max<std::chrono::milliseconds::rep>(0, left.count()));
  }

 private:
  Clock::time_point at_;
};

// True as soon as `condition` is, false if it is not by `deadline`. For what can only be asked
// again and again, such as the counters of another process; prefer a call that waits, where there
// is one.
inline bool Eventually(const std::function<bool()>& condition, Deadline deadline = {}) {
  while (!condition()) {
    if (deadline.Passed()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace pillion::harness

#endif  // PILLION_TESTS_INTEGRATION_HARNESS_DEADLINE_H_
