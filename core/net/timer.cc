#include "core/net/timer.h"

#include <algorithm>
#include <bit>

namespace pillion::net {
namespace {
constexpr auto kTick = std::chrono::milliseconds(1);
}  // namespace

void Timer::Arm(TimerWheel& wheel, TimePoint deadline) {
  deadline_ = deadline;
  const uint64_t tick = std::max(wheel.TickAtOrAfter(deadline), wheel.now_tick_ + 1);
  if (wheel_ != nullptr) {
    if (slot_tick_ <= tick) return;  // seen early enough where it is
    wheel_->Unlink(*this);
  }
  wheel.Link(*this, tick);
}

TimerWheel::~TimerWheel() {
  for (auto& level : slots_) {
    for (Timer* timer : level) {
      for (; timer != nullptr; timer = timer->next_) timer->wheel_ = nullptr;
    }
  }
}

uint64_t TimerWheel::TickAtOrAfter(TimePoint time) const {
  if (time <= start_) return 0;
  // A deadline of "never" would overflow when rounded up.
  const Duration since = std::min<Duration>(time - start_, std::chrono::hours(24 * 365));
  return static_cast<uint64_t>(std::chrono::ceil<std::chrono::milliseconds>(since) / kTick);
}

void TimerWheel::Link(Timer& timer, uint64_t tick) {
  // The level is that of the highest digit (base 64) in which the tick differs from now, so every
  // timer of a level's slot lies in the stretch that the slot's turn opens.
  const uint64_t difference = (now_tick_ ^ tick) | (kSlots - 1);
  const int level = std::min((63 - std::countl_zero(difference)) / kBits, kLevels - 1);
  const int slot = static_cast<int>((tick >> (level * kBits)) & (kSlots - 1));
  timer.wheel_ = this;
  timer.slot_tick_ = tick;
  timer.level_ = static_cast<uint8_t>(level);
  timer.slot_ = static_cast<uint8_t>(slot);
  timer.previous_ = nullptr;
  timer.next_ = slots_[level][slot];
  if (timer.next_ != nullptr) timer.next_->previous_ = &timer;
  slots_[level][slot] = &timer;
  occupied_[level] |= uint64_t{1} << slot;
  next_tick_ = std::min(next_tick_, (tick >> (level * kBits)) << (level * kBits));
}

void TimerWheel::Unlink(Timer& timer) {
  if (timer.previous_ != nullptr) {
    timer.previous_->next_ = timer.next_;
  } else {
    slots_[timer.level_][timer.slot_] = timer.next_;
    if (timer.next_ == nullptr) occupied_[timer.level_] &= ~(uint64_t{1} << timer.slot_);
  }
  if (timer.next_ != nullptr) timer.next_->previous_ = timer.previous_;
  timer.wheel_ = nullptr;
}

uint64_t TimerWheel::NextTick() const {
  uint64_t earliest = kNever;
  for (int level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) continue;
    const int shift = level * kBits;
    const int current = static_cast<int>((now_tick_ >> shift) & (kSlots - 1));
    const int ahead = std::countr_zero(std::rotr(occupied_[level], current));
    // Slots behind the current one belong to the next turn of the level, which only the top has.
    const uint64_t tick = ((now_tick_ >> shift) + static_cast<uint64_t>(ahead)) << shift;
    earliest = std::min(earliest, std::max(tick, now_tick_));
  }
  return earliest;
}

std::optional<TimePoint> TimerWheel::NextWake() const {
  if (next_tick_ == kNever) return std::nullopt;
  return start_ + kTick * static_cast<int64_t>(next_tick_);
}

void TimerWheel::Expire(int level, int slot) {
  while (Timer* timer = slots_[level][slot]) {
    Unlink(*timer);
    if (!timer->deadline_) continue;
    const uint64_t tick = TickAtOrAfter(*timer->deadline_);
    if (tick > now_tick_) {
      Link(*timer, tick);
      continue;
    }
    timer->deadline_.reset();
    timer->OnTimer();
  }
}

void TimerWheel::Advance(TimePoint now) {
  const uint64_t target =
      now <= start_ ? 0 : static_cast<uint64_t>((now - start_) / kTick);  // whole ticks only
  while (next_tick_ <= target) {
    next_tick_ = NextTick();  // may be later than it seemed
    if (next_tick_ > target) break;
    now_tick_ = next_tick_;
    for (int level = kLevels - 1; level >= 0; --level) {
      const uint64_t below = (uint64_t{1} << (level * kBits)) - 1;
      if ((now_tick_ & below) != 0) continue;  // this level's slot does not open now
      Expire(level, static_cast<int>((now_tick_ >> (level * kBits)) & (kSlots - 1)));
    }
  }
  now_tick_ = std::max(now_tick_, target);
}

}  // namespace pillion::net
