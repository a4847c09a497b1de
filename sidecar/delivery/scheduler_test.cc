#include "sidecar/delivery/scheduler.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace pillion::delivery {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1000);

Target Route(const std::string& name) { return {TargetKind::kRoute, name}; }

TEST(Scheduler, TargetsTakeTurns) {
  Scheduler scheduler(100, 1 << 20);
  for (const char* name : {"a", "b", "c"}) scheduler.AddDue(Route(name), kNow - absl::Seconds(1));
  std::vector<std::string> turns;
  for (int i = 0; i < 9; ++i) {
    const auto target = scheduler.NextTurn(kNow);
    ASSERT_TRUE(target.has_value());
    turns.push_back(target->name);
    scheduler.Took(*target);
    scheduler.Started(*target, 0);
  }
  for (size_t i = 3; i < turns.size(); ++i) EXPECT_EQ(turns[i], turns[i - 3]);
  EXPECT_NE(turns[0], turns[1]);
  EXPECT_NE(turns[1], turns[2]);
  EXPECT_NE(turns[0], turns[2]);
}

TEST(Scheduler, ATargetAtItsLimitWaitsUntilOneOfItsOwnEnds) {
  Scheduler scheduler(100, 1 << 20);
  scheduler.AddDue(Route("a"), kNow);
  scheduler.AddDue(Route("b"), kNow);
  auto turn = scheduler.NextTurn(kNow);
  const Target first = *turn;
  scheduler.Started(first, 0);
  scheduler.Took(first);
  turn = scheduler.NextTurn(kNow);
  const Target second = *turn;
  scheduler.Started(second, 0);
  scheduler.NotDue(second, absl::InfiniteFuture());
  EXPECT_EQ(scheduler.NextTurn(kNow), first);
  scheduler.AtLimit(first);
  EXPECT_EQ(scheduler.NextTurn(kNow), std::nullopt);
  scheduler.Ended(second, 0);
  EXPECT_EQ(scheduler.NextTurn(kNow), std::nullopt);
  EXPECT_FALSE(scheduler.MayStartNow(first, 1, kNow));
  scheduler.Ended(first, 0);
  EXPECT_EQ(scheduler.NextTurn(kNow), first);
}

TEST(Scheduler, NothingStartsBeyondTheLimitsOfTheWhole) {
  Scheduler scheduler(2, 1000);
  EXPECT_TRUE(scheduler.MayStartNow(Route("a"), 0, kNow));
  scheduler.Started(Route("a"), 10);
  scheduler.Started(Route("b"), 10);
  EXPECT_FALSE(scheduler.MayStartNow(Route("c"), 0, kNow));
  scheduler.AddDue(Route("c"), kNow);
  EXPECT_EQ(scheduler.NextTurn(kNow), std::nullopt);
  EXPECT_EQ(scheduler.NextDueAt(), absl::InfiniteFuture());
  scheduler.Ended(Route("a"), 10);
  EXPECT_EQ(scheduler.NextTurn(kNow), Route("c"));
  scheduler.NotDue(Route("c"), absl::InfiniteFuture());
  scheduler.Started(Route("d"), 990);
  scheduler.Ended(Route("b"), 10);
  EXPECT_TRUE(scheduler.MayStartNow(Route("a"), 0, kNow));
  scheduler.Ended(Route("d"), 990);
  scheduler.Started(Route("d"), 1000);
  EXPECT_FALSE(scheduler.MayStartNow(Route("a"), 0, kNow));
}

TEST(Scheduler, WhoComesLaterDoesNotOvertakeWhoWaits) {
  Scheduler scheduler(10, 1 << 20);
  scheduler.AddDue(Route("a"), kNow);
  EXPECT_TRUE(scheduler.MayStartNow(Route("b"), 0, kNow - absl::Milliseconds(1)));
  EXPECT_FALSE(scheduler.MayStartNow(Route("b"), 0, kNow));
}

TEST(Scheduler, KnowsWhenTheNextIsDue) {
  Scheduler scheduler(10, 1 << 20);
  EXPECT_EQ(scheduler.NextDueAt(), absl::InfiniteFuture());
  scheduler.AddDue(Route("a"), kNow + absl::Seconds(5));
  scheduler.AddDue(Route("b"), kNow + absl::Seconds(3));
  EXPECT_EQ(scheduler.NextDueAt(), kNow + absl::Seconds(3));
  scheduler.AddDue(Route("a"), kNow + absl::Seconds(1));
  EXPECT_EQ(scheduler.NextDueAt(), kNow + absl::Seconds(1));
  EXPECT_EQ(scheduler.NextTurn(kNow), std::nullopt);
  EXPECT_EQ(scheduler.NextTurn(kNow + absl::Seconds(1)), Route("a"));
  scheduler.NotDue(Route("a"), kNow + absl::Seconds(5));
  EXPECT_EQ(scheduler.NextDueAt(), kNow + absl::Seconds(3));
}

TEST(Scheduler, AfterAResetNothingRunsAndEverybodyIsAsked) {
  Scheduler scheduler(1, 1 << 20);
  scheduler.Started(Route("a"), 5);
  scheduler.AddDue(Route("b"), kNow + absl::Hours(1));
  scheduler.Reset();
  std::vector<std::string> asked;
  while (const auto target = scheduler.NextTurn(kNow)) {
    asked.push_back(target->name);
    scheduler.NotDue(*target, absl::InfiniteFuture());
  }
  EXPECT_EQ(asked.size(), 2u);
  EXPECT_EQ(scheduler.RunningOf(Route("a")), 0);
}

}  // namespace
}  // namespace pillion::delivery
