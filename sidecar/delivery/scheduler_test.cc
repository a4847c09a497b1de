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
    scheduler.Started(*target, "c", 0);
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
  scheduler.Started(first, "c", 0);
  scheduler.Took(first);
  turn = scheduler.NextTurn(kNow);
  const Target second = *turn;
  scheduler.Started(second, "c", 0);
  scheduler.NotDue(second, absl::InfiniteFuture());
  EXPECT_EQ(scheduler.NextTurn(kNow), first);
  scheduler.AtLimit(first);
  EXPECT_EQ(scheduler.NextTurn(kNow), std::nullopt);
  scheduler.Ended(second, "c", 0);
  EXPECT_EQ(scheduler.NextTurn(kNow), std::nullopt);
  EXPECT_FALSE(scheduler.MayStartNow(first, "c", 1, kNow));
  scheduler.Ended(first, "c", 0);
  EXPECT_EQ(scheduler.NextTurn(kNow), first);
}

TEST(Scheduler, NothingStartsBeyondTheLimitsOfTheWhole) {
  Scheduler scheduler(2, 1000);
  EXPECT_TRUE(scheduler.MayStartNow(Route("a"), "c", 0, kNow));
  scheduler.Started(Route("a"), "c", 10);
  scheduler.Started(Route("b"), "c", 10);
  EXPECT_FALSE(scheduler.MayStartNow(Route("c"), "c", 0, kNow));
  scheduler.AddDue(Route("c"), kNow);
  EXPECT_EQ(scheduler.NextTurn(kNow), std::nullopt);
  EXPECT_EQ(scheduler.NextDueAt(), absl::InfiniteFuture());
  scheduler.Ended(Route("a"), "c", 10);
  EXPECT_EQ(scheduler.NextTurn(kNow), Route("c"));
  scheduler.NotDue(Route("c"), absl::InfiniteFuture());
  scheduler.Started(Route("d"), "c", 990);
  scheduler.Ended(Route("b"), "c", 10);
  EXPECT_TRUE(scheduler.MayStartNow(Route("a"), "c", 0, kNow));
  scheduler.Ended(Route("d"), "c", 990);
  scheduler.Started(Route("d"), "c", 1000);
  EXPECT_FALSE(scheduler.MayStartNow(Route("a"), "c", 0, kNow));
}

