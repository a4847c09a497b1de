// Lists, replay, drop and watches.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "sidecar/delivery/engine_harness.h"

namespace pillion::delivery {
namespace {

DeliveryFilter InState(DeliveryState state) {
  DeliveryFilter filter;
  filter.states = {state};
  return filter;
}

std::vector<std::string> AllIds(EngineHarness& harness, const DeliveryFilter& filter,
                                size_t limit) {
  std::vector<std::string> ids;
  ListRequest request;
  request.filter = filter;
  request.limit = limit;
  for (;;) {
    const auto page = harness.List(request);
    EXPECT_TRUE(page.ok());
    if (!page.ok()) return ids;
    for (const ListedDelivery& listed : page->deliveries) ids.push_back(listed.delivery.id);
    if (page->next_page_token.empty()) return ids;
    EXPECT_EQ(page->deliveries.size(), limit);
    request.page_token = page->next_page_token;
  }
}

TEST(EngineAdmin, ListsWhatMatchesInOrderAndPageByPage) {
  EngineHarness harness;
  std::vector<std::string> dead;
  std::vector<std::string> of_audit;
  std::vector<std::string> later;
  for (int i = 0; i < 25; ++i) {
    if (i == 15) harness.clock.Advance(absl::Minutes(1));
    const std::string topic = i % 2 == 0 ? "even" : "odd";
    const auto accepted = harness.Accept(Publication(topic, {"billing", "audit"}));
    const ClaimedDelivery billing = harness.NextAttempt();
    const ClaimedDelivery audit = harness.NextAttempt();
    harness.Succeed(billing);
    harness.FailForGood(audit);
    dead.push_back(audit.id);
    if (i % 2 == 0) of_audit.push_back(audit.id);
    if (i >= 15) later.insert(later.end(), {billing.id, audit.id});
  }
  const auto pending = harness.Accept(AsyncCall());
  harness.FailForNow(harness.NextAttempt(), 503, absl::Minutes(1));
  harness.Settle();

  for (const size_t limit : {1, 7, 25, 1000}) {
    EXPECT_EQ(AllIds(harness, InState(DeliveryState::kFailed), limit), dead);
  }
  EXPECT_EQ(AllIds(harness, {}, 10).size(), 51u);
  EXPECT_EQ(AllIds(harness, InState(DeliveryState::kSucceeded), 10).size(), 25u);
  EXPECT_EQ(AllIds(harness, InState(DeliveryState::kPending), 10),
            std::vector<std::string>{pending->id});
  EXPECT_TRUE(AllIds(harness, InState(DeliveryState::kCanceled), 10).empty());
  DeliveryFilter filter;
  filter.target = Target{TargetKind::kSubscription, "audit"};
  filter.topic = "even";
  EXPECT_EQ(AllIds(harness, filter, 4), of_audit);
  filter = {};
  filter.created_after = harness.clock.Now();
  later.push_back(pending->id);
  EXPECT_EQ(AllIds(harness, filter, 4), later);
  filter.created_before = harness.clock.Now();
  EXPECT_TRUE(AllIds(harness, filter, 4).empty());
}

TEST(EngineAdmin, EveryConditionOfAFilterLeavesOutWhatDoesNotMatch) {
  EngineHarness harness;
  AcceptRequest keyed = Publication("order.created", {"billing"});
  keyed.deliveries[0].ordering_key = "k-1";
  const auto published = harness.Accept(std::move(keyed));
  harness.FailForGood(harness.NextAttempt(), 422);
  AcceptRequest emitted = Publication("order.changed", {"audit"}, 0);
  emitted.message.kind = MessageKind::kEmit;
  ASSERT_TRUE(harness.Accept(std::move(emitted)).ok());
  harness.FailForNow(harness.NextAttempt(), 503);
  ASSERT_TRUE(harness.Accept(AsyncCall("reports")).ok());
  harness.NextAttempt();

  const auto only_published = [&](auto set) {
    DeliveryFilter filter;
    set(filter);
    return AllIds(harness, filter, 10) == published->delivery_ids;
  };
  EXPECT_TRUE(only_published([](auto& filter) { filter.kind = MessageKind::kPublish; }));
  EXPECT_TRUE(only_published([](auto& filter) { filter.topic = "order.created"; }));
  EXPECT_TRUE(only_published([](auto& filter) { filter.cluster = "billing"; }));
  EXPECT_TRUE(only_published([](auto& filter) { filter.ordering_key = "k-1"; }));
  EXPECT_TRUE(only_published([](auto& filter) { filter.reason = FailureReason::kRejected; }));
  EXPECT_TRUE(only_published([](auto& filter) { filter.last_status = 422; }));
  EXPECT_TRUE(only_published([](auto& filter) {
    filter.target = Target{TargetKind::kSubscription, "billing"};
  }));
  DeliveryFilter several;
  several.states = {DeliveryState::kPending, DeliveryState::kRunning};
  EXPECT_EQ(AllIds(harness, several, 10).size(), 1u);
  several.states = {DeliveryState::kRunning, DeliveryState::kFailed};
  EXPECT_EQ(AllIds(harness, several, 1).size(), 3u);
}

TEST(EngineAdmin, AListSaysWhatEachDeliveryIsAbout) {
  EngineHarness harness;
  const auto accepted = harness.Accept(Publication("order.created", {"billing"}));
  harness.FailForGood(harness.NextAttempt(), 410);
  harness.Settle();
  const auto page = harness.List({});
  ASSERT_EQ(page->deliveries.size(), 1u);
  const ListedDelivery& listed = page->deliveries[0];
  EXPECT_EQ(listed.message.id, accepted->id);
  EXPECT_EQ(listed.message.topic, "order.created");
  EXPECT_EQ(listed.delivery.target.name, "billing");
  EXPECT_EQ(listed.delivery.cluster, "billing");
  EXPECT_EQ(listed.delivery.last_status, 410);
  EXPECT_EQ(listed.delivery.reason, FailureReason::kRejected);
}

TEST(EngineAdmin, RefusesAPageTokenThatIsNone) {
  EngineHarness harness;
  ListRequest request;
  request.page_token = "next";
  EXPECT_EQ(harness.List(request).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(EngineAdmin, AListOverThousandsOfOthersFindsTheFew) {
  EngineOptions options;
  options.max_running = 1;
  EngineHarness harness(options);
  const auto first = harness.Accept(AsyncCall("rare"));
  Inbox<absl::StatusOr<Accepted>> accepted;
  for (int i = 0; i < 5000; ++i) {
    harness.engine->Accept(AsyncCall("common"),
                           [&](absl::StatusOr<Accepted> reply) { accepted.Put(std::move(reply)); });
  }
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(accepted.Next().value().ok());
  const auto last = harness.Accept(AsyncCall("rare"));
  DeliveryFilter filter;
  filter.target = Target{TargetKind::kRoute, "rare"};
  EXPECT_EQ(AllIds(harness, filter, 10), (std::vector<std::string>{first->id, last->id}));
}

TEST(EngineAdmin, ReplaysDeadLettersWithNewAttemptsAndANewLifetime) {
  EngineHarness harness;
  AcceptRequest request = Publication("order.created", {"billing"}, 0);
  request.expires_after = absl::Hours(1);
  const auto accepted = harness.Accept(request);
  harness.FailForNow(harness.NextAttempt());
  ASSERT_EQ(harness.StateOf(accepted->id), DeliveryState::kFailed);
  harness.clock.Advance(absl::Hours(2));
  const auto replayed = harness.Replay(std::vector<std::string>{accepted->delivery_ids[0]});
  EXPECT_EQ(replayed->changed, 1);
  const ClaimedDelivery attempt = harness.NextAttempt();
  EXPECT_EQ(attempt.id, accepted->delivery_ids[0]);
  EXPECT_EQ(attempt.attempt, 1);
  EXPECT_EQ(harness.StateOf(accepted->id), DeliveryState::kRunning);
  EXPECT_EQ(harness.engine->stats().dead, 0);
  EXPECT_EQ(harness.GetResult(attempt.id)->availability, DeliveryResult::Availability::kNotDone);
  harness.clock.Advance(absl::Hours(1));
  EXPECT_EQ(harness.StateOf(accepted->id), DeliveryState::kExpired);
}

TEST(EngineAdmin, ReplaysAllThatMatchInTheOrderOfAcceptance) {
  EngineHarness harness;
  std::vector<std::string> dead;
  for (int i = 0; i < 600; ++i) {
    const auto accepted = harness.Accept(Publication(i % 3 == 0 ? "other" : "order", {"billing"}));
    if (i % 3 != 0) dead.push_back(accepted->delivery_ids[0]);
    harness.FailForGood(harness.NextAttempt());
  }
  harness.Settle();
  DeliveryFilter filter;
  filter.topic = "order";
  const auto replayed = harness.Replay(filter);
  ASSERT_EQ(replayed->changed, 400);
  for (const std::string& id : dead) {
    const ClaimedDelivery attempt = harness.NextAttempt();
    EXPECT_EQ(attempt.id, id);
    harness.Succeed(attempt);
  }
  harness.Settle();
  EXPECT_EQ(harness.engine->stats().dead, 200);
}

TEST(EngineAdmin, ReplaysWhatWasCanceledButNotWhatSucceededOrIsGone) {
  EngineHarness harness;
  const auto succeeded = harness.Accept(AsyncCall());
  harness.Succeed(harness.NextAttempt());
  const auto canceled = harness.Accept(AsyncCall());
  const ClaimedDelivery aborted = harness.NextAttempt();
  ASSERT_TRUE(harness.Cancel(canceled->id).ok());
  const auto running = harness.Accept(AsyncCall());
  harness.NextAttempt();
  const auto replayed = harness.Replay(std::vector<std::string>{
      succeeded->id, canceled->id, running->id, "01ARYZ6S410000000000000000"});
  EXPECT_EQ(replayed->changed, 1);
  EXPECT_EQ(replayed->skipped, 2);
  EXPECT_EQ(replayed->unknown_ids, std::vector<std::string>{"01ARYZ6S410000000000000000"});
  const ClaimedDelivery again = harness.NextAttempt();
  EXPECT_EQ(again.id, canceled->id);
  // The outcome of the attempt that the cancel aborted comes late: it is not this one's.
  harness.Succeed(aborted);
  EXPECT_EQ(harness.StateOf(canceled->id), DeliveryState::kRunning);
  harness.Succeed(again);
  EXPECT_EQ(harness.StateOf(canceled->id), DeliveryState::kSucceeded);

  harness.clock.Advance(absl::Hours(1));
  harness.Settle();
  EXPECT_EQ(harness.GetResult(canceled->id)->availability,
            DeliveryResult::Availability::kForgotten);
  EXPECT_EQ(harness.Replay(std::vector<std::string>{canceled->id})->changed, 0);
}

// One operation in each state, by state; in the order of acceptance canceled, failed, expired,
// succeeded, running, pending.
std::map<DeliveryState, std::string> OneInEachState(EngineHarness& harness) {
  std::map<DeliveryState, std::string> ids;
  const auto canceled = harness.Accept(AsyncCall());
  const ClaimedDelivery aborted = harness.NextAttempt();
  EXPECT_TRUE(harness.Cancel(canceled->id).ok());
  harness.EndAborted(aborted);
  ids[DeliveryState::kCanceled] = canceled->id;
  ids[DeliveryState::kFailed] = harness.Accept(AsyncCall())->id;
  harness.FailForGood(harness.NextAttempt());
  AcceptRequest mortal = AsyncCall();
  mortal.expires_after = absl::Minutes(1);
  ids[DeliveryState::kExpired] = harness.Accept(std::move(mortal))->id;
  harness.FailForNow(harness.NextAttempt(), 503, absl::Minutes(5));
  harness.Settle();
  harness.clock.Advance(absl::Minutes(1));
  ids[DeliveryState::kSucceeded] = harness.Accept(AsyncCall())->id;
  harness.Succeed(harness.NextAttempt());
  ids[DeliveryState::kRunning] = harness.Accept(AsyncCall())->id;
  harness.NextAttempt();
  ids[DeliveryState::kPending] = harness.Accept(AsyncCall())->id;
  harness.FailForNow(harness.NextAttempt(), 503, absl::Minutes(1));
  harness.Settle();
  for (const auto& [state, id] : ids) EXPECT_EQ(harness.StateOf(id), state);
  return ids;
}

TEST(EngineAdmin, AChangeThatNamesNoStateIsNotForWhatSomebodyMayStillWant) {
  {
    EngineHarness harness;
    auto ids = OneInEachState(harness);
    const auto replayed = harness.Replay(DeliveryFilter{});
    EXPECT_EQ(replayed->changed, 2);
    EXPECT_EQ(replayed->skipped, 0);
    for (const DeliveryState state : {DeliveryState::kFailed, DeliveryState::kExpired}) {
      EXPECT_EQ(harness.NextAttempt().id, ids[state]);
    }
    EXPECT_EQ(harness.StateOf(ids[DeliveryState::kCanceled]), DeliveryState::kCanceled);
    EXPECT_EQ(harness.StateOf(ids[DeliveryState::kSucceeded]), DeliveryState::kSucceeded);
    EXPECT_EQ(harness.engine->stats().dead, 0);
  }
  EngineHarness harness;
  auto ids = OneInEachState(harness);
  DeliveryFilter failed = InState(DeliveryState::kFailed);
  EXPECT_EQ(harness.Drop(failed)->changed, 1);
  const auto dropped = harness.Drop(DeliveryFilter{});
  EXPECT_EQ(dropped->changed, 2);
  EXPECT_EQ(dropped->skipped, 0);
  for (const auto& [state, id] : ids) {
    const bool kept = !IsFinal(state) || state == DeliveryState::kSucceeded;
    EXPECT_EQ(harness.Get(id).ok(), kept) << id;
  }
}

TEST(EngineAdmin, DropsNothingThatIsAlive) {
  EngineHarness harness;
  const auto alive = harness.Accept(AsyncCall());
  harness.NextAttempt();
  EXPECT_EQ(harness.Drop(std::vector<std::string>{alive->id})->skipped, 1);
  EXPECT_EQ(harness.StateOf(alive->id), DeliveryState::kRunning);
}

TEST(EngineAdmin, CancelsWhatWaitsAndWhatRunsAndAbortsThat) {
  EngineHarness harness;
  const auto succeeded = harness.Accept(AsyncCall());
  harness.Succeed(harness.NextAttempt());
  const auto running = harness.Accept(AsyncCall());
  const ClaimedDelivery attempt = harness.NextAttempt();
  const auto waiting = harness.Accept(AsyncCall());
  harness.FailForNow(harness.NextAttempt(), 503, absl::Minutes(1));
  AcceptRequest head = Publication("order", {"billing"});
  head.deliveries[0].ordering_key = "k";
  AcceptRequest behind = head;
  ASSERT_TRUE(harness.Accept(std::move(head)).ok());
  const ClaimedDelivery head_attempt = harness.NextAttempt();
  const auto behind_key = harness.Accept(std::move(behind));
  harness.Settle();

  const auto canceled = harness.Change({ChangeRequest::Kind::kCancel, DeliveryFilter{}, ""});
  EXPECT_EQ(canceled->changed, 4);
  EXPECT_EQ(canceled->skipped, 0);
  EXPECT_EQ(harness.aborts.Next(), attempt.claim);
  EXPECT_EQ(harness.aborts.Next(), head_attempt.claim);
  for (const std::string& id : {running->id, waiting->id, behind_key->id}) {
    EXPECT_EQ(harness.StateOf(id), DeliveryState::kCanceled);
  }
  EXPECT_EQ(harness.StateOf(succeeded->id), DeliveryState::kSucceeded);
  const auto again =
      harness.Change({ChangeRequest::Kind::kCancel, std::vector<std::string>{running->id}, ""});
  EXPECT_EQ(again->skipped, 1);
  harness.EndAborted(attempt);
  harness.EndAborted(head_attempt);
  harness.Settle();
  EXPECT_EQ(harness.attempts.size(), 0u);
  EXPECT_EQ(harness.engine->stats().pending, 0);
}

TEST(EngineAdmin, AChangeOfManyGoesOnWhereTheLastOneStopped) {
  EngineOptions options;
  options.max_running = 1;
  EngineHarness harness(options);
  constexpr size_t kCount = 6000;
  Inbox<absl::StatusOr<Accepted>> accepted;
  for (size_t i = 0; i < kCount; ++i) {
    harness.engine->Accept(AsyncCall(),
                           [&](absl::StatusOr<Accepted> reply) { accepted.Put(std::move(reply)); });
  }
  for (size_t i = 0; i < kCount; ++i) ASSERT_TRUE(accepted.Next().value().ok());
  const auto first = harness.Change({ChangeRequest::Kind::kCancel, DeliveryFilter{}, ""});
  EXPECT_EQ(first->changed, static_cast<int64_t>(kMaxChanged));
  ASSERT_FALSE(first->next_page_token.empty());
  const auto second =
      harness.Change({ChangeRequest::Kind::kCancel, DeliveryFilter{}, first->next_page_token});
  EXPECT_EQ(second->changed, static_cast<int64_t>(kCount - kMaxChanged));
  EXPECT_TRUE(second->next_page_token.empty());
  EXPECT_EQ(
      harness.Change({ChangeRequest::Kind::kCancel, DeliveryFilter{}, "nowhere"}).status().code(),
      absl::StatusCode::kInvalidArgument);
}

TEST(EngineAdmin, AWatchTellsThePresentStatusAndEveryChangeToTheEnd) {
  EngineHarness harness;
  const auto accepted = harness.Accept(AsyncCall());
  const ClaimedDelivery first = harness.NextAttempt();
  Inbox<absl::StatusOr<MessageView>> changes;
  harness.engine->Watch(accepted->id,
                        [&](absl::StatusOr<MessageView> view) { changes.Put(std::move(view)); });
  const auto next = [&] { return changes.Next().value()->deliveries[0].state; };
  EXPECT_EQ(next(), DeliveryState::kRunning);
  harness.FailForNow(first, 503, absl::Seconds(10));
  EXPECT_EQ(next(), DeliveryState::kPending);
  harness.clock.Advance(absl::Seconds(10));
  EXPECT_EQ(next(), DeliveryState::kRunning);
  harness.Succeed(harness.NextAttempt());
  EXPECT_EQ(next(), DeliveryState::kSucceeded);
  // That was the last: a replay would be another story.
  harness.Settle();
  EXPECT_EQ(changes.size(), 0u);
}

TEST(EngineAdmin, AWatchOfWhatHasEndedOrNeverWasIsOneCall) {
  EngineHarness harness;
  const auto accepted = harness.Accept(AsyncCall());
  harness.Succeed(harness.NextAttempt());
  ASSERT_EQ(harness.StateOf(accepted->id), DeliveryState::kSucceeded);
  Inbox<absl::StatusOr<MessageView>> changes;
  const auto watch = [&](const std::string& id) {
    harness.engine->Watch(id,
                          [&](absl::StatusOr<MessageView> view) { changes.Put(std::move(view)); });
    return changes.Next().value();
  };
  EXPECT_TRUE(watch(accepted->id)->final());
  EXPECT_EQ(watch("01ARYZ6S410000000000000000").status().code(), absl::StatusCode::kNotFound);
}

TEST(EngineAdmin, WatchesOfAMessageAndOfOneOfItsDeliveries) {
  EngineHarness harness;
  const auto accepted = harness.Accept(Publication("order.created", {"billing", "audit"}));
  const ClaimedDelivery billing = harness.NextAttempt();
  const ClaimedDelivery audit = harness.NextAttempt();
  Inbox<absl::StatusOr<MessageView>> of_message;
  Inbox<absl::StatusOr<MessageView>> of_delivery;
  harness.engine->Watch(accepted->id,
                        [&](absl::StatusOr<MessageView> view) { of_message.Put(std::move(view)); });
  harness.engine->Watch(
      audit.id, [&](absl::StatusOr<MessageView> view) { of_delivery.Put(std::move(view)); });
  EXPECT_EQ(of_message.Next().value()->deliveries.size(), 2u);
  EXPECT_EQ(of_delivery.Next().value()->deliveries.size(), 1u);
  harness.Succeed(audit);
  EXPECT_TRUE(of_delivery.Next().value()->final());
  EXPECT_FALSE(of_message.Next().value()->final());
  harness.Succeed(billing);
  EXPECT_TRUE(of_message.Next().value()->final());
}

TEST(EngineAdmin, AWatchEndsWhenItIsTakenBackOrTheEngineStops) {
  EngineOptions options;
  options.max_watches = 2;
  EngineHarness harness(options);
  const auto accepted = harness.Accept(AsyncCall());
  const ClaimedDelivery attempt = harness.NextAttempt();
  Inbox<absl::StatusOr<MessageView>> changes;
  const auto put = [&](absl::StatusOr<MessageView> view) { changes.Put(std::move(view)); };
  const WatchId first = harness.engine->Watch(accepted->id, put);
  harness.engine->Watch(accepted->id, put);
  EXPECT_TRUE(changes.Next().value().ok());
  EXPECT_TRUE(changes.Next().value().ok());
  harness.engine->Watch(accepted->id, put);
  EXPECT_EQ(changes.Next().value().status().code(), absl::StatusCode::kResourceExhausted);
  harness.engine->Unwatch(first);
  harness.FailForNow(attempt, 503, absl::Seconds(10));
  harness.Settle();
  EXPECT_EQ(changes.size(), 1u);
  EXPECT_TRUE(changes.Next().value().ok());
  harness.engine->Stop();
  EXPECT_EQ(changes.Next().value().status().code(), absl::StatusCode::kCancelled);
}

TEST(EngineAdmin, DescribesWhatWasAcceptedUntilItIsForgotten) {
  EngineHarness harness;
  const auto accepted = harness.Accept(AsyncCall());
  harness.Succeed(harness.NextAttempt(), 201, "the answer");
  harness.Settle();
  const auto without = harness.Describe(accepted->id, /*content=*/false);
  ASSERT_EQ(without->size(), 1u);
  EXPECT_EQ((*without)[0].answer->body, "the answer");
  EXPECT_FALSE((*without)[0].content.has_value());
  const auto described = harness.Describe(accepted->id, /*content=*/true);
  ASSERT_EQ(described->size(), 1u);
  EXPECT_EQ((*described)[0].content->headers, std::string("some\0bytes", 10));
  EXPECT_EQ((*described)[0].content->body, "the body");
  harness.clock.Advance(absl::Hours(1));
  harness.Settle();
  const auto forgotten = harness.Describe(accepted->id, /*content=*/true);
  ASSERT_EQ(forgotten->size(), 1u);
  EXPECT_TRUE((*forgotten)[0].message.forgotten);
  EXPECT_FALSE((*forgotten)[0].answer.has_value());
  EXPECT_FALSE((*forgotten)[0].content.has_value());
  EXPECT_TRUE(absl::IsNotFound(harness.Describe("nobody", true).status()));
}

TEST(EngineAdmin, DescribesTheContentOfAMessageOnce) {
  EngineHarness harness;
  const auto accepted = harness.Accept(Publication("topic", {"billing", "audit"}));
  const auto described = harness.Describe(accepted->id, /*content=*/true);
  ASSERT_EQ(described->size(), 2u);
  EXPECT_EQ((*described)[0].content->attributes, "attributes");
  EXPECT_FALSE((*described)[1].content.has_value());
  const auto second = harness.Describe((*described)[1].delivery.id, /*content=*/true);
  ASSERT_EQ(second->size(), 1u);
  EXPECT_EQ((*second)[0].content->body, "the event");
}

TEST(EngineAdmin, EndsAFullPageByItsBytesAndMissesNothing) {
  EngineHarness harness;
  DeliveryFilter of_audit;
  of_audit.target = Target{TargetKind::kSubscription, "audit"};
  std::vector<std::string> ids;
  for (const size_t bytes : {size_t{10}, kMaxFullBytes - 1000, size_t{2000}, 2 * kMaxFullBytes,
                             kMaxToldBody + 1, size_t{10}, size_t{10}}) {
    AcceptRequest request = Publication("topic", {"billing", "audit"});
    request.message.body.assign(bytes, 'x');
    const auto accepted = harness.Accept(std::move(request));
    ids.push_back(harness.Get(accepted->id)->deliveries[1].id);
  }
  std::vector<std::string> seen;
  std::vector<size_t> sizes;
  ListRequest request;
  request.filter = of_audit;
  request.full = true;
  do {
    const auto page = harness.List(request);
    ASSERT_TRUE(page.ok()) << page.status();
    sizes.push_back(page->deliveries.size());
    for (const ListedDelivery& listed : page->deliveries) {
      seen.push_back(listed.delivery.id);
      ASSERT_TRUE(listed.content.has_value());
      const bool told = listed.content->body_bytes <= kMaxToldBody;
      EXPECT_EQ(listed.content->body.size(), told ? listed.content->body_bytes : 0);
    }
    request.page_token = page->next_page_token;
  } while (!request.page_token.empty());
  EXPECT_EQ(seen, ids);
  EXPECT_EQ(sizes, (std::vector<size_t>{2, 1, 1, 3}));
}

}  // namespace
}  // namespace pillion::delivery
