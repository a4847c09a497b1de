// Nothing acknowledged is lost: killed processes and full disks.
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sidecar/delivery/child_process.h"
#include "sidecar/delivery/engine_harness.h"
#include "sidecar/delivery/sqlite_store.h"

namespace pillion::delivery {
namespace {

using testing::HasSubstr;

// --- Killed ---

// Accepts as fast as it can from several threads, and writes "A <id>" for each id that was
// acknowledged and "D <id>" for each delivery whose success was stored. Never returns.
void AcceptUntilKilled(const std::string& directory, int output) {
  auto store = SqliteStore::Open(directory);
  if (!store.ok()) {
    std::fprintf(stderr, "%s\n", store.status().ToString().c_str());
    _exit(3);
  }
  SystemClock clock;
  SecureRandom random;
  EngineOptions options;
  options.max_running = 64;
  options.max_queued = 256;
  Engine engine(options, *std::move(store), &clock, &random);
  const auto say = [output](char what, const std::string& id) {
    const std::string line = std::string(1, what) + " " + id + "\n";
    if (write(output, line.data(), line.size()) < 0) _exit(4);
  };
  const auto dispatch = [&](ClaimedDelivery delivery) {
    if (delivery.attempt == 1 && delivery.id.back() % 4 == 0)
      return;  // hangs until the process is killed
    AttemptOutcome outcome;
    outcome.answer = {200, "", "done"};
    if (delivery.attempt == 1 && delivery.id.back() % 4 == 1)
      outcome.verdict = AttemptOutcome::Verdict::kRetry;
    const bool success = outcome.verdict == AttemptOutcome::Verdict::kSuccess;
    if (success && delivery.message->kind == MessageKind::kAsync) {
      engine.Watch(delivery.id, [say, id = delivery.id](absl::StatusOr<MessageView> view) {
        if (view.ok() && view->deliveries[0].state == DeliveryState::kSucceeded) say('D', id);
      });
    }
    engine.Complete(delivery.claim, std::move(outcome));
  };
  if (!engine.Start(dispatch, [](uint64_t) {}).ok()) _exit(5);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      for (int i = 0;; ++i) {
        AcceptRequest request = i % 3 == 0 ? Publication("topic", {"a", "b"}) : AsyncCall();
        if (i % 3 == 0) request.deliveries[0].ordering_key = std::to_string(caller);
        request.message.body.assign(static_cast<size_t>(i % 7) * 900, 'x');
        Inbox<absl::StatusOr<Accepted>> inbox;
        engine.Accept(std::move(request), [&](absl::StatusOr<Accepted> reply) {
          if (reply.ok()) say('A', reply->id);
          inbox.Put(std::move(reply));
        });
        inbox.Next();
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

struct Acknowledged {
  std::set<std::string> accepted;
  std::set<std::string> done;
};

void Collect(const std::string& output, Acknowledged& acknowledged) {
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    if (line.size() != 28) continue;  // cut off by the kill
    (line[0] == 'A' ? acknowledged.accepted : acknowledged.done).insert(line.substr(2));
  }
}

void CheckIntegrity(const std::string& directory) {
  sqlite3* database = nullptr;
  sqlite3_stmt* statement = nullptr;
  ASSERT_EQ(sqlite3_open((directory + "/deliveries.db").c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_prepare_v2(database, "PRAGMA integrity_check", -1, &statement, nullptr),
            SQLITE_OK);
  ASSERT_EQ(sqlite3_step(statement), SQLITE_ROW);
  EXPECT_STREQ(reinterpret_cast<const char*>(sqlite3_column_text(statement, 0)), "ok");
  sqlite3_finalize(statement);
  sqlite3_close(database);
}

TEST(EngineFaults, AKilledProcessLosesNothingItAcknowledged) {
  const std::string directory = NewDirectory();
  Acknowledged acknowledged;
  std::mt19937 random(std::random_device{}());
  constexpr int kKills = 12;
  for (int kill = 0; kill < kKills; ++kill) {
    ChildProcess child([&](int output) { AcceptUntilKilled(directory, output); });
    std::string output = child.ReadLine() + "\n";
    ASSERT_GT(output.size(), 1u) << "the process ended by itself";
    // Not a wait for something: the moment of the kill is what is random.
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 60));
    child.Kill();
    output += child.ReadAll();
    ASSERT_EQ(child.Wait(), 128 + SIGKILL);
    Collect(output, acknowledged);
  }
  ASSERT_GE(acknowledged.accepted.size(), static_cast<size_t>(kKills));
  CheckIntegrity(directory);

  EngineHarness harness({}, directory);
  // The processes that were killed lived in real time.
  harness.clock.Advance(absl::Now() + absl::Hours(1) - absl::Minutes(10) - harness.clock.Now());
  for (const std::string& id : acknowledged.done)
    EXPECT_EQ(harness.StateOf(id), DeliveryState::kSucceeded) << id;
  for (const std::string& id : acknowledged.accepted) EXPECT_TRUE(harness.Get(id).ok()) << id;
  // Whatever is left can be brought to its end.
  const auto unfinished = [&] {
    const EngineStats stats = harness.engine->stats();
    return stats.pending + stats.running;
  };
  while (harness.AttemptsWaiting() > 0 || unfinished() > 0) harness.Succeed(harness.NextAttempt());
  for (const std::string& id : acknowledged.accepted) {
    const auto view = harness.Get(id);
    ASSERT_TRUE(view.ok()) << id;
    EXPECT_TRUE(view->final()) << id;
  }
}

// --- Full ---

// Files of this process can grow to `bytes`, and not be written beyond. What the disk says when it
// is full.
void LimitFiles(rlim_t bytes) {
  signal(SIGXFSZ, SIG_IGN);
  rlimit limit;
  getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = bytes;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

constexpr rlim_t kNothing = 0;
constexpr rlim_t kUnlimited = RLIM_INFINITY;

// In a process of its own, as the limit is the whole process's.
void InChild(const std::function<void()>& body) {
  ChildProcess child([&](int) { body(); });
  EXPECT_EQ(child.Wait(), 0);
}

TEST(EngineFaults, AFullDiskIsReportedAndNothingIsPretended) {
  InChild([] {
    EngineHarness harness;
    const auto before = harness.Accept(AsyncCall());
    ASSERT_TRUE(before.ok());
    harness.NextAttempt();
    LimitFiles(kNothing);
    const auto refused = harness.Accept(AsyncCall());
    const auto view = harness.Get(before->id);
    const auto canceled = harness.Cancel(before->id);
    const size_t attempts = harness.AttemptsWaiting();
    const EngineStats stats = harness.engine->stats();
    LimitFiles(kUnlimited);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted) << refused.status();
    EXPECT_THAT(std::string(refused.status().message()),
                HasSubstr("deliveries.db: the disk is full"));
    EXPECT_THAT(stats.last_store_error, HasSubstr("the disk is full"));
    EXPECT_EQ(stats.rejected_by_store, 1);
    EXPECT_TRUE(view.ok());
    EXPECT_EQ(canceled.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(attempts, 0u);
    EXPECT_EQ(harness.aborts.size(), 0u);

    // As soon as there is room again it goes on, without a restart.
    EXPECT_EQ(harness.StateOf(before->id), DeliveryState::kRunning);
    const auto after = harness.Accept(AsyncCall());
    ASSERT_TRUE(after.ok()) << after.status();
    EXPECT_EQ(harness.List({})->deliveries.size(), 2u);
    harness.clock.Advance(absl::Seconds(5));
    EXPECT_EQ(harness.NextAttempt().id, after->id);
    harness.Settle();
    EXPECT_EQ(harness.engine->stats().last_store_error, "");
  });
}

TEST(EngineFaults, AnOutcomeThatCannotBeStoredIsKeptUntilItCan) {
  InChild([] {
    EngineHarness harness;
    std::vector<std::string> ids;
    std::vector<ClaimedDelivery> running;
    for (int i = 0; i < 20; ++i) {
      ids.push_back(harness.Accept(AsyncCall())->id);
      running.push_back(harness.NextAttempt());
    }
    LimitFiles(kNothing);
    for (const ClaimedDelivery& attempt : running) harness.Succeed(attempt, 200, attempt.id);
    harness.Settle();
    for (int i = 0; i < 5; ++i) {
      harness.clock.Advance(absl::Seconds(5));
      harness.Settle();
    }
    std::vector<DeliveryState> states;
    for (const std::string& id : ids) states.push_back(harness.StateOf(id));
    LimitFiles(kUnlimited);
    EXPECT_EQ(states, std::vector<DeliveryState>(20, DeliveryState::kRunning));
    harness.clock.Advance(absl::Seconds(5));
    for (const std::string& id : ids) {
      EXPECT_EQ(harness.StateOf(id), DeliveryState::kSucceeded);
      EXPECT_EQ(harness.GetResult(id)->answer->body, id);
    }
    EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  });
}

TEST(EngineFaults, WhatIsPendingIsDeliveredThoughTheFilesAreGone) {
  EngineOptions options;
  options.max_running = 1;
  EngineHarness harness(options);
  const auto first = harness.Accept(AsyncCall());
  const auto second = harness.Accept(AsyncCall());
  const ClaimedDelivery running = harness.NextAttempt();
  std::filesystem::remove_all(harness.directory);
  const absl::StatusOr<Accepted> refused = harness.Accept(AsyncCall());
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("was deleted, moved or replaced"));
  harness.Settle();
  EXPECT_EQ(harness.engine->stats().rejected_by_store, 1);
  harness.Succeed(running);
  harness.Succeed(harness.NextAttempt());
  EXPECT_EQ(harness.StateOf(first->id), DeliveryState::kSucceeded);
  EXPECT_EQ(harness.StateOf(second->id), DeliveryState::kSucceeded);
}

TEST(EngineFaults, WhatBecomesOfHeldMessagesWaitsUntilItCanBeStored) {
  InChild([] {
    EngineHarness harness;
    AcceptRequest held = Publication("topic", {"a"});
    held.held = true;
    const auto happened = harness.Accept(held);
    const auto did_not = harness.Accept(held);
    LimitFiles(kNothing);
    harness.engine->Release(happened->id, "");
    harness.engine->Discard(did_not->id);
    const size_t attempts = harness.AttemptsWaiting();
    const absl::StatusOr<Accepted> refused = harness.Accept(held);
    LimitFiles(kUnlimited);
    EXPECT_EQ(attempts, 0u);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted) << refused.status();
    harness.clock.Advance(absl::Seconds(5));
    EXPECT_EQ(harness.NextAttempt().message->id, happened->id);
    EXPECT_TRUE(absl::IsNotFound(harness.Get(did_not->id).status()));
    EXPECT_EQ(harness.AttemptsWaiting(), 0u);
  });
}

TEST(EngineFaults, WhatIsDiscardedWhileTheStoreFailsIsGoneOnceItWorksAgain) {
  InChild([] {
    EngineHarness harness;
    AcceptRequest request = Publication("topic", {"a", "b"});
    request.held = true;
    const auto held = harness.Accept(request);
    ASSERT_EQ(harness.AttemptsWaiting(), 0u);
    ASSERT_EQ(harness.engine->stats().pending, 2);
    LimitFiles(kNothing);
    harness.engine->Discard(held->id);
    harness.Settle();
    for (int i = 0; i < 3; ++i) {
      harness.clock.Advance(absl::Seconds(5));
      harness.Settle();
    }
    const bool kept = harness.Get(held->id).ok();
    const EngineStats failing = harness.engine->stats();
    LimitFiles(kUnlimited);
    EXPECT_TRUE(kept);
    EXPECT_EQ(failing.pending, 2);
    EXPECT_NE(failing.last_store_error, "");
    harness.clock.Advance(absl::Seconds(5));
    harness.Settle();
    EXPECT_TRUE(absl::IsNotFound(harness.Get(held->id).status()));
    EXPECT_EQ(harness.engine->stats().pending, 0);
    EXPECT_EQ(harness.engine->stats().accepted, 0);
    for (const TargetBacklog& entry : harness.engine->backlogs()) {
      EXPECT_EQ(entry.backlog.deliveries, 0) << entry.target.name;
      EXPECT_EQ(entry.backlog.bytes, 0) << entry.target.name;
    }
    harness.Restart();
    EXPECT_EQ(harness.AttemptsWaiting(), 0u);
    EXPECT_EQ(harness.engine->stats().pending, 0);
  });
}

TEST(EngineFaults, AnswersThatWaitForTheStoreHaveALimit) {
  InChild([] {
    EngineOptions options;
    options.max_running_bytes = 250'000;
    EngineHarness harness(options);
    std::vector<ClaimedDelivery> running;
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(harness.Accept(AsyncCall()).ok());
      running.push_back(harness.NextAttempt());
    }
    LimitFiles(kNothing);
    for (const ClaimedDelivery& attempt : running) {
      harness.Succeed(attempt, 200, std::string(100'000, 'x'));
    }
    harness.Settle();
    LimitFiles(kUnlimited);
    harness.clock.Advance(absl::Seconds(5));
    int kept = 0;
    for (const ClaimedDelivery& attempt : running) {
      EXPECT_EQ(harness.StateOf(attempt.id), DeliveryState::kSucceeded);
      const auto result = harness.GetResult(attempt.id);
      EXPECT_EQ(result->view.deliveries[0].last_status, 200);
      kept += result->answer.has_value();
      if (!result->answer.has_value()) {
        EXPECT_THAT(result->view.deliveries[0].last_error, HasSubstr("the answer was dropped"));
      }
    }
    EXPECT_EQ(kept, 2);
  });
}

TEST(EngineFaults, NoAttemptIsMadeThatIsNotStored) {
  InChild([] {
    EngineOptions options;
    options.max_running = 5;
    EngineHarness harness(options);
    const auto first = harness.Accept(AsyncCall());
    harness.FailForNow(harness.NextAttempt(), 503, absl::Minutes(1));
    ASSERT_EQ(harness.StateOf(first->id), DeliveryState::kPending);
    LimitFiles(kNothing);
    harness.clock.Advance(absl::Minutes(1));
    const size_t attempts = harness.AttemptsWaiting();
    harness.clock.Advance(absl::Minutes(1));
    const size_t attempts_later = harness.AttemptsWaiting();
    LimitFiles(kUnlimited);
    EXPECT_EQ(attempts, 0u);
    EXPECT_EQ(attempts_later, 0u);
    harness.clock.Advance(absl::Seconds(5));
    const ClaimedDelivery attempt = harness.NextAttempt();
    EXPECT_EQ(attempt.attempt, 2);
    // The places that the undone attempts had taken are free again.
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(harness.Accept(AsyncCall()).ok());
    EXPECT_EQ(harness.AttemptsWaiting(), 2u);
    harness.Succeed(attempt);
    for (int i = 0; i < 5; ++i) harness.Succeed(harness.NextAttempt());
    EXPECT_EQ(harness.AttemptsWaiting(), 0u);
    EXPECT_EQ(harness.engine->stats().succeeded, 6);
  });
}

TEST(EngineFaults, ADiskThatFillsUpKeepsAllThatWasAcknowledged) {
  InChild([] {
    const std::string directory = NewDirectory();
    EngineHarness harness({}, directory);
    LimitFiles(2 << 20);
    std::vector<std::string> acknowledged;
    absl::Status refused;
    for (int i = 0; i < 1000 && refused.ok(); ++i) {
      AcceptRequest request = AsyncCall();
      request.message.body.assign(50000, static_cast<char>('a' + i % 26));
      const auto accepted = harness.Accept(std::move(request));
      refused = accepted.status();
      if (accepted.ok()) acknowledged.push_back(accepted->id);
    }
    harness.Restart();
    const auto pending = harness.List({});
    LimitFiles(kUnlimited);
    EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
    EXPECT_GT(acknowledged.size(), 10u);
    for (const std::string& id : acknowledged) EXPECT_TRUE(harness.Get(id).ok());
    EXPECT_EQ(pending->deliveries.size(), acknowledged.size());
    harness.engine->Stop();
    harness.engine.reset();
    CheckIntegrity(directory);
    harness.Restart();
  });
}

}  // namespace
}  // namespace pillion::delivery