TEST(Scheduler, WhoComesLaterDoesNotOvertakeWhoWaits) {
  Scheduler scheduler(10, 1 << 20);
  scheduler.AddDue(Route("a"), kNow);
  EXPECT_TRUE(scheduler.MayStartNow(Route("b"), "c", 0, kNow - absl::Milliseconds(1)));
  EXPECT_FALSE(scheduler.MayStartNow(Route("b"), "c", 0, kNow));
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
  scheduler.Started(Route("a"), "c", 5);
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

// Starts whatever may start, each delivery to the cluster of its target's name with `bytes`, as if
// every target had more than enough. Returns how many.
int StartAll(Scheduler& scheduler, int64_t bytes = 0, std::string cluster = "") {
  int started = 0;
  while (const auto target = scheduler.NextTurn(kNow)) {
    const std::string& to = cluster.empty() ? target->name : cluster;
    if (scheduler.Wait(*target, to, 0)) continue;
    scheduler.Took(*target);
    scheduler.Started(*target, to, bytes);
    ++started;
  }
  return started;
}

TEST(Scheduler, ATargetHoldsNoMoreOfTheWholeThanItLeavesFree) {
  Scheduler scheduler(100, 1 << 20);
  scheduler.AddDue(Route("dead"), kNow);
  EXPECT_EQ(StartAll(scheduler), 50);
  scheduler.AddDue(Route("slow"), kNow);
  EXPECT_EQ(StartAll(scheduler), 25);
  EXPECT_TRUE(scheduler.MayStartNow(Route("new"), "new", 0, kNow));
  // One place that becomes free: those that wait for their share are asked, one by one.
  scheduler.Ended(Route("slow"), "slow", 0);
  EXPECT_EQ(StartAll(scheduler), 1);
  EXPECT_EQ(scheduler.RunningOf(Route("dead")), 50);
  EXPECT_EQ(scheduler.RunningOf(Route("slow")), 25);
}

TEST(Scheduler, SharesMemoryInTheSameWay) {
  Scheduler scheduler(1000, 1000);
  scheduler.AddDue(Route("large"), kNow);
  EXPECT_EQ(StartAll(scheduler, 100), 5);
  scheduler.AddDue(Route("larger"), kNow);
  EXPECT_EQ(StartAll(scheduler, 400), 1);
  EXPECT_EQ(scheduler.RunningOf(Route("larger")), 1);
  scheduler.AddDue(Route("small"), kNow);
  EXPECT_GE(StartAll(scheduler, 1), 1);
}

TEST(Scheduler, AClustersLimitHoldsOverItsTargetsWhichTakeTurns) {
  Scheduler scheduler(1000, 1 << 20);
  scheduler.SetClusterLimits({{"orders", 4}});
  scheduler.AddDue(Route("a"), kNow);
  scheduler.AddDue(Route("b"), kNow);
  EXPECT_EQ(StartAll(scheduler, 0, "orders"), 4);
  EXPECT_EQ(scheduler.RunningOf(Route("a")), 2);
  EXPECT_FALSE(scheduler.MayStartNow(Route("c"), "orders", 0, kNow));
  EXPECT_TRUE(scheduler.MayStartNow(Route("c"), "users", 0, kNow));
  EXPECT_EQ(scheduler.NextDueAt(), absl::InfiniteFuture());
  for (int i = 0; i < 20; ++i) {
    scheduler.Ended(Route("a"), "orders", 0);
    scheduler.Ended(Route("b"), "orders", 0);
    EXPECT_EQ(StartAll(scheduler, 0, "orders"), 2);
    EXPECT_EQ(scheduler.RunningOf(Route("a")), 2);
    EXPECT_EQ(scheduler.RunningOf(Route("b")), 2);
  }
}

TEST(Scheduler, APlaceThatIsNotNeededAfterAllIsPassedOn) {
  Scheduler scheduler(1000, 1 << 20);
  scheduler.SetClusterLimits({{"orders", 1}});
  scheduler.Started(Route("runs"), "orders", 0);
  for (const char* name : {"a", "b", "c"}) scheduler.AddDue(Route(name), kNow);
  ASSERT_EQ(StartAll(scheduler, 0, "orders"), 0);
  scheduler.Ended(Route("runs"), "orders", 0);
  // Its next delivery was canceled meanwhile, say.
  const auto first = scheduler.NextTurn(kNow);
  ASSERT_TRUE(first.has_value());
  scheduler.NotDue(*first, absl::InfiniteFuture());
  EXPECT_EQ(StartAll(scheduler, 0, "orders"), 1);
  EXPECT_EQ(scheduler.NextTurn(kNow), std::nullopt);
}

TEST(Scheduler, AHigherLimitLetsThoseInThatWait) {
  Scheduler scheduler(1000, 1 << 20);
  scheduler.SetClusterLimits({{"orders", 1}});
  for (const char* name : {"a", "b", "c"}) scheduler.AddDue(Route(name), kNow);
  ASSERT_EQ(StartAll(scheduler, 0, "orders"), 1);
  scheduler.SetClusterLimits({{"orders", 3}});
  EXPECT_EQ(StartAll(scheduler, 0, "orders"), 2);
  scheduler.SetClusterLimits({{"orders", 1}});
  scheduler.Ended(Route("a"), "orders", 0);
  EXPECT_EQ(StartAll(scheduler, 0, "orders"), 0);
  scheduler.SetClusterLimits({});
  EXPECT_GT(StartAll(scheduler, 0, "orders"), 100);
}

}  // namespace
}  // namespace pillion::delivery
