// The end of an operation and its announcement are one: both are stored, or neither.
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "sidecar/delivery/engine_harness.h"

namespace pillion::delivery {
namespace {

// Says of an operation how it ended.
std::optional<AcceptRequest> Announcement(const MessageView& operation) {
  if (operation.message.path_and_query == "/silent") return std::nullopt;
  AcceptRequest request = Publication("ended", {"listener"});
  request.message.kind = MessageKind::kCallback;
  request.message.body = operation.message.id + " " +
                         std::string(DeliveryStateName(operation.deliveries[0].state)) + " " +
                         operation.deliveries[0].extra;
  request.deliveries[0].target.kind = TargetKind::kCallback;
  return request;
}

EngineOptions Announcing() {
  EngineOptions options;
  options.callback_of = Announcement;
  return options;
}

AcceptRequest AnnouncedCall() {
  AcceptRequest request = AsyncCall();
  request.deliveries[0].spec.callback = true;
  return request;
}

TEST(EngineCallback, FollowsTheEndOfItsOperation) {
  EngineHarness harness(Announcing());
  const auto call = harness.Accept(AnnouncedCall());
  harness.FailForNow(harness.NextAttempt());
  EXPECT_EQ(harness.Get(call->id)->deliveries[0].callback_id, "");
  const ClaimedDelivery last = harness.NextAttempt();
  EXPECT_EQ(last.id, call->id);
  harness.Succeed(last);
  const ClaimedDelivery callback = harness.NextAttempt();
  EXPECT_EQ(callback.message->kind, MessageKind::kCallback);
  EXPECT_EQ(callback.message->body, call->id + " succeeded what the sender needs");
  EXPECT_EQ(harness.Get(call->id)->deliveries[0].callback_id, callback.message->id);
  harness.FailForNow(callback);
  const ClaimedDelivery again = harness.NextAttempt();
  EXPECT_EQ(again.id, callback.id);
  EXPECT_EQ(again.attempt, 2);
  harness.Succeed(again);
  EXPECT_EQ(harness.StateOf(callback.message->id), DeliveryState::kSucceeded);
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  EXPECT_EQ(harness.engine->stats().pending, 0);
}

TEST(EngineCallback, FollowsEveryKindOfEnd) {
  EngineHarness harness(Announcing());
  ASSERT_TRUE(harness.Accept(AnnouncedCall()).ok());
  harness.FailForGood(harness.NextAttempt());
  EXPECT_NE(harness.NextAttempt().message->body.find(" failed "), std::string::npos);

  const auto canceled = harness.Accept(AnnouncedCall());
  const ClaimedDelivery running = harness.NextAttempt();
  ASSERT_TRUE(harness.Cancel(canceled->id).ok());
  EXPECT_NE(harness.NextAttempt().message->body.find(" canceled "), std::string::npos);
  harness.EndAborted(running);

  AcceptRequest expiring = AnnouncedCall();
  expiring.expires_after = absl::Minutes(1);
  ASSERT_TRUE(harness.Accept(std::move(expiring)).ok());
  harness.FailForNow(harness.NextAttempt(), 503, absl::Minutes(2));
  harness.Settle();
  harness.clock.Advance(absl::Minutes(1));
  EXPECT_NE(harness.NextAttempt().message->body.find(" expired "), std::string::npos);
}

TEST(EngineCallback, OutlivesTheProcess) {
  EngineHarness harness(Announcing());
  const auto call = harness.Accept(AnnouncedCall());
  harness.Succeed(harness.NextAttempt());
  const std::string id = harness.NextAttempt().id;
  harness.Restart();
  const ClaimedDelivery callback = harness.NextAttempt();
  EXPECT_EQ(callback.id, id);
  EXPECT_EQ(callback.message->body, call->id + " succeeded what the sender needs");
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
}

TEST(EngineCallback, ComesAgainForAnOperationThatIsReplayed) {
  EngineHarness harness(Announcing());
  const auto call = harness.Accept(AnnouncedCall());
  harness.FailForGood(harness.NextAttempt());
  const ClaimedDelivery first = harness.NextAttempt();
  harness.Succeed(first);
  ASSERT_EQ(harness.Replay(std::vector<std::string>{call->id})->changed, 1);
  EXPECT_EQ(harness.Get(call->id)->deliveries[0].callback_id, "");
  harness.Succeed(harness.NextAttempt());
  const ClaimedDelivery second = harness.NextAttempt();
  EXPECT_NE(second.id, first.id);
  EXPECT_EQ(second.message->body, call->id + " succeeded what the sender needs");
}

TEST(EngineCallback, HasALifetimeOfItsOwn) {
  EngineOptions options;
  options.callback_of = [](const MessageView& operation) {
    std::optional<AcceptRequest> request = Announcement(operation);
    request->expires_after = absl::Minutes(1);
    return request;
  };
  EngineHarness harness(options);
  ASSERT_TRUE(harness.Accept(AnnouncedCall()).ok());
  harness.Succeed(harness.NextAttempt());
  const ClaimedDelivery unsent = harness.NextAttempt();
  harness.Postpone(unsent, absl::Minutes(2));
  harness.Settle();
  harness.clock.Advance(absl::Minutes(1));
  harness.Settle();
  EXPECT_EQ(harness.StateOf(unsent.message->id), DeliveryState::kExpired);
}

TEST(EngineCallback, RefusesCallsWhileItsTargetIsFullButLosesNone) {
  EngineHarness harness(Announcing());
  const auto call = [] {
    AcceptRequest request = AnnouncedCall();
    request.deliveries[0].max_backlog.deliveries = 2;
    request.deliveries[0].callback_target = Target{TargetKind::kCallback, "listener"};
    return request;
  };
  // Two calls are accepted while there is room, and a third that has no limit.
  ASSERT_TRUE(harness.Accept(call()).ok());
  ASSERT_TRUE(harness.Accept(call()).ok());
  ASSERT_TRUE(harness.Accept(AnnouncedCall()).ok());
  for (int i = 0; i < 3; ++i) harness.Succeed(harness.NextAttempt());
  std::vector<ClaimedDelivery> callbacks;
  for (int i = 0; i < 3; ++i) callbacks.push_back(harness.NextAttempt());
  const absl::Status refused = harness.Accept(call()).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(refused.message().find("callback 'listener' has 3 deliveries"), std::string::npos)
      << refused;
  EXPECT_TRUE(harness.Accept(AsyncCall()).ok()) << "nobody is told of its end";
  harness.Succeed(callbacks[0]);
  harness.Succeed(callbacks[1]);
  harness.Settle();
  EXPECT_TRUE(harness.Accept(call()).ok());
}

TEST(EngineCallback, IsFoundByItsRouteWhicheverClusterItGoesTo) {
  EngineOptions options;
  options.callback_of = [](const MessageView& operation) {
    std::optional<AcceptRequest> request = Announcement(operation);
    NewDelivery& delivery = request->deliveries[0];
    delivery.cluster = operation.message.path_and_query;
    delivery.target = CallbackTarget(operation.deliveries[0].target.name, delivery.cluster);
    return request;
  };
  EngineHarness harness(options);
  for (const char* cluster : {"a", "b"}) {
    AcceptRequest request = AnnouncedCall();
    request.message.path_and_query = cluster;
    ASSERT_TRUE(harness.Accept(std::move(request)).ok());
    harness.Succeed(harness.NextAttempt());
    const ClaimedDelivery callback = harness.NextAttempt();
    EXPECT_EQ(callback.target.name, std::string("reports -> ") + cluster);
    EXPECT_EQ(RouteOfCallback(callback.target, callback.cluster), "reports");
  }
  ListRequest list;
  list.filter.route = "reports";
  EXPECT_EQ(harness.List(list)->deliveries.size(), 4u) << "with their operations";
  list.filter.kind = MessageKind::kCallback;
  EXPECT_EQ(harness.List(list)->deliveries.size(), 2u);
  list.filter.cluster = "a";
  EXPECT_EQ(harness.List(list)->deliveries.size(), 1u);
  list.filter.route = "report";
  EXPECT_EQ(harness.List(list)->deliveries.size(), 0u);
}

TEST(EngineCallback, IsForThoseThatAskForIt) {
  EngineHarness harness(Announcing());
  ASSERT_TRUE(harness.Accept(AsyncCall()).ok());
  harness.Succeed(harness.NextAttempt());
  AcceptRequest silent = AnnouncedCall();
  silent.message.path_and_query = "/silent";
  ASSERT_TRUE(harness.Accept(std::move(silent)).ok());
  harness.Succeed(harness.NextAttempt());
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
}

}  // namespace
}  // namespace pillion::delivery
