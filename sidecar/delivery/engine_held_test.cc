// Held messages: durable, and delivered only once it is known, or has to be assumed, that they
// happened.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "sidecar/delivery/engine_harness.h"

namespace pillion::delivery {
namespace {

AcceptRequest Held(const std::vector<std::string>& subscriptions, const std::string& key = "") {
  AcceptRequest request = Publication("order.changed", subscriptions);
  request.message.kind = MessageKind::kEmit;
  request.held = true;
  if (!key.empty()) {
    for (NewDelivery& delivery : request.deliveries) delivery.ordering_key = key;
  }
  return request;
}

AcceptRequest Keyed(const std::string& key) {
  AcceptRequest request = Held({"billing"}, key);
  request.held = false;
  return request;
}

TEST(EngineHeld, IsDeliveredWhenItIsReleased) {
  EngineHarness harness;
  const auto held = harness.Accept(Held({"billing", "audit"}));
  ASSERT_TRUE(held.ok());
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  const auto view = harness.Get(held->id);
  ASSERT_EQ(view->deliveries.size(), 2u);
  EXPECT_TRUE(view->deliveries[0].held);
  EXPECT_EQ(view->deliveries[0].state, DeliveryState::kPending);
  EXPECT_EQ(view->deliveries[0].next_attempt_at, std::nullopt);
  harness.clock.Advance(absl::Hours(1));
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  harness.engine->Release(held->id, "what the answer said");
  EXPECT_EQ(harness.NextAttempt().message->attributes, "what the answer said");
  harness.Succeed(harness.NextAttempt());
  harness.Settle();
  EXPECT_EQ(harness.engine->stats().accepted, 1);
  EXPECT_EQ(harness.engine->stats().pending, 0);
}

TEST(EngineHeld, KeepsItsAttributesIfItIsReleasedWithoutOthers) {
  EngineHarness harness;
  harness.engine->Release(harness.Accept(Held({"billing"}))->id, "");
  EXPECT_EQ(harness.NextAttempt().message->attributes, "attributes");
}

TEST(EngineHeld, LeavesNoTraceWhenItIsDiscarded) {
  EngineHarness harness;
  const auto held = harness.Accept(Held({"billing", "audit"}, "k"));
  const auto nobodys = harness.Accept(Held({}));
  harness.engine->Discard(held->id);
  harness.engine->Discard(nobodys->id);
  harness.Settle();
  EXPECT_TRUE(absl::IsNotFound(harness.Get(held->id).status()));
  EXPECT_TRUE(absl::IsNotFound(harness.Get(nobodys->id).status()));
  EXPECT_EQ(harness.engine->stats().pending, 0);
  EXPECT_EQ(harness.engine->stats().accepted, 0);
  harness.Restart();
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
}

TEST(EngineHeld, CanBeGivenUpBeforeItIsStored) {
  EngineHarness harness;
  for (int i = 0; i < 20; ++i) {
    AcceptRequest request = Held({"billing"});
    // Of any size: large ones, which wait for their turn, are not overtaken by their end.
    if (i % 2 == 1) request.message.attributes.assign(100'000, 'x');
    Inbox<absl::StatusOr<Accepted>> reply;
    const std::string id = harness.engine->Accept(
        std::move(request), [&](absl::StatusOr<Accepted> accepted) { reply.Put(accepted); });
    harness.engine->Discard(id);
    const auto accepted = reply.Next();
    ASSERT_TRUE(accepted.has_value() && accepted->ok());
    EXPECT_EQ((*accepted)->id, id);
    harness.Settle();
    EXPECT_TRUE(absl::IsNotFound(harness.Get(id).status()));
  }
}

TEST(EngineHeld, IsReleasedByTheNextProcess) {
  EngineHarness harness;
  const auto first = harness.Accept(Held({"billing", "audit"}));
  const auto second = harness.Accept(Held({"billing"}));
  harness.engine->Stop();
  harness.engine->Discard(first->id);  // too late: what is not known to be wrong is announced
  harness.Restart();
  std::vector<std::string> messages;
  for (int i = 0; i < 3; ++i) messages.push_back(harness.NextAttempt().message->id);
  std::sort(messages.begin(), messages.end());
  std::vector<std::string> held = {first->id, first->id, second->id};
  std::sort(held.begin(), held.end());
  EXPECT_EQ(messages, held);
  EXPECT_FALSE(harness.Get(first->id)->deliveries[0].held);
}

TEST(EngineHeld, TakesItsPlaceInTheOrderOfItsKeyWhenItIsReleased) {
  EngineHarness harness;
  const auto held = harness.Accept(Held({"billing"}, "k"));
  const auto running = harness.Accept(Keyed("k"));
  const auto waiting = harness.Accept(Keyed("k"));
  // Who is held holds up nobody.
  const ClaimedDelivery attempt = harness.NextAttempt();
  EXPECT_EQ(attempt.message->id, running->id);
  harness.engine->Release(held->id, "");
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  EXPECT_TRUE(harness.Get(held->id)->deliveries[0].behind_key);
  // Its call began before the other was accepted.
  harness.Succeed(attempt);
  const ClaimedDelivery second = harness.NextAttempt();
  EXPECT_EQ(second.message->id, held->id);
  harness.Succeed(second);
  EXPECT_EQ(harness.NextAttempt().message->id, waiting->id);
}

TEST(EngineHeld, KeepsTheOrderOfItsKeyAfterARestart) {
  EngineHarness harness;
  const auto first = harness.Accept(Held({"billing"}, "k"));
  const auto running = harness.Accept(Keyed("k"));
  const auto second = harness.Accept(Held({"billing"}, "k"));
  harness.NextAttempt();
  harness.Restart();
  for (const std::string& id : {running->id, first->id, second->id}) {
    const ClaimedDelivery attempt = harness.NextAttempt();
    EXPECT_EQ(attempt.message->id, id);
    EXPECT_EQ(harness.AttemptsWaiting(), 0u);
    harness.Succeed(attempt);
  }
}

TEST(EngineHeld, ThatAnOperatorCanceledStaysCanceled) {
  EngineHarness harness;
  const auto held = harness.Accept(Held({"billing"}, "k"));
  ASSERT_TRUE(harness.Cancel(held->id).ok());
  harness.engine->Release(held->id, "");
  harness.engine->Discard(held->id);
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  EXPECT_EQ(harness.StateOf(held->id), DeliveryState::kCanceled);
}

// The id of the delivery to `subscription`.
std::string DeliveryTo(EngineHarness& harness, const std::string& subscription,
                       const std::string& message) {
  const auto view = harness.Get(message);
  for (const DeliveryView& delivery : view->deliveries) {
    if (delivery.target.name == subscription) return delivery.id;
  }
  return "";
}

int64_t BacklogOf(EngineHarness& harness, const std::string& subscription) {
  for (const TargetBacklog& entry : harness.engine->backlogs()) {
    if (entry.target.name == subscription) return entry.backlog.deliveries;
  }
  return 0;
}

TEST(EngineHeld, DiscardingLeavesAloneWhatAnOperatorHasReplayed) {
  EngineHarness harness;
  const auto held = harness.Accept(Held({"billing", "audit"}));
  const std::string replayed = DeliveryTo(harness, "billing", held->id);
  ASSERT_TRUE(harness.Cancel(replayed).ok());
  ASSERT_EQ(harness.Replay(std::vector<std::string>{replayed})->changed, 1);
  const ClaimedDelivery attempt = harness.NextAttempt();
  EXPECT_EQ(attempt.id, replayed);
  harness.engine->Discard(held->id);
  harness.Settle();
  const auto left = harness.Get(held->id);
  ASSERT_TRUE(left.ok()) << left.status();
  ASSERT_EQ(left->deliveries.size(), 1u);
  EXPECT_EQ(left->deliveries[0].id, replayed);
  EXPECT_EQ(BacklogOf(harness, "billing"), 1);
  EXPECT_EQ(BacklogOf(harness, "audit"), 0);
  harness.FailForNow(attempt);
  harness.Succeed(harness.NextAttempt());
  EXPECT_EQ(harness.StateOf(held->id), DeliveryState::kSucceeded);
  EXPECT_EQ(BacklogOf(harness, "billing"), 0);
  EXPECT_EQ(harness.engine->stats().pending, 0);
  harness.Restart();
  EXPECT_EQ(harness.engine->stats().pending, 0);
}

TEST(EngineHeld, DiscardingLeavesAloneWhatWaitsToBeMadeAgain) {
  EngineHarness harness;
  const auto held = harness.Accept(Held({"billing", "audit"}));
  const std::string replayed = DeliveryTo(harness, "billing", held->id);
  ASSERT_TRUE(harness.Cancel(replayed).ok());
  ASSERT_EQ(harness.Replay(std::vector<std::string>{replayed})->changed, 1);
  harness.Postpone(harness.NextAttempt(), absl::Minutes(1));
  harness.engine->Discard(held->id);
  harness.Settle();
  EXPECT_EQ(harness.engine->stats().pending, 1);
  EXPECT_EQ(BacklogOf(harness, "billing"), 1);
  harness.engine->Discard(held->id);  // there is nothing more to discard
  harness.clock.Advance(absl::Minutes(1));
  harness.Succeed(harness.NextAttempt());
  harness.Settle();
  EXPECT_EQ(harness.engine->stats().pending, 0);
  EXPECT_EQ(BacklogOf(harness, "billing"), 0);
}

TEST(EngineHeld, DiscardingKeepsWhatAnOperatorCanceled) {
  EngineHarness harness;
  const auto held = harness.Accept(Held({"billing", "audit"}));
  const std::string canceled = DeliveryTo(harness, "billing", held->id);
  ASSERT_TRUE(harness.Cancel(canceled).ok());
  harness.engine->Discard(held->id);
  harness.Settle();
  const auto left = harness.Get(held->id);
  ASSERT_TRUE(left.ok()) << left.status();
  ASSERT_EQ(left->deliveries.size(), 1u);
  EXPECT_EQ(left->deliveries[0].state, DeliveryState::kCanceled);
  EXPECT_EQ(harness.engine->stats().pending, 0);
  EXPECT_EQ(harness.Drop(std::vector<std::string>{canceled})->changed, 1);
  EXPECT_TRUE(absl::IsNotFound(harness.Get(held->id).status()));
}

TEST(EngineHeld, ReleasingLeavesAloneWhatAnOperatorHasReplayed) {
  EngineHarness harness;
  const auto held = harness.Accept(Held({"billing", "audit"}));
  const std::string replayed = DeliveryTo(harness, "billing", held->id);
  ASSERT_TRUE(harness.Cancel(replayed).ok());
  ASSERT_EQ(harness.Replay(std::vector<std::string>{replayed})->changed, 1);
  harness.Postpone(harness.NextAttempt(), absl::Minutes(1));
  harness.engine->Release(held->id, "");
  EXPECT_EQ(harness.NextAttempt().target.name, "audit");
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);  // the other one rests on
}

TEST(EngineHeld, ThatIsReplayedWholeIsNobodysToDiscard) {
  EngineHarness harness;
  const auto held = harness.Accept(Held({"billing"}));
  ASSERT_TRUE(harness.Cancel(held->id).ok());
  ASSERT_EQ(harness.Replay(std::vector<std::string>{held->id})->changed, 1);
  const ClaimedDelivery attempt = harness.NextAttempt();
  harness.engine->Discard(held->id);
  EXPECT_EQ(harness.StateOf(held->id), DeliveryState::kRunning);
  harness.Succeed(attempt);
  EXPECT_EQ(harness.StateOf(held->id), DeliveryState::kSucceeded);
  EXPECT_EQ(harness.engine->stats().pending, 0);
}

TEST(EngineHeld, WhatIsReleasedAlreadyIsNotDiscarded) {
  EngineHarness harness;
  const auto held = harness.Accept(Held({"billing"}));
  harness.engine->Release(held->id, "");
  harness.NextAttempt();
  harness.engine->Discard(held->id);
  EXPECT_EQ(harness.StateOf(held->id), DeliveryState::kRunning);
}

TEST(EngineHeld, IsForMessagesOnly) {
  EngineHarness harness;
  AcceptRequest call = AsyncCall();
  call.held = true;
  EXPECT_TRUE(absl::IsInvalidArgument(harness.Accept(std::move(call)).status()));
}

}  // namespace
}  // namespace pillion::delivery
