#include "core/net/timer.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

namespace pillion::net {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

class Recorder : public Timer {
 public:
  explicit Recorder(std::vector<int>* fired = nullptr, int id = 0) : fired_(fired), id_(id) {}
  int count = 0;

 private:
  void OnTimer() override {
    ++count;
    if (fired_ != nullptr) fired_->push_back(id_);
  }
  std::vector<int>* fired_;
  int id_;
};

const TimePoint kStart = TimePoint() + hours(1);

TEST(TimerWheel, FiresAtTheDeadlineAndNotBefore) {
  TimerWheel wheel(kStart);
  for (int64_t delay : {1, 63, 64, 65, 4095, 4096, 5000, 300000, 20000000}) {
    TimerWheel fresh(kStart);
    Recorder timer;
    timer.Arm(fresh, kStart + milliseconds(delay));
    fresh.Advance(kStart + milliseconds(delay - 1));
    EXPECT_EQ(timer.count, 0) << delay;
    fresh.Advance(kStart + milliseconds(delay));
    EXPECT_EQ(timer.count, 1) << delay;
    EXPECT_FALSE(timer.armed());
  }
}

TEST(TimerWheel, NextWakeNeverComesAfterTheEarliestDeadline) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    TimerWheel wheel(kStart);
    wheel.Advance(kStart + milliseconds(random() % 100000));
    Recorder timer;
    const TimePoint deadline = kStart + milliseconds(100000 + random() % 10000000);
    timer.Arm(wheel, deadline);
    int wakes = 0;
    while (timer.count == 0) {
      std::optional<TimePoint> wake = wheel.NextWake();
      ASSERT_TRUE(wake.has_value());
      ASSERT_LE(*wake, deadline);
      wheel.Advance(*wake);
      ASSERT_LT(++wakes, 10);
    }
  }
}

TEST(TimerWheel, FiresAllOfManyInOrderOfTime) {
  TimerWheel wheel(kStart);
  std::vector<int> fired;
  std::vector<std::unique_ptr<Recorder>> timers;
  std::mt19937 random(1);
  for (int i = 0; i < 1000; ++i) {
    const int delay = static_cast<int>(random() % 100000) + 1;
    timers.push_back(std::make_unique<Recorder>(&fired, delay));
    timers.back()->Arm(wheel, kStart + milliseconds(delay));
  }
  wheel.Advance(kStart + milliseconds(100001));
  ASSERT_EQ(fired.size(), 1000u);
  EXPECT_TRUE(std::is_sorted(fired.begin(), fired.end()));
  EXPECT_FALSE(wheel.NextWake().has_value());
}

TEST(TimerWheel, AMovedTimerFiresOnceAtItsLastDeadline) {
  TimerWheel wheel(kStart);
  Recorder later, earlier;
  later.Arm(wheel, kStart + milliseconds(10));
  later.Arm(wheel, kStart + milliseconds(500));
  earlier.Arm(wheel, kStart + milliseconds(500));
  earlier.Arm(wheel, kStart + milliseconds(10));
  wheel.Advance(kStart + milliseconds(100));
  EXPECT_EQ(later.count, 0);
  EXPECT_EQ(earlier.count, 1);
  wheel.Advance(kStart + milliseconds(1000));
  EXPECT_EQ(later.count, 1);
  EXPECT_EQ(earlier.count, 1);
}

TEST(TimerWheel, ADisarmedOrDestroyedTimerDoesNotFire) {
  TimerWheel wheel(kStart);
  std::vector<int> fired;
  Recorder disarmed(&fired, 1);
  disarmed.Arm(wheel, kStart + milliseconds(5));
  disarmed.Disarm();
  {
    Recorder destroyed(&fired, 2);
    destroyed.Arm(wheel, kStart + milliseconds(5));
  }
  wheel.Advance(kStart + milliseconds(50));
  EXPECT_TRUE(fired.empty());
}

TEST(TimerWheel, ATimerArmedForThePastFiresInTheNextTurnOnly) {
  class Again : public Timer {
   public:
    explicit Again(TimerWheel& wheel) : wheel_(wheel) { Arm(wheel_, kStart); }
    int count = 0;

   private:
    void OnTimer() override {
      ++count;
      Arm(wheel_, kStart);
    }
    TimerWheel& wheel_;
  };
  TimerWheel wheel(kStart);
  wheel.Advance(kStart + milliseconds(10));
  Again timer(wheel);
  wheel.Advance(kStart + milliseconds(11));
  EXPECT_EQ(timer.count, 1);
}

}  // namespace
}  // namespace pillion::net
