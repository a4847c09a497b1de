// When deliveries are made: delays, rests, what a destination asks for, and expiry.
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "sidecar/delivery/engine_harness.h"

namespace pillion::delivery {
namespace {

constexpr absl::Duration kMoment = absl::Milliseconds(1);

AcceptRequest Delayed(absl::Duration delay) {
  AcceptRequest request = AsyncCall();
  request.deliveries[0].delay = delay;
  return request;
}

AcceptRequest Keyed(const std::string& body, absl::Duration delay) {
  AcceptRequest request = Publication("order.changed", {"billing"});
  request.message.body = body;
  request.deliveries[0].ordering_key = "k";
  request.deliveries[0].delay = delay;
  return request;
}

// A call that rests, with a back-off of an hour at most, after its first attempt.
std::string Resting(EngineHarness& harness, absl::Duration retry_after = {}) {
  AcceptRequest request = AsyncCall();
  request.deliveries[0].spec.retry.base_interval = absl::Hours(1);
  request.deliveries[0].spec.retry.max_interval = absl::Hours(1);
  const std::string id = harness.Accept(std::move(request))->id;
  harness.FailForNow(harness.NextAttempt(), retry_after > absl::ZeroDuration() ? 503 : 0,
                     retry_after);
  harness.Settle();
  return id;
}

absl::Time NextAttemptAt(EngineHarness& harness, const std::string& id) {
  return harness.Get(id)->deliveries[0].next_attempt_at.value_or(absl::InfinitePast());
}

TEST(EngineSchedule, ADelayedDeliveryBeginsAtItsTimeAlsoAfterARestart) {
  EngineHarness harness;
  const absl::Time start = harness.clock.Now();
  const auto delayed = harness.Accept(Delayed(absl::Minutes(10)));
  const auto at_once = harness.Accept(AsyncCall());
  EXPECT_EQ(NextAttemptAt(harness, delayed->id), start + absl::Minutes(10));
  const ClaimedDelivery first = harness.NextAttempt();
  EXPECT_EQ(first.id, at_once->id);
  harness.Succeed(first);
  harness.clock.Advance(absl::Minutes(9));
  harness.Restart();
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  harness.clock.Advance(absl::Minutes(1) - kMoment);
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  harness.clock.Advance(kMoment);
  const ClaimedDelivery second = harness.NextAttempt();
  EXPECT_EQ(second.id, delayed->id);
  EXPECT_EQ(second.attempt, 1);
}

TEST(EngineSchedule, ExpiryCountsFromAcceptanceWhateverTheDelay) {
  EngineHarness harness;
  AcceptRequest request = Delayed(absl::Minutes(10));
  request.expires_after = absl::Minutes(15);
  const auto accepted = harness.Accept(std::move(request));
  harness.clock.Advance(absl::Minutes(10));
  const ClaimedDelivery attempt = harness.NextAttempt();
  harness.clock.Advance(absl::Minutes(5) - kMoment);
  EXPECT_EQ(harness.StateOf(accepted->id), DeliveryState::kRunning);
  harness.clock.Advance(kMoment);
  EXPECT_EQ(harness.aborts.Next(), attempt.claim);
  EXPECT_EQ(harness.StateOf(accepted->id), DeliveryState::kExpired);
}

TEST(EngineSchedule, ADelayThatOutlastsTheLifetimeExpiresWithoutAnAttempt) {
  EngineHarness harness;
  AcceptRequest request = Delayed(absl::Minutes(10));
  request.expires_after = absl::Minutes(5);
  const auto accepted = harness.Accept(std::move(request));
  harness.clock.Advance(absl::Minutes(5));
  EXPECT_EQ(harness.StateOf(accepted->id), DeliveryState::kExpired);
  harness.clock.Advance(absl::Minutes(5));
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
}

TEST(EngineSchedule, ADelayedHeadHoldsUpItsKeyAndThoseBehindKeepTheirOwnDelay) {
  EngineHarness harness;
  ASSERT_TRUE(harness.Accept(Keyed("first", absl::Minutes(5))).ok());
  ASSERT_TRUE(harness.Accept(Keyed("second", absl::ZeroDuration())).ok());
  const auto third = harness.Accept(Keyed("third", absl::Minutes(20)));
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  harness.clock.Advance(absl::Minutes(5));
  const ClaimedDelivery first = harness.NextAttempt();
  EXPECT_EQ(first.message->body, "first");
  harness.Succeed(first);
  const ClaimedDelivery second = harness.NextAttempt();
  EXPECT_EQ(second.message->body, "second");
  harness.Succeed(second);
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  EXPECT_EQ(NextAttemptAt(harness, third->id), harness.clock.Now() + absl::Minutes(15));
  harness.clock.Advance(absl::Minutes(15));
  EXPECT_EQ(harness.NextAttempt().message->body, "third");
}

TEST(EngineSchedule, AReplayBeginsAtOnceWhateverTheDelayWas) {
  EngineHarness harness;
  const auto accepted = harness.Accept(Delayed(absl::Minutes(10)));
  ASSERT_TRUE(harness.Cancel(accepted->id).ok());
  EXPECT_EQ(harness.Replay(std::vector<std::string>{accepted->id})->changed, 1);
  EXPECT_EQ(harness.NextAttempt().id, accepted->id);
}

TEST(EngineSchedule, RetryAfterIsHonouredUpToTheMaximumInterval) {
  EngineHarness harness;
  for (const auto& [asked, rest] : {std::pair{absl::Minutes(59), absl::Minutes(59)},
                                    std::pair{absl::Hours(30), absl::Hours(1)}}) {
    const std::string id = Resting(harness, asked);
    EXPECT_GE(NextAttemptAt(harness, id), harness.clock.Now() + rest);
    EXPECT_LE(NextAttemptAt(harness, id), harness.clock.Now() + absl::Hours(1));
  }
}

TEST(EngineSchedule, HurryingACutsShortBackOffsOnly) {
  EngineHarness harness;
  const absl::Time start = harness.clock.Now();
  const auto delayed = harness.Accept(Delayed(absl::Minutes(30)));
  const std::string told_to_wait = Resting(harness, absl::Minutes(59));
  const std::string backs_off = Resting(harness);
  harness.engine->Hurry("orders");
  const ClaimedDelivery attempt = harness.NextAttempt();
  EXPECT_EQ(attempt.id, backs_off);
  EXPECT_EQ(attempt.attempt, 2);
  harness.Succeed(attempt);
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  EXPECT_EQ(NextAttemptAt(harness, delayed->id), start + absl::Minutes(30));
  EXPECT_GE(NextAttemptAt(harness, told_to_wait), start + absl::Minutes(59));
}

TEST(EngineSchedule, HurryingReachesAllThatRestInStepsBetweenWhichOthersAreServed) {
  EngineOptions options;
  options.max_running = 2000;
  EngineHarness harness(options);
  constexpr int kResting = 1000;  // several steps
  for (int i = 0; i < kResting; ++i) {
    AcceptRequest request = AsyncCall();
    ASSERT_TRUE(harness.Accept(std::move(request)).ok());
  }
  for (int i = 0; i < kResting; ++i) {
    // All of them become due at the same time: their order is that of acceptance.
    harness.Postpone(harness.NextAttempt(), absl::Hours(1));
  }
  ASSERT_EQ(harness.AttemptsWaiting(), 0u);
  harness.engine->Hurry("orders");
  for (int i = 0; i < kResting; ++i) harness.Succeed(harness.NextAttempt());
  // So many outcomes are stored by several commits.
  while (harness.engine->stats().succeeded < kResting) harness.Settle();
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  EXPECT_EQ(harness.engine->stats().attempts, 2 * kResting);
}

TEST(EngineSchedule, AClockThatWasSetBackBeforeTheStartDelaysNothing) {
  EngineHarness harness;
  const auto delayed = harness.Accept(Delayed(absl::Minutes(30)));
  const std::string resting = Resting(harness);
  harness.clock.Advance(-absl::Hours(24));
  harness.Restart();
  EXPECT_EQ(NextAttemptAt(harness, delayed->id), harness.clock.Now() + absl::Minutes(30));
  EXPECT_LE(NextAttemptAt(harness, resting), harness.clock.Now() + absl::Hours(1));
}

}  // namespace
}  // namespace pillion::delivery
