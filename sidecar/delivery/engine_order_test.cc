// Limits, fairness and order.
#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "sidecar/delivery/engine_harness.h"

namespace pillion::delivery {
namespace {

AcceptRequest Keyed(const std::string& key, const std::string& body, int num_retries = 3) {
  AcceptRequest request = Publication("order.changed", {"billing"}, num_retries);
  request.message.body = body;
  request.deliveries[0].ordering_key = key;
  return request;
}

TEST(EngineOrder, OneAtATimePerKeyInTheOrderOfAcceptance) {
  EngineHarness harness;
  for (const char* body : {"1", "2", "3"}) ASSERT_TRUE(harness.Accept(Keyed("k", body)).ok());
  for (const char* body : {"1", "2", "3"}) {
    const ClaimedDelivery attempt = harness.NextAttempt();
    EXPECT_EQ(attempt.message->body, body);
    EXPECT_EQ(attempt.ordering_key, "k");
    EXPECT_EQ(harness.AttemptsWaiting(), 0u);
    harness.Succeed(attempt);
  }
}

TEST(EngineOrder, AHeadThatBacksOffHoldsUpItsOwnKeyOnly) {
  EngineHarness harness;
  const auto head = harness.Accept(Keyed("a", "a1"));
  const auto behind = harness.Accept(Keyed("a", "a2"));
  harness.FailForNow(harness.NextAttempt(), 503, absl::Minutes(1));
  ASSERT_EQ(harness.StateOf(head->id), DeliveryState::kPending);
  EXPECT_TRUE(harness.Get(behind->id)->deliveries[0].behind_key);
  ASSERT_TRUE(harness.Accept(Keyed("b", "b1")).ok());
  const ClaimedDelivery other = harness.NextAttempt();
  EXPECT_EQ(other.message->body, "b1");
  harness.Succeed(other);
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  harness.clock.Advance(absl::Minutes(1));
  const ClaimedDelivery again = harness.NextAttempt();
  EXPECT_EQ(again.message->body, "a1");
  harness.Succeed(again);
  EXPECT_EQ(harness.NextAttempt().message->body, "a2");
}

TEST(EngineOrder, TheKeyGoesOnAfterADeadLetterACancelAndAnExpiry) {
  EngineHarness harness;
  ASSERT_TRUE(harness.Accept(Keyed("k", "rejected")).ok());
  const auto canceled = harness.Accept(Keyed("k", "canceled"));
  AcceptRequest expiring = Keyed("k", "expires");
  expiring.expires_after = absl::Minutes(1);
  const auto expired = harness.Accept(expiring);
  const auto canceled_behind = harness.Accept(Keyed("k", "canceled behind"));
  ASSERT_TRUE(harness.Accept(Keyed("k", "last")).ok());

  ASSERT_TRUE(harness.Cancel(canceled_behind->id).ok());
  EXPECT_EQ(harness.AttemptsWaiting(), 1u);
  harness.FailForGood(harness.NextAttempt());
  const ClaimedDelivery second = harness.NextAttempt();
  EXPECT_EQ(second.message->body, "canceled");
  ASSERT_TRUE(harness.Cancel(canceled->id).ok());
  harness.Succeed(second);
  const ClaimedDelivery third = harness.NextAttempt();
  EXPECT_EQ(third.message->body, "expires");
  harness.clock.Advance(absl::Minutes(1));
  harness.EndAborted(third);
  EXPECT_EQ(harness.NextAttempt().message->body, "last");
  EXPECT_EQ(harness.StateOf(expired->id), DeliveryState::kExpired);
}

TEST(EngineOrder, AHeadThatFailsForEverIsADeadLetterAfterItsRetriesAndTheKeyGoesOn) {
  EngineHarness harness;
  const auto resting = [](const std::string& key, const std::string& body) {
    AcceptRequest request = Keyed(key, body, 2);
    request.deliveries[0].spec.retry.base_interval = absl::Minutes(1);
    return request;
  };
  const auto head = harness.Accept(resting("k", "head"));
  const auto next = harness.Accept(resting("k", "next"));
  for (int attempt = 1; attempt <= 3; ++attempt) {
    const ClaimedDelivery claimed = harness.NextAttempt();
    EXPECT_EQ(claimed.message->body, "head");
    EXPECT_EQ(claimed.attempt, attempt);
    harness.FailForNow(claimed);
    harness.Settle();
    // Neither a restart nor a cluster that is back lets the second one pass while the first rests.
    if (attempt < 3) {
      EXPECT_EQ(harness.AttemptsWaiting(), 0u);
      harness.Restart();
      EXPECT_EQ(harness.AttemptsWaiting(), 0u);
      EXPECT_TRUE(harness.Get(next->id)->deliveries[0].behind_key);
      harness.engine->Hurry("billing");
    }
  }
  EXPECT_EQ(harness.StateOf(head->id), DeliveryState::kFailed);
  EXPECT_EQ(harness.Get(head->id)->deliveries[0].reason, FailureReason::kRetriesExhausted);
  EXPECT_EQ(harness.NextAttempt().message->body, "next");
}

TEST(EngineOrder, AWholeKeyThatExpiresAtOnceDoesNotBlockTheNext) {
  EngineHarness harness;
  for (int i = 0; i < 5; ++i) {
    AcceptRequest expiring = Keyed("k", "expires");
    expiring.expires_after = absl::Minutes(1);
    ASSERT_TRUE(harness.Accept(expiring).ok());
  }
  const auto last = harness.Accept(Keyed("k", "last"));
  const ClaimedDelivery first = harness.NextAttempt();
  harness.clock.Advance(absl::Minutes(1));
  harness.EndAborted(first);
  EXPECT_EQ(harness.NextAttempt().id, last->delivery_ids[0]);
  harness.Settle();
  EXPECT_EQ(harness.engine->stats().expired, 5);
}

TEST(EngineOrder, TheKeyWaitsUntilTheAttemptOfACanceledOneHasEnded) {
  EngineHarness harness;
  const auto canceled = harness.Accept(Keyed("k", "canceled"));
  ASSERT_TRUE(harness.Accept(Keyed("k", "behind")).ok());
  const ClaimedDelivery running = harness.NextAttempt();
  ASSERT_TRUE(harness.Cancel(canceled->id).ok());
  EXPECT_EQ(harness.aborts.Next(), running.claim);
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  const auto next = harness.Accept(Keyed("k", "next"));
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  harness.EndAborted(running);
  const ClaimedDelivery behind = harness.NextAttempt();
  EXPECT_EQ(behind.message->body, "behind");
  ASSERT_TRUE(harness.Cancel(next->id).ok());
  harness.Succeed(behind);

  // Nor does one that comes later overtake it.
  const auto alone = harness.Accept(Keyed("k", "alone"));
  const ClaimedDelivery last = harness.NextAttempt();
  ASSERT_TRUE(harness.Cancel(alone->id).ok());
  ASSERT_TRUE(harness.Accept(Keyed("k", "later")).ok());
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  harness.EndAborted(last);
  EXPECT_EQ(harness.NextAttempt().message->body, "later");
}

TEST(EngineOrder, AReplayedDeadLetterQueuesBehindItsKey) {
  EngineHarness harness;
  const auto dead = harness.Accept(Keyed("k", "1"));
  harness.FailForGood(harness.NextAttempt());
  ASSERT_TRUE(harness.Accept(Keyed("k", "2")).ok());
  ASSERT_TRUE(harness.Accept(Keyed("k", "3")).ok());
  const ClaimedDelivery running = harness.NextAttempt();
  EXPECT_EQ(harness.Replay(std::vector<std::string>{dead->id})->changed, 1);
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  harness.Succeed(running);
  const ClaimedDelivery replayed = harness.NextAttempt();
  EXPECT_EQ(replayed.message->body, "1");
  EXPECT_EQ(replayed.attempt, 1);
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  harness.Succeed(replayed);
  EXPECT_EQ(harness.NextAttempt().message->body, "3");
}

TEST(EngineOrder, HoldsUnderRandomOutcomesAndRestarts) {
  EngineOptions options;
  options.max_running = 7;
  EngineHarness harness(options);
  std::mt19937 random(7);
  constexpr int kKeys = 5;
  constexpr int kPerKey = 12;
  std::map<std::string, std::string> key_of;
  for (int i = 0; i < kPerKey; ++i) {
    for (int key = 0; key < kKeys; ++key) {
      const std::string name(1, static_cast<char>('a' + key));
      ASSERT_TRUE(harness.Accept(Keyed(name, std::to_string(i), 1000)).ok());
    }
  }
  std::map<std::string, int> next;  // by key: the body that must be seen now
  for (int done = 0, steps = 0; done < kKeys * kPerKey; ++steps) {
    if (steps % 40 == 39) harness.Restart();
    const ClaimedDelivery attempt = harness.NextAttempt();
    const std::string& key = *attempt.ordering_key;
    ASSERT_EQ(attempt.message->body, std::to_string(next[key])) << key;
    if (random() % 3 == 0) {
      harness.FailForNow(attempt);
    } else if (random() % 4 == 0) {
      harness.FailForGood(attempt);
      ++next[key];
      ++done;
    } else {
      harness.Succeed(attempt);
      ++next[key];
      ++done;
    }
    // An outcome that was not stored before the restart would rightly be asked for again.
    if (steps % 40 == 38) harness.Settle();
  }
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
}

TEST(EngineOrder, ATargetsConcurrencyHolds) {
  EngineHarness harness;
  for (int i = 0; i < 10; ++i) {
    AcceptRequest request = AsyncCall();
    request.deliveries[0].spec.concurrency = 3;
    ASSERT_TRUE(harness.Accept(std::move(request)).ok());
  }
  ASSERT_EQ(harness.AttemptsWaiting(), 3u);
  harness.Succeed(harness.NextAttempt());
  harness.FailForNow(harness.NextAttempt());
  ASSERT_EQ(harness.AttemptsWaiting(), 3u);
  EXPECT_EQ(harness.engine->stats().running, 3);
  for (int left = 9; left > 0; --left) harness.Succeed(harness.NextAttempt());
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  EXPECT_EQ(harness.engine->stats().pending, 0);
  EXPECT_EQ(harness.engine->stats().running, 0);
}

TEST(EngineOrder, ADeadDestinationDoesNotStarveAnother) {
  EngineOptions options;
  options.max_running = 4;
  EngineHarness harness(options);
  for (int i = 0; i < 100; ++i) {
    AcceptRequest request = AsyncCall("dead", 1000);
    request.deliveries[0].spec.concurrency = 2;
    ASSERT_TRUE(harness.Accept(std::move(request)).ok());
  }
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(harness.Accept(AsyncCall("alive")).ok());
  int dead = 0;
  for (int alive = 0; alive < 10;) {
    const ClaimedDelivery attempt = harness.NextAttempt();
    if (attempt.target.name == "alive") {
      ++alive;
      harness.Succeed(attempt);
    } else {
      ++dead;
      harness.FailForNow(attempt);  // due again at once: the worst that it can do
    }
    ASSERT_LT(dead, 60);
  }
}

TEST(EngineOrder, TargetsShareTheWholeFairly) {
  EngineOptions options;
  options.max_running = 1;
  EngineHarness harness(options);
  ASSERT_TRUE(harness.Accept(AsyncCall("first")).ok());
  for (const char* route : {"a", "b", "c"}) {
    for (int i = 0; i < 30; ++i) ASSERT_TRUE(harness.Accept(AsyncCall(route)).ok());
  }
  harness.Succeed(harness.NextAttempt());
  std::map<std::string, int> served;
  for (int i = 0; i < 30; ++i) {
    const ClaimedDelivery attempt = harness.NextAttempt();
    ++served[attempt.target.name];
    harness.Succeed(attempt);
  }
  EXPECT_EQ(served, (std::map<std::string, int>{{"a", 10}, {"b", 10}, {"c", 10}}));
}

TEST(EngineOrder, WorkThatDoesNotFitInMemoryStaysInTheStore) {
  EngineOptions options;
  options.max_running_bytes = 5000;
  EngineHarness harness(options);
  for (int i = 0; i < 5; ++i) {
    AcceptRequest request = AsyncCall();
    request.message.body.assign(1000, 'x');
    ASSERT_TRUE(harness.Accept(std::move(request)).ok());
  }
  ASSERT_EQ(harness.AttemptsWaiting(), 3u);
  harness.Succeed(harness.NextAttempt());
  EXPECT_EQ(harness.AttemptsWaiting(), 3u);
}

}  // namespace
}  // namespace pillion::delivery
