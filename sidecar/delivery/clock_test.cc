#include "sidecar/delivery/clock.h"

#include <gtest/gtest.h>

namespace pillion::delivery {
namespace {

using Steady = std::chrono::steady_clock::time_point;
using std::chrono::seconds;

const absl::Time kNoon = absl::FromUnixSeconds(1'000'000'000);

TEST(AdvancingTime, IsTheTimeOfDay) {
  AdvancingTime time;
  EXPECT_EQ(time.Advance(kNoon, Steady(seconds(7))), kNoon);
  EXPECT_EQ(time.Advance(kNoon + absl::Seconds(5), Steady(seconds(12))), kNoon + absl::Seconds(5));
}

TEST(AdvancingTime, FollowsATimeOfDayThatIsSetAhead) {
  AdvancingTime time;
  time.Advance(kNoon, Steady(seconds(7)));
  EXPECT_EQ(time.Advance(kNoon + absl::Hours(1), Steady(seconds(8))), kNoon + absl::Hours(1));
}

TEST(AdvancingTime, GoesOnWhereTheTimeOfDayIsSetBackUntilThatHasCaughtUp) {
  AdvancingTime time;
  time.Advance(kNoon, Steady(seconds(100)));
  EXPECT_EQ(time.Advance(kNoon - absl::Hours(1), Steady(seconds(103))), kNoon + absl::Seconds(3));
  EXPECT_EQ(time.Advance(kNoon - absl::Minutes(59), Steady(seconds(163))),
            kNoon + absl::Seconds(63));
  EXPECT_EQ(time.Advance(kNoon + absl::Minutes(2), Steady(seconds(164))), kNoon + absl::Minutes(2));
}

TEST(SystemClock, WaitsNoLongerThanUntilTheDeadline) {
  SystemClock clock;
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock<std::mutex> lock(mutex);
  const absl::Time deadline = clock.Now() + absl::Milliseconds(5);
  while (clock.Now() < deadline) clock.WaitUntil(lock, never, deadline);
  clock.WaitUntil(lock, never, absl::InfinitePast());
}

}  // namespace
}  // namespace pillion::delivery
