// Nothing grows without bounds: backlogs of targets, and of the store.
#include <map>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sidecar/delivery/engine_harness.h"

namespace pillion::delivery {
namespace {

using testing::HasSubstr;

AcceptRequest Limited(int64_t deliveries, int64_t bytes, size_t body = 10) {
  AcceptRequest request = AsyncCall();
  request.message.headers.clear();
  request.message.body.assign(body, 'x');
  request.deliveries[0].max_backlog = {deliveries, bytes};
  return request;
}

Backlog BacklogOf(EngineHarness& harness, const std::string& name) {
  harness.Settle();
  for (const TargetBacklog& entry : harness.engine->backlogs()) {
    if (entry.target.name == name) return entry.backlog;
  }
  return {};
}

TEST(EngineBacklog, OfATargetHasALimitByCount) {
  EngineHarness harness;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(harness.Accept(Limited(3, 1000)).ok());
  const absl::Status refused = harness.Accept(Limited(3, 1000)).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(std::string(refused.message()),
            "route 'reports' has 3 deliveries with 30 bytes on the way already, as many as "
            "max_pending allows");
  EXPECT_TRUE(harness.Accept(AsyncCall("another")).ok());
  // What is to be tried again is still on its way; what has ended is not.
  harness.FailForNow(harness.NextAttempt(), 503, absl::Minutes(1));
  EXPECT_FALSE(harness.Accept(Limited(3, 1000)).ok());
  harness.Succeed(harness.NextAttempt());
  harness.Settle();
  EXPECT_TRUE(harness.Accept(Limited(3, 1000)).ok());
  harness.Settle();
  EXPECT_EQ(harness.engine->stats().rejected_by_backlog, 2);
  EXPECT_EQ(harness.engine->stats().accepted, 5);
}

TEST(EngineBacklog, OfATargetHasALimitByBytesWhichOneAloneMayExceed) {
  EngineHarness harness;
  ASSERT_TRUE(harness.Accept(Limited(10, 100, 150)).ok());
  EXPECT_FALSE(harness.Accept(Limited(10, 100, 1)).ok());
  harness.Succeed(harness.NextAttempt());
  harness.Settle();
  ASSERT_TRUE(harness.Accept(Limited(10, 100, 60)).ok());
  EXPECT_TRUE(harness.Accept(Limited(10, 100, 40)).ok());
  const absl::Status refused = harness.Accept(Limited(10, 100, 1)).status();
  EXPECT_THAT(std::string(refused.message()), HasSubstr("max_pending_bytes"));
}

TEST(EngineBacklog, CanBeAskedForRoomBeforehand) {
  EngineOptions options;
  options.max_pending = 3;
  EngineHarness harness(options);
  const NewDelivery two = Limited(2, 1000).deliveries[0];
  EXPECT_TRUE(harness.engine->CheckRoom(two).ok());
  ASSERT_TRUE(harness.Accept(Limited(2, 1000)).ok());
  harness.Settle();
  EXPECT_TRUE(harness.engine->CheckRoom(two).ok());
  ASSERT_TRUE(harness.Accept(Limited(2, 1000)).ok());
  harness.Settle();
  const absl::Status full = harness.engine->CheckRoom(two);
  EXPECT_EQ(full, harness.Accept(Limited(2, 1000)).status());
  const NewDelivery another = AsyncCall("another").deliveries[0];
  EXPECT_TRUE(harness.engine->CheckRoom(another).ok());
  ASSERT_TRUE(harness.Accept(AsyncCall("another")).ok());
  harness.Settle();
  EXPECT_EQ(harness.engine->CheckRoom(another), harness.Accept(AsyncCall("another")).status());
  harness.Settle();
  EXPECT_EQ(harness.engine->stats().rejected_by_backlog, 2);
  EXPECT_EQ(harness.engine->stats().rejected_by_store, 2);
  for (int i = 0; i < 3; ++i) harness.Succeed(harness.NextAttempt());
  harness.Settle();
  EXPECT_TRUE(harness.engine->CheckRoom(two).ok());
  // After a restart, too.
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(harness.Accept(Limited(2, 1000)).ok());
  harness.Restart();
  EXPECT_FALSE(harness.engine->CheckRoom(two).ok());
}

TEST(EngineBacklog, WhenOneOfSeveralSubscriptionsIsFullNoneGetsTheMessage) {
  EngineHarness harness;
  const auto publication = [] {
    AcceptRequest request = Publication("order.created", {"billing", "audit"});
    request.deliveries[1].max_backlog = {1, 1000};
    return request;
  };
  ASSERT_TRUE(harness.Accept(publication()).ok());
  const absl::Status refused = harness.Accept(publication()).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("subscription 'audit'"));
  EXPECT_EQ(harness.List({})->deliveries.size(), 2u);
  EXPECT_EQ(BacklogOf(harness, "billing").deliveries, 1);
}

TEST(EngineBacklog, ARepeatedCallIsAnsweredHoweverFullItIs) {
  EngineHarness harness;
  AcceptRequest request = Limited(1, 1000);
  request.idempotency = Idempotency{"scope", "key", "fingerprint"};
  AcceptRequest repeated = Limited(1, 1000);
  repeated.idempotency = request.idempotency;
  const auto first = harness.Accept(std::move(request));
  EXPECT_EQ(harness.Accept(std::move(repeated))->id, first->id);
}

TEST(EngineBacklog, IsTheSameAfterARestartAndEmptyWhenAllHasEnded) {
  EngineHarness harness;
  std::map<std::string, std::string> ids;
  for (const char* end : {"succeeds", "fails", "canceled", "expires"}) {
    AcceptRequest request = Limited(10, 1000, 7);
    if (end == std::string("expires")) request.expires_after = absl::Minutes(1);
    ids[end] = harness.Accept(std::move(request))->id;
  }
  harness.Settle();
  harness.Restart();
  EXPECT_EQ(BacklogOf(harness, "reports").deliveries, 4);
  EXPECT_EQ(BacklogOf(harness, "reports").bytes, 28);
  EXPECT_EQ(harness.engine->stats().pending + harness.engine->stats().running, 4);
  std::vector<ClaimedDelivery> attempts;
  for (int i = 0; i < 4; ++i) attempts.push_back(harness.NextAttempt());
  for (const ClaimedDelivery& attempt : attempts) {
    if (attempt.id == ids["succeeds"]) harness.Succeed(attempt);
    if (attempt.id == ids["fails"]) harness.FailForGood(attempt);
  }
  ASSERT_TRUE(harness.Cancel(ids["canceled"]).ok());
  harness.clock.Advance(absl::Minutes(1));
  EXPECT_EQ(BacklogOf(harness, "reports").deliveries, 0);
  EXPECT_EQ(BacklogOf(harness, "reports").bytes, 0);
  // A replay is on its way again, and a limit does not forbid it.
  EXPECT_EQ(harness.Replay(std::vector<std::string>{ids["fails"]})->changed, 1);
  EXPECT_EQ(BacklogOf(harness, "reports").deliveries, 1);
  EXPECT_EQ(BacklogOf(harness, "reports").bytes, 7);
}

TEST(EngineBacklog, LargeMessagesDoNotHoldUpSmallOnes) {
  EngineHarness harness;
  Inbox<int> blocked;
  Inbox<int> go_on;
  harness.engine->Get("", [&](absl::StatusOr<MessageView>) {
    blocked.Put(1);
    go_on.Next();
  });
  ASSERT_TRUE(blocked.Next().has_value());
  // Two commits' worth of large ones, and another; then a small one.
  Inbox<size_t> order;
  for (const size_t bytes : {900'000, 900'000, 900'000, 900'000, 900'000, 100}) {
    AcceptRequest request = AsyncCall();
    request.message.body.assign(bytes, 'x');
    harness.engine->Accept(std::move(request), [&order, bytes](absl::StatusOr<Accepted> accepted) {
      order.Put(accepted.ok() ? bytes : 0);
    });
  }
  EXPECT_EQ(harness.engine->stats().queued, 7);
  go_on.Put(1);
  EXPECT_EQ(order.Next(), 100u);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(order.Next(), 900'000u);
  harness.Settle();
  EXPECT_LE(harness.engine->stats().queued, 1);  // that of Settle() counts until the next turn
  EXPECT_EQ(harness.engine->stats().queued_bytes, 0);
  EXPECT_GE(harness.engine->stats().commits, 3);
}

TEST(EngineBacklog, LargeAnswersAreStoredAFewACommitAndNoneIsLost) {
  EngineHarness harness;
  std::vector<ClaimedDelivery> running;
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(harness.Accept(AsyncCall()).ok());
    running.push_back(harness.NextAttempt());
  }
  Inbox<int> blocked;
  Inbox<int> go_on;
  harness.engine->Get("", [&](absl::StatusOr<MessageView>) {
    blocked.Put(1);
    go_on.Next();
  });
  ASSERT_TRUE(blocked.Next().has_value());
  const int64_t before = harness.engine->stats().commits;
  for (const ClaimedDelivery& attempt : running) {
    harness.Succeed(attempt, 200, std::string(600'000, 'x'));
  }
  go_on.Put(1);
  for (const ClaimedDelivery& attempt : running) {
    while (harness.StateOf(attempt.id) == DeliveryState::kRunning) {
    }
    EXPECT_EQ(harness.GetResult(attempt.id)->answer->body.size(), 600'000u);
  }
  harness.Settle();
  EXPECT_EQ(harness.engine->stats().commits, before + 3);
}

TEST(EngineBacklog, OfAllTogetherHasALimit) {
  EngineOptions options;
  options.max_pending = 3;
  EngineHarness harness(options);
  ASSERT_TRUE(harness.Accept(AsyncCall("a")).ok());
  ASSERT_TRUE(harness.Accept(AsyncCall("b")).ok());
  const absl::Status refused =
      harness.Accept(Publication("order.created", {"billing", "audit"})).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(std::string(refused.message()), "the store is full, as store.max_pending of 3 says");
  ASSERT_TRUE(harness.Accept(AsyncCall("c")).ok());
  EXPECT_FALSE(harness.Accept(AsyncCall("d")).ok());
  harness.Restart();
  EXPECT_FALSE(harness.Accept(AsyncCall("d")).ok());
  harness.Succeed(harness.NextAttempt());
  harness.Settle();
  EXPECT_TRUE(harness.Accept(AsyncCall("d")).ok());
}

TEST(EngineBacklog, ABatchThatWouldNeverFitIsToldSoAndNotToComeAgain) {
  EngineHarness harness;
  const auto batch = [](size_t size) {
    std::vector<AcceptRequest> requests;
    for (size_t i = 0; i < size; ++i) {
      requests.push_back(Publication("topic", {"small"}));
      requests.back().deliveries[0].max_backlog.deliveries = 3;
    }
    return requests;
  };
  const absl::Status never = harness.AcceptAll(batch(4)).status();
  EXPECT_EQ(never.code(), absl::StatusCode::kOutOfRange) << never;
  EXPECT_THAT(std::string(never.message()), HasSubstr("send smaller batches"));
  EXPECT_TRUE(harness.AcceptAll(batch(1)).ok());
  EXPECT_EQ(harness.AcceptAll(batch(3)).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(harness.AcceptAll(batch(2)).ok());
}

TEST(EngineBacklog, TheStoreHasALimitByWhatItUsesOfItsFile) {
  EngineOptions options;
  options.max_store_bytes = 1 << 20;
  EngineHarness harness(options);
  const auto accept = [&] {
    AcceptRequest request = AsyncCall();
    request.message.body.assign(10'000, 'x');
    return harness.Accept(std::move(request));
  };
  std::vector<std::string> ids;
  absl::Status refused;
  for (int i = 0; i < 1000 && refused.ok(); ++i) {
    const auto accepted = accept();
    refused = accepted.status();
    if (refused.ok()) ids.push_back(accepted->id);
  }
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("store.max_bytes"));
  EXPECT_GT(ids.size(), 50u);
  EXPECT_LT(ids.size(), 105u);
  harness.Settle();
  EXPECT_EQ(harness.engine->stats().rejected_by_store, 1);
  // What is finished takes room, too, until it is dropped or its retention is over.
  while (harness.AttemptsWaiting() > 0) harness.Succeed(harness.NextAttempt());
  EXPECT_FALSE(accept().ok());
  harness.clock.Advance(absl::Hours(1));
  harness.Settle();
  // What was forgotten counts until the store has settled it, in the background.
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (!accept().ok()) {
    ASSERT_LT(absl::Now(), deadline);
    harness.Settle();
  }
}

}  // namespace
}  // namespace pillion::delivery
