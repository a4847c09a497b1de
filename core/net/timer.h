// Timers of one loop: a hierarchical wheel with a resolution of one millisecond.
//
// Arming, moving and disarming are O(1) and allocate nothing. A timer that is moved later only
// stores its new deadline; the wheel looks at it again when the old one comes round, because nearly
// every timeout is moved or dropped long before it fires. Everything here belongs to the loop's
// thread.

#ifndef PILLION_CORE_NET_TIMER_H_
#define PILLION_CORE_NET_TIMER_H_

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

namespace pillion::net {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

class TimerWheel;

// Something that happens once at a time. Derive and implement OnTimer().
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer();  // disarms it

  // Arms the timer, or moves it. A deadline in the past fires in the loop's next turn.
  void Arm(TimerWheel& wheel, TimePoint deadline);
  void Disarm() { deadline_.reset(); }
  bool armed() const { return deadline_.has_value(); }

 protected:
  // Called in the loop's turn, disarmed. May arm this timer again or destroy it.
  virtual void OnTimer() = 0;

 private:
  friend class TimerWheel;

  std::optional<TimePoint> deadline_;
  TimerWheel* wheel_ = nullptr;  // set while linked into a slot
  Timer* previous_ = nullptr;
  Timer* next_ = nullptr;
  uint64_t slot_tick_ = 0;  // when the wheel will look at it
  uint8_t level_ = 0;
  uint8_t slot_ = 0;
};

class TimerWheel {
 public:
  explicit TimerWheel(TimePoint start) : start_(start) {}
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;
  ~TimerWheel();

  // Fires every timer whose deadline is at or before `now`.
  void Advance(TimePoint now);

  // When Advance() has to be called next; empty when no timer is linked. Never later than the
  // earliest deadline; may be earlier.
  std::optional<TimePoint> NextWake() const;

 private:
  friend class Timer;

  static constexpr int kBits = 6;
  static constexpr int kSlots = 1 << kBits;
  static constexpr int kLevels = 6;  // 2^36 ms: two years

  uint64_t TickAtOrAfter(TimePoint time) const;
  void Link(Timer& timer, uint64_t tick);
  void Unlink(Timer& timer);
  uint64_t NextTick() const;
  void Expire(int level, int slot);

  static constexpr uint64_t kNever = ~uint64_t{0};

  const TimePoint start_;
  uint64_t now_tick_ = 0;
  // No occupied slot opens before it. Dropping a timer leaves it as it is, which costs a look that
  // finds nothing.
  uint64_t next_tick_ = kNever;
  std::array<uint64_t, kLevels> occupied_{};  // one bit a slot
  std::array<std::array<Timer*, kSlots>, kLevels> slots_{};
};

inline Timer::~Timer() {
  if (wheel_ != nullptr) wheel_->Unlink(*this);
}

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_TIMER_H_
