// Destinations that work on: asked again and again, without being called again.
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "sidecar/delivery/engine_harness.h"

namespace pillion::delivery {
namespace {

void Continue(EngineHarness& harness, const ClaimedDelivery& delivery, const std::string& resume,
              absl::Duration wait, std::optional<int> percent = std::nullopt) {
  AttemptOutcome outcome;
  outcome.verdict = AttemptOutcome::Verdict::kContinue;
  outcome.answer.status = 202;
  outcome.resume = resume;
  outcome.retry_after = wait;
  outcome.percent_complete = percent;
  harness.engine->Complete(delivery.claim, std::move(outcome));
}

absl::StatusOr<MessageView> Report(EngineHarness& harness, const std::string& id, int percent) {
  Inbox<absl::StatusOr<MessageView>> inbox;
  harness.engine->ReportProgress(
      id, percent, [&](absl::StatusOr<MessageView> view) { inbox.Put(std::move(view)); });
  return *inbox.Next();
}

TEST(EngineContinue, AsksAgainFromWhereItWasAndCallsOnce) {
  EngineHarness harness;
  const auto call = harness.Accept(AsyncCall());
  const ClaimedDelivery first = harness.NextAttempt();
  EXPECT_EQ(first.resume, "");
  EXPECT_EQ(first.message->body, "the body");
  Continue(harness, first, "/status/7", absl::Minutes(1), 10);
  harness.Settle();
  const DeliveryView waiting = harness.Get(call->id)->deliveries[0];
  EXPECT_TRUE(waiting.continues);
  EXPECT_EQ(waiting.state, DeliveryState::kPending);
  EXPECT_EQ(waiting.percent_complete, 10);
  EXPECT_EQ(waiting.last_status, 202);
  for (int poll = 0; poll < 5; ++poll) {
    EXPECT_EQ(harness.AttemptsWaiting(), 0u);
    harness.clock.Advance(absl::Minutes(1));
    const ClaimedDelivery next = harness.NextAttempt();
    EXPECT_EQ(next.id, call->id);
    EXPECT_EQ(next.resume, "/status/7");
    EXPECT_EQ(next.attempt, 1);
    EXPECT_EQ(next.message->body, "") << "a poll needs no body in memory";
    EXPECT_EQ(next.message->headers, first.message->headers);
    Continue(harness, next, "/status/7", absl::Minutes(1));
    harness.Settle();
  }
  harness.clock.Advance(absl::Minutes(1));
  harness.Succeed(harness.NextAttempt(), 200, "the result");
  harness.Settle();
  const DeliveryView done = harness.Get(call->id)->deliveries[0];
  EXPECT_EQ(done.state, DeliveryState::kSucceeded);
  EXPECT_FALSE(done.continues);
  EXPECT_EQ(done.attempts, 1);
  EXPECT_EQ(done.started_at, waiting.started_at);
  EXPECT_EQ(done.percent_complete, 10);
  EXPECT_EQ(harness.GetResult(call->id)->answer->body, "the result");
}

TEST(EngineContinue, GoesOnAfterARestart) {
  EngineHarness harness;
  const auto waiting = harness.Accept(AsyncCall());
  Continue(harness, harness.NextAttempt(), "/status/7", absl::Minutes(1), 40);
  const auto asking = harness.Accept(AsyncCall());
  Continue(harness, harness.NextAttempt(), "/status/8", absl::ZeroDuration());
  EXPECT_EQ(harness.NextAttempt().resume, "/status/8");
  harness.Restart();
  const ClaimedDelivery again = harness.NextAttempt();
  EXPECT_EQ(again.id, asking->id);
  EXPECT_EQ(again.resume, "/status/8");
  EXPECT_EQ(again.attempt, 1);
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  EXPECT_EQ(harness.Get(waiting->id)->deliveries[0].percent_complete, 40);
  harness.clock.Advance(absl::Minutes(1));
  EXPECT_EQ(harness.NextAttempt().resume, "/status/7");
}

TEST(EngineContinue, AnAbortedOrPostponedPollIsNoAttemptEither) {
  EngineHarness harness;
  const auto call = harness.Accept(AsyncCall());
  Continue(harness, harness.NextAttempt(), "/status/7", absl::ZeroDuration());
  harness.EndAborted(harness.NextAttempt());
  harness.Postpone(harness.NextAttempt(), absl::ZeroDuration());
  const ClaimedDelivery next = harness.NextAttempt();
  EXPECT_EQ(next.resume, "/status/7");
  EXPECT_EQ(next.attempt, 1);
  EXPECT_EQ(harness.Get(call->id)->deliveries[0].attempts, 1);
}

TEST(EngineContinue, TakesNoPlaceWhileItWaits) {
  EngineOptions options;
  options.max_running = 1;
  EngineHarness harness(options);
  AcceptRequest narrow = AsyncCall();
  narrow.deliveries[0].spec.concurrency = 1;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(harness.Accept(narrow).ok());
    Continue(harness, harness.NextAttempt(), "/status", absl::Minutes(1));
  }
  harness.Settle();
  EXPECT_EQ(harness.engine->stats().running, 0);
  EXPECT_EQ(harness.engine->stats().pending, 3);
}

TEST(EngineContinue, IsCanceledAndExpiresWhileItWaits) {
  EngineHarness harness;
  const auto canceled = harness.Accept(AsyncCall());
  Continue(harness, harness.NextAttempt(), "/status", absl::Hours(1));
  AcceptRequest expiring = AsyncCall();
  expiring.expires_after = absl::Minutes(1);
  const auto expired = harness.Accept(std::move(expiring));
  Continue(harness, harness.NextAttempt(), "/status", absl::Hours(1));
  harness.Settle();
  ASSERT_TRUE(harness.Cancel(canceled->id).ok());
  harness.clock.Advance(absl::Minutes(1));
  EXPECT_EQ(harness.StateOf(canceled->id), DeliveryState::kCanceled);
  EXPECT_EQ(harness.StateOf(expired->id), DeliveryState::kExpired);
  EXPECT_FALSE(harness.Get(expired->id)->deliveries[0].continues);
}

TEST(EngineContinue, ReplayBeginsFromTheBeginning) {
  EngineHarness harness;
  const auto call = harness.Accept(AsyncCall());
  Continue(harness, harness.NextAttempt(), "/status", absl::ZeroDuration(), 70);
  harness.FailForGood(harness.NextAttempt());
  ASSERT_EQ(harness.Replay(std::vector<std::string>{call->id})->changed, 1);
  const ClaimedDelivery again = harness.NextAttempt();
  EXPECT_EQ(again.resume, "");
  EXPECT_EQ(again.message->body, "the body");
  EXPECT_EQ(harness.Get(call->id)->deliveries[0].percent_complete, std::nullopt);
}

TEST(EngineProgress, IsShownUntilTheEnd) {
  EngineHarness harness;
  const auto call = harness.Accept(AsyncCall());
  const ClaimedDelivery attempt = harness.NextAttempt();
  Inbox<absl::StatusOr<MessageView>> seen;
  harness.engine->Watch(call->id,
                        [&](absl::StatusOr<MessageView> view) { seen.Put(std::move(view)); });
  EXPECT_EQ((*seen.Next())->deliveries[0].percent_complete, std::nullopt);
  EXPECT_EQ(Report(harness, call->id, 40)->deliveries[0].percent_complete, 40);
  EXPECT_EQ((*seen.Next())->deliveries[0].percent_complete, 40);
  harness.Succeed(attempt);
  EXPECT_EQ((*seen.Next())->deliveries[0].state, DeliveryState::kSucceeded);
  EXPECT_TRUE(absl::IsFailedPrecondition(Report(harness, call->id, 50).status()));
  EXPECT_TRUE(absl::IsNotFound(Report(harness, "01ARZ3NDEKTSV4RRFFQ69G5FAV", 50).status()));
  const auto message = harness.Accept(Publication("topic", {"a"}));
  EXPECT_TRUE(absl::IsNotFound(Report(harness, message->id, 50).status()));
}

}  // namespace
}  // namespace pillion::delivery
