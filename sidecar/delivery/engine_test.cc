// The life of a delivery, as callers and dispatchers see it.
#include "sidecar/delivery/engine.h"

#include <thread>

#include "gtest/gtest.h"
#include "sidecar/delivery/engine_harness.h"

namespace pillion::delivery {
namespace {

using Availability = DeliveryResult::Availability;

TEST(Engine, StartsAnAcceptedCallAtOnceAndKeepsItsAnswer) {
  EngineHarness harness;
  const auto accepted = harness.Accept(AsyncCall());
  ASSERT_TRUE(accepted.ok()) << accepted.status();
  EXPECT_EQ(accepted->delivery_ids, std::vector<std::string>{accepted->id});
  const ClaimedDelivery attempt = harness.NextAttempt();
  EXPECT_EQ(attempt.id, accepted->id);
  EXPECT_EQ(attempt.attempt, 1);
  EXPECT_EQ(attempt.cluster, "orders");
  EXPECT_EQ(attempt.spec.extra, "what the sender needs");
  EXPECT_EQ(attempt.message->body, "the body");
  EXPECT_EQ(attempt.message->headers, std::string("some\0bytes", 10));

  auto view = harness.Get(accepted->id);
  ASSERT_TRUE(view.ok());
  EXPECT_EQ(view->message.method, "POST");
  EXPECT_EQ(view->message.path_and_query, "/reports?year=1");
  EXPECT_EQ(view->message.authority, "orders");
  EXPECT_EQ(view->message.created_at, harness.clock.Now());
  EXPECT_EQ(view->deliveries[0].state, DeliveryState::kRunning);
  EXPECT_EQ(view->deliveries[0].started_at, harness.clock.Now());
  EXPECT_EQ(harness.GetResult(accepted->id)->availability, Availability::kNotDone);

  harness.clock.Advance(absl::Seconds(2));
  harness.Succeed(attempt, 201, std::string(100000, 'r'));
  EXPECT_EQ(harness.StateOf(accepted->id), DeliveryState::kSucceeded);
  view = harness.Get(accepted->id);
  EXPECT_TRUE(view->final());
  EXPECT_EQ(view->deliveries[0].finished_at, harness.clock.Now());
  EXPECT_EQ(view->deliveries[0].last_status, 201);
  const auto result = harness.GetResult(accepted->id);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->availability, Availability::kReady);
  EXPECT_EQ(result->answer->status, 201);
  EXPECT_EQ(result->answer->headers, "answer-headers");
  EXPECT_EQ(result->answer->body, std::string(100000, 'r'));
}

TEST(Engine, AnUsualCallCostsTwoCommits) {
  EngineHarness harness;
  const int64_t before = harness.engine->stats().commits;
  const auto accepted = harness.Accept(AsyncCall());
  harness.Succeed(harness.NextAttempt());
  ASSERT_EQ(harness.StateOf(accepted->id), DeliveryState::kSucceeded);
  EXPECT_EQ(harness.engine->stats().commits - before, 2);
}

TEST(Engine, WhatIsAskedDuringACommitIsInTheNextOne) {
  EngineHarness harness;
  Inbox<int> blocked;
  Inbox<int> go_on;
  harness.engine->Get("", [&](absl::StatusOr<MessageView>) {
    blocked.Put(1);
    go_on.Next();
  });
  ASSERT_TRUE(blocked.Next().has_value());
  const int64_t before = harness.engine->stats().commits;
  Inbox<absl::StatusOr<Accepted>> accepted;
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      for (int j = 0; j < 25; ++j) {
        harness.engine->Accept(
            AsyncCall(), [&](absl::StatusOr<Accepted> reply) { accepted.Put(std::move(reply)); });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  go_on.Put(1);
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(accepted.Next().value().ok());
  harness.Settle();
  EXPECT_EQ(harness.engine->stats().commits - before, 1);
  EXPECT_EQ(harness.engine->stats().accepted, 200);
}

TEST(Engine, AFullQueueRefusesAtOnce) {
  EngineOptions options;
  options.max_queued = 3;
  options.max_queued_bytes = 100;
  EngineHarness harness(options);
  // One that is too large for the queue still goes through when it is alone.
  AcceptRequest large = AsyncCall();
  large.message.body.assign(1000, 'x');
  EXPECT_TRUE(harness.Accept(std::move(large)).ok());
  harness.Settle();

  Inbox<int> blocked;
  Inbox<int> go_on;
  harness.engine->Get("", [&](absl::StatusOr<MessageView>) {
    blocked.Put(1);
    go_on.Next();
  });
  ASSERT_TRUE(blocked.Next().has_value());
  Inbox<absl::StatusCode> replies;
  const auto accept = [&](size_t bytes) {
    AcceptRequest request = AsyncCall();
    request.message.headers.clear();
    request.message.body.assign(bytes, 'x');
    harness.engine->Accept(std::move(request), [&replies](absl::StatusOr<Accepted> reply) {
      replies.Put(reply.status().code());
    });
  };
  accept(60);
  accept(60);  // too many bytes
  EXPECT_EQ(replies.Next(), absl::StatusCode::kResourceExhausted);
  accept(10);
  accept(10);  // too many: the Get above counts as long as it is being served
  EXPECT_EQ(replies.Next(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(harness.engine->stats().rejected_by_queue, 2);
  EXPECT_EQ(harness.engine->stats().queued_bytes, 70);
  go_on.Put(1);
  EXPECT_EQ(replies.Next(), absl::StatusCode::kOk);
  EXPECT_EQ(replies.Next(), absl::StatusCode::kOk);
  harness.Settle();
  EXPECT_EQ(harness.engine->stats().queued_bytes, 0);
}

TEST(Engine, RepeatsAFailedAttemptUntilItSucceeds) {
  EngineHarness harness;
  const auto accepted = harness.Accept(AsyncCall("reports", 3));
  harness.FailForNow(harness.NextAttempt());
  harness.FailForNow(harness.NextAttempt(), 0);
  const ClaimedDelivery third = harness.NextAttempt();
  EXPECT_EQ(third.attempt, 3);
  EXPECT_EQ(third.id, accepted->id);
  EXPECT_EQ(third.message->body, "the body");
  EXPECT_EQ(third.message->headers, std::string("some\0bytes", 10));
  EXPECT_EQ(third.spec.extra, "what the sender needs");
  const auto view = harness.Get(accepted->id);
  EXPECT_EQ(view->deliveries[0].last_error, "connection refused");
  harness.Succeed(third);
  EXPECT_EQ(harness.StateOf(accepted->id), DeliveryState::kSucceeded);
  EXPECT_EQ(harness.Get(accepted->id)->deliveries[0].attempts, 3);
  EXPECT_EQ(harness.engine->stats().retries, 2);
}

TEST(Engine, WaitsBetweenAttemptsAndWakesUpByItself) {
  EngineHarness harness;
  AcceptRequest request = AsyncCall();
  request.deliveries[0].spec.retry.max_interval = absl::Minutes(10);
  const auto accepted = harness.Accept(std::move(request));
  harness.FailForNow(harness.NextAttempt(), 503, absl::Minutes(5));
  EXPECT_EQ(harness.StateOf(accepted->id), DeliveryState::kPending);
  EXPECT_EQ(harness.Get(accepted->id)->deliveries[0].next_attempt_at,
            harness.clock.Now() + absl::Minutes(5));
  harness.clock.Advance(absl::Minutes(5) - absl::Milliseconds(1));
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  harness.clock.Advance(absl::Milliseconds(1));
  EXPECT_EQ(harness.NextAttempt().attempt, 2);
}

TEST(Engine, BecomesADeadLetterWhenTheRetriesAreUsedUp) {
  EngineHarness harness;
  const auto accepted = harness.Accept(Publication("order.created", {"billing"}, 2));
  for (int attempt = 1; attempt <= 2; ++attempt) harness.FailForNow(harness.NextAttempt());
  const ClaimedDelivery last = harness.NextAttempt();
  AttemptOutcome outcome;
  outcome.verdict = AttemptOutcome::Verdict::kRetry;
  outcome.answer = {500, "answer-headers", std::string(5000, 'x')};
  harness.engine->Complete(last.claim, outcome);
  ASSERT_EQ(harness.StateOf(accepted->id), DeliveryState::kFailed);
  const DeliveryView delivery = harness.Get(accepted->id)->deliveries[0];
  EXPECT_EQ(delivery.reason, FailureReason::kRetriesExhausted);
  EXPECT_EQ(delivery.attempts, 3);
  EXPECT_EQ(delivery.last_status, 500);
  // The last answer, cut.
  EXPECT_EQ(harness.GetResult(delivery.id)->answer->body, std::string(2048, 'x'));
  EXPECT_EQ(harness.engine->stats().dead, 1);
}

TEST(Engine, APermanentFailureEndsItAndAnOperationKeepsTheWholeAnswer) {
  EngineHarness harness;
  const auto operation = harness.Accept(AsyncCall());
  harness.FailForGood(harness.NextAttempt(), 422, std::string(5000, 'x'));
  EXPECT_EQ(harness.StateOf(operation->id), DeliveryState::kFailed);
  EXPECT_EQ(harness.Get(operation->id)->deliveries[0].reason, FailureReason::kRejected);
  EXPECT_EQ(harness.GetResult(operation->id)->answer->body.size(), 5000u);
}

TEST(Engine, AnEndWithoutAnAnswerSaysSo) {
  EngineHarness harness;
  const auto operation = harness.Accept(AsyncCall("reports", 0));
  harness.FailForNow(harness.NextAttempt(), 0);
  ASSERT_EQ(harness.StateOf(operation->id), DeliveryState::kFailed);
  const auto result = harness.GetResult(operation->id);
  EXPECT_EQ(result->availability, Availability::kNoAnswer);
  EXPECT_EQ(result->view.deliveries[0].last_error, "connection refused");
}

TEST(Engine, AnAbortedAttemptDoesNotCount) {
  EngineHarness harness;
  const auto operation = harness.Accept(AsyncCall("reports", 0));
  const ClaimedDelivery first = harness.NextAttempt();
  harness.engine->StopDispatching();
  harness.EndAborted(first);
  EXPECT_EQ(harness.StateOf(operation->id), DeliveryState::kPending);
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  EXPECT_EQ(harness.Get(operation->id)->deliveries[0].attempts, 0);
  // Accepts go on, but nothing starts.
  EXPECT_TRUE(harness.Accept(AsyncCall()).ok());
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  harness.Restart();
  EXPECT_EQ(harness.NextAttempt().attempt, 1);
  harness.NextAttempt();
}

TEST(Engine, APostponedAttemptUsesUpNoRetryButWaits) {
  EngineHarness harness;
  AcceptRequest call = AsyncCall("reports", 0);
  call.deliveries[0].spec.retry.max_interval = absl::Seconds(1);  // is for retries
  const absl::Duration rest = absl::Minutes(1);
  const auto operation = harness.Accept(std::move(call));
  for (int i = 0; i < 3; ++i) {
    const ClaimedDelivery attempt = harness.NextAttempt();
    EXPECT_EQ(attempt.attempt, 1);
    harness.Postpone(attempt, rest);
    EXPECT_EQ(harness.StateOf(operation->id), DeliveryState::kPending);
    EXPECT_EQ(harness.Get(operation->id)->deliveries[0].last_error, "nobody to send it to");
    harness.clock.Advance(rest - absl::Milliseconds(1));
    EXPECT_EQ(harness.AttemptsWaiting(), 0u);
    harness.clock.Advance(absl::Milliseconds(1));
  }
  harness.Succeed(harness.NextAttempt());
  EXPECT_EQ(harness.StateOf(operation->id), DeliveryState::kSucceeded);
}

TEST(Engine, HurriesWhatWaitsForOneCluster) {
  EngineHarness harness;
  const auto message = harness.Accept(Publication("order.created", {"billing", "search"}));
  for (int i = 0; i < 2; ++i) harness.Postpone(harness.NextAttempt(), absl::Minutes(1));
  ASSERT_EQ(harness.AttemptsWaiting(), 0u);
  harness.engine->Hurry("nobody");
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  harness.engine->Hurry("billing");
  const ClaimedDelivery attempt = harness.NextAttempt();
  EXPECT_EQ(attempt.cluster, "billing");
  EXPECT_EQ(attempt.attempt, 1);
  harness.Succeed(attempt);
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  harness.clock.Advance(absl::Minutes(1));
  EXPECT_EQ(harness.NextAttempt().cluster, "search");
}

TEST(Engine, WhatIsTooLargeForTheStoreFailsAloneAndStopsNobody) {
  EngineHarness harness({}, NewDirectory(), /*max_row_bytes=*/100'000);
  Inbox<int> blocked;
  Inbox<int> go_on;
  harness.engine->Get("", [&](absl::StatusOr<MessageView>) {
    blocked.Put(1);
    go_on.Next();
  });
  ASSERT_TRUE(blocked.Next().has_value());
  // The three are in one commit.
  Inbox<absl::StatusCode> replies;
  for (const size_t size : {10, 200'000, 10}) {
    AcceptRequest request = AsyncCall();
    request.message.body.assign(size, 'x');
    harness.engine->Accept(std::move(request), [&replies](absl::StatusOr<Accepted> reply) {
      replies.Put(reply.status().code());
    });
  }
  go_on.Put(1);
  for (const absl::StatusCode code :
       {absl::StatusCode::kOk, absl::StatusCode::kOutOfRange, absl::StatusCode::kOk}) {
    EXPECT_EQ(replies.Next(), code);
  }
  const ClaimedDelivery first = harness.NextAttempt();
  const ClaimedDelivery second = harness.NextAttempt();
  harness.Succeed(first, 200, std::string(200'000, 'x'));
  harness.Succeed(second, 200, "small");
  EXPECT_EQ(harness.StateOf(first.id), DeliveryState::kFailed);
  EXPECT_EQ(harness.StateOf(second.id), DeliveryState::kSucceeded);
  const auto result = harness.GetResult(first.id);
  EXPECT_EQ(result->availability, Availability::kNoAnswer);
  EXPECT_EQ(result->view.deliveries[0].last_status, 200);
  EXPECT_NE(result->view.deliveries[0].last_error.find("too large"), std::string::npos);
  EXPECT_EQ(harness.engine->stats().store_errors, 0);
}

TEST(Engine, RunsAgainWhatRanWhenTheProcessEnded) {
  EngineHarness harness;
  const auto running = harness.Accept(AsyncCall());
  harness.NextAttempt();
  const auto done = harness.Accept(AsyncCall());
  harness.Succeed(harness.NextAttempt(), 200, "kept");
  ASSERT_EQ(harness.StateOf(done->id), DeliveryState::kSucceeded);
  harness.Restart();
  const ClaimedDelivery again = harness.NextAttempt();
  EXPECT_EQ(again.id, running->id);
  EXPECT_EQ(again.attempt, 2);
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  EXPECT_EQ(harness.GetResult(done->id)->answer->body, "kept");
}

TEST(Engine, AMessageWithoutSubscriptionsIsKeptForItsRetention) {
  EngineHarness harness;
  const auto accepted = harness.Accept(Publication("order.created", {}));
  ASSERT_TRUE(accepted.ok());
  const auto view = harness.Get(accepted->id);
  ASSERT_TRUE(view.ok());
  EXPECT_EQ(view->message.topic, "order.created");
  EXPECT_TRUE(view->deliveries.empty());
  EXPECT_TRUE(view->final());
  harness.clock.Advance(absl::Hours(1));
  harness.Settle();
  EXPECT_EQ(harness.Get(accepted->id).status().code(), absl::StatusCode::kNotFound);
}

TEST(Engine, AMessageGoesToEachSubscriptionUnderAnIdOfItsOwn) {
  EngineHarness harness;
  const auto accepted = harness.Accept(Publication("order.created", {"billing", "audit"}));
  ASSERT_EQ(accepted->delivery_ids.size(), 2u);
  const ClaimedDelivery billing = harness.NextAttempt();
  const ClaimedDelivery audit = harness.NextAttempt();
  EXPECT_EQ(billing.id, accepted->delivery_ids[0]);
  EXPECT_EQ(audit.id, accepted->delivery_ids[1]);
  EXPECT_NE(billing.id, accepted->id);
  EXPECT_EQ(billing.message->id, accepted->id);
  EXPECT_EQ(billing.message->attributes, "attributes");
  harness.Succeed(billing, 204);
  harness.FailForGood(audit, 410);
  harness.Settle();
  const auto view = harness.Get(accepted->id);
  EXPECT_EQ(view->deliveries[0].state, DeliveryState::kSucceeded);
  EXPECT_EQ(view->deliveries[0].last_status, 204);
  EXPECT_EQ(view->deliveries[1].state, DeliveryState::kFailed);
  // One delivery alone, by its own id.
  const auto alone = harness.Get(audit.id);
  ASSERT_EQ(alone->deliveries.size(), 1u);
  EXPECT_EQ(alone->deliveries[0].target.name, "audit");
  EXPECT_EQ(alone->message.id, accepted->id);
}

TEST(Engine, ABatchIsAcceptedInOneCommitAndInItsOrder) {
  EngineHarness harness;
  const int64_t before = harness.engine->stats().commits;
  std::vector<AcceptRequest> requests;
  for (int i = 0; i < 3; ++i) {
    requests.push_back(Publication("order", {"billing"}));
    requests.back().message.body = std::to_string(i);
    requests.back().deliveries[0].ordering_key = "k";
  }
  const auto accepted = harness.AcceptAll(std::move(requests));
  ASSERT_TRUE(accepted.ok()) << accepted.status();
  ASSERT_EQ(accepted->size(), 3u);
  harness.Settle();
  EXPECT_EQ(harness.engine->stats().commits - before, 1);
  EXPECT_EQ(harness.engine->stats().accepted, 3);
  for (int i = 0; i < 3; ++i) {
    const ClaimedDelivery attempt = harness.NextAttempt();
    EXPECT_EQ(attempt.message->body, std::to_string(i));
    EXPECT_EQ(attempt.message->id, (*accepted)[i].id);
    EXPECT_EQ((*accepted)[i].delivery_ids, std::vector<std::string>{attempt.id});
    harness.Succeed(attempt);
  }
}

TEST(Engine, OfABatchThatIsTooLargeNothingIsAccepted) {
  EngineOptions options;
  options.max_batch_bytes = 1000;
  EngineHarness harness(options);
  std::vector<AcceptRequest> requests = {Publication("order", {"billing"}),
                                         Publication("order", {"billing"})};
  requests[0].message.body.assign(1000, 'x');
  requests[1].message.body = "y";
  EXPECT_EQ(harness.AcceptAll(std::move(requests)).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_TRUE(harness.List({})->deliveries.empty());
}

TEST(Engine, TheSameIdempotencyKeyGivesTheSameId) {
  EngineHarness harness;
  const auto request = [](const std::string& scope, const std::string& key,
                          const std::string& fingerprint) {
    AcceptRequest request = AsyncCall();
    request.idempotency = Idempotency{scope, key, fingerprint};
    return request;
  };
  const auto first = harness.Accept(request("web/reports", "k1", "f1"));
  EXPECT_FALSE(first->repeated);
  const auto second = harness.Accept(request("web/reports", "k1", "f1"));
  EXPECT_TRUE(second->repeated);
  EXPECT_EQ(second->id, first->id);
  EXPECT_EQ(harness.Accept(request("web/reports", "k1", "f2")).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_NE(harness.Accept(request("shop/reports", "k1", "f1"))->id, first->id);
  EXPECT_EQ(harness.AttemptsWaiting(), 2u);

  harness.Restart();
  EXPECT_EQ(harness.Accept(request("web/reports", "k1", "f1"))->id, first->id);
}

TEST(Engine, TwoRequestsWithTheSameKeyInOneCommitAreOne) {
  EngineHarness harness;
  Inbox<int> blocked;
  Inbox<int> go_on;
  harness.engine->Get("", [&](absl::StatusOr<MessageView>) {
    blocked.Put(1);
    go_on.Next();
  });
  ASSERT_TRUE(blocked.Next().has_value());
  Inbox<absl::StatusOr<Accepted>> accepted;
  for (int i = 0; i < 2; ++i) {
    AcceptRequest request = AsyncCall();
    request.idempotency = Idempotency{"web/reports", "k1", "f1"};
    harness.engine->Accept(std::move(request),
                           [&](absl::StatusOr<Accepted> reply) { accepted.Put(std::move(reply)); });
  }
  go_on.Put(1);
  const auto first = accepted.Next().value();
  const auto second = accepted.Next().value();
  EXPECT_EQ(first->id, second->id);
  EXPECT_TRUE(second->repeated);
  EXPECT_EQ(harness.AttemptsWaiting(), 1u);
}

TEST(Engine, AnIdempotencyKeyIsKeptAsLongAsItsOperation) {
  EngineHarness harness;
  const auto request = [] {
    AcceptRequest request = AsyncCall();
    request.idempotency = Idempotency{"web/reports", "k1", "f1"};
    return request;
  };
  const auto first = harness.Accept(request());
  harness.Succeed(harness.NextAttempt());
  harness.Settle();
  harness.clock.Advance(absl::Hours(1));
  harness.Settle();
  EXPECT_EQ(harness.Accept(request())->id, first->id);
  harness.clock.Advance(absl::Hours(1));
  harness.Settle();
  const auto later = harness.Accept(request());
  EXPECT_FALSE(later->repeated);
  EXPECT_NE(later->id, first->id);
}

TEST(Engine, CancelsWhatIsPending) {
  EngineHarness harness;
  const auto accepted = harness.Accept(AsyncCall());
  harness.FailForNow(harness.NextAttempt(), 503, absl::Minutes(1));
  ASSERT_EQ(harness.StateOf(accepted->id), DeliveryState::kPending);
  const auto canceled = harness.Cancel(accepted->id);
  ASSERT_TRUE(canceled.ok());
  EXPECT_EQ(canceled->deliveries[0].state, DeliveryState::kCanceled);
  harness.clock.Advance(absl::Minutes(2));
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  EXPECT_EQ(harness.aborts.size(), 0u);
  EXPECT_EQ(harness.GetResult(accepted->id)->availability, Availability::kNoAnswer);
}

TEST(Engine, CancelsWhatRunsAndAbortsTheAttempt) {
  EngineOptions options;
  options.max_running = 1;
  EngineHarness harness(options);
  const auto accepted = harness.Accept(AsyncCall());
  const ClaimedDelivery attempt = harness.NextAttempt();
  const auto other = harness.Accept(AsyncCall());
  EXPECT_EQ(harness.Cancel(accepted->id)->deliveries[0].state, DeliveryState::kCanceled);
  EXPECT_EQ(harness.aborts.Next(), attempt.claim);
  // Its place is free when the dispatcher says that the attempt has ended; how does not matter any
  // more.
  EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  harness.Succeed(attempt);
  EXPECT_EQ(harness.NextAttempt().id, other->id);
  EXPECT_EQ(harness.StateOf(accepted->id), DeliveryState::kCanceled);
}

TEST(Engine, DoesNotCancelWhatHasEndedOrNeverWas) {
  EngineHarness harness;
  const auto accepted = harness.Accept(AsyncCall());
  harness.Succeed(harness.NextAttempt());
  ASSERT_EQ(harness.StateOf(accepted->id), DeliveryState::kSucceeded);
  EXPECT_EQ(harness.Cancel(accepted->id).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(harness.Cancel("01ARYZ6S410000000000000000").status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(harness.Get("01ARYZ6S410000000000000000").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(harness.GetResult("'; DROP TABLE message").status().code(),
            absl::StatusCode::kNotFound);
}

TEST(Engine, AnOutcomeOfAnEarlierAttemptChangesNothing) {
  EngineHarness harness;
  const auto accepted = harness.Accept(AsyncCall());
  const ClaimedDelivery first = harness.NextAttempt();
  harness.FailForNow(first);
  const ClaimedDelivery second = harness.NextAttempt();
  harness.Succeed(first);
  EXPECT_EQ(harness.StateOf(accepted->id), DeliveryState::kRunning);
  harness.Succeed(second);
  EXPECT_EQ(harness.StateOf(accepted->id), DeliveryState::kSucceeded);
}

TEST(Engine, ExpiresWhatWaitsAndWhatRuns) {
  EngineHarness harness;
  AcceptRequest request = AsyncCall("reports");
  request.expires_after = absl::Hours(24);
  const auto running = harness.Accept(request);
  const ClaimedDelivery attempt = harness.NextAttempt();
  request.deliveries[0].target.name = "other";
  const auto waiting = harness.Accept(request);
  harness.FailForNow(harness.NextAttempt(), 503, absl::Hours(100));
  const auto immortal = harness.Accept(AsyncCall("third"));
  harness.clock.Advance(absl::Hours(24) - absl::Milliseconds(1));
  EXPECT_EQ(harness.StateOf(running->id), DeliveryState::kRunning);
  // The engine wakes up by itself, and says so by aborting what runs.
  harness.clock.Advance(absl::Milliseconds(1));
  EXPECT_EQ(harness.aborts.Next(), attempt.claim);
  EXPECT_EQ(harness.StateOf(running->id), DeliveryState::kExpired);
  EXPECT_EQ(harness.StateOf(waiting->id), DeliveryState::kExpired);
  EXPECT_EQ(harness.StateOf(immortal->id), DeliveryState::kRunning);
  EXPECT_EQ(harness.engine->stats().expired, 2);
}

TEST(Engine, KeepsAResultForItsRetentionAndThenTheStatusForAsLong) {
  EngineHarness harness;
  const auto accepted = harness.Accept(AsyncCall());
  harness.Succeed(harness.NextAttempt(), 200, "answer");
  ASSERT_EQ(harness.StateOf(accepted->id), DeliveryState::kSucceeded);
  harness.clock.Advance(absl::Hours(1) - absl::Milliseconds(1));
  harness.Settle();
  EXPECT_EQ(harness.GetResult(accepted->id)->availability, Availability::kReady);
  harness.clock.Advance(absl::Milliseconds(1));
  harness.Settle();
  EXPECT_EQ(harness.GetResult(accepted->id)->availability, Availability::kForgotten);
  EXPECT_EQ(harness.StateOf(accepted->id), DeliveryState::kSucceeded);
  harness.clock.Advance(absl::Hours(1));
  harness.Settle();
  EXPECT_EQ(harness.GetResult(accepted->id).status().code(), absl::StatusCode::kNotFound);
}

TEST(Engine, AMessageStaysUntilItsLastDeliveryMayGo) {
  EngineHarness harness;
  const auto accepted = harness.Accept(Publication("order.created", {"billing", "audit"}));
  harness.Succeed(harness.NextAttempt());
  const ClaimedDelivery audit = harness.NextAttempt();
  harness.FailForGood(audit);
  harness.Settle();
  harness.clock.Advance(absl::Hours(5));
  harness.Settle();
  // The dead letter is kept until somebody drops it, and with it the whole status.
  EXPECT_EQ(harness.Get(accepted->id)->deliveries.size(), 2u);
  const auto dropped = harness.Drop(std::vector<std::string>{audit.id});
  EXPECT_EQ(dropped->changed, 1);
  EXPECT_EQ(harness.Get(accepted->id).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(harness.engine->stats().dead, 0);
}

TEST(Engine, ForgetsManyInSteps) {
  EngineHarness harness;
  Inbox<absl::StatusOr<Accepted>> accepted;
  for (int i = 0; i < 1000; ++i) {
    harness.engine->Accept(AsyncCall(),
                           [&](absl::StatusOr<Accepted> reply) { accepted.Put(std::move(reply)); });
    harness.Succeed(harness.NextAttempt());
  }
  harness.Settle();
  EXPECT_EQ(harness.engine->stats().succeeded, 1000);
  // First the answers, then the statuses.
  harness.clock.Advance(absl::Hours(1));
  while (harness.engine->stats().forgotten < 1000) harness.Settle();
  harness.clock.Advance(absl::Hours(1));
  while (harness.engine->stats().forgotten < 2000) harness.Settle();
  EXPECT_TRUE(harness.List({})->deliveries.empty());
}

TEST(Engine, RefusesAnAsynchronousCallWithSeveralDeliveries) {
  EngineHarness harness;
  AcceptRequest request = AsyncCall();
  request.deliveries.push_back(request.deliveries[0]);
  EXPECT_EQ(harness.Accept(request).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Engine, StopCommitsWhatWasAskedAndRefusesTheRest) {
  EngineHarness harness;
  Inbox<absl::StatusOr<Accepted>> accepted;
  for (int i = 0; i < 50; ++i) {
    harness.engine->Accept(AsyncCall(),
                           [&](absl::StatusOr<Accepted> reply) { accepted.Put(std::move(reply)); });
  }
  harness.engine->Stop();
  std::vector<std::string> ids;
  for (int i = 0; i < 50; ++i) {
    const auto reply = accepted.Next().value();
    ASSERT_TRUE(reply.ok());
    ids.push_back(reply->id);
  }
  EXPECT_EQ(harness.Accept(AsyncCall()).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(harness.Get(ids[0]).status().code(), absl::StatusCode::kCancelled);
  harness.engine->Stop();
  harness.Restart();
  for (const std::string& id : ids) EXPECT_TRUE(harness.Get(id).ok());
}

}  // namespace
}  // namespace pillion::delivery
