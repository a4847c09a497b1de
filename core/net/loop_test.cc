#include "core/net/loop.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "core/net/future.h"
#include "core/net/task.h"
#include "core/net/task_group.h"
#include "core/net/test_io.h"
#include "core/net/wait_queue.h"

namespace pillion::net {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

// Runs `task` on a loop of its own until it ends.
void RunTask(Task<void> (*body)(Loop&)) {
  std::unique_ptr<Loop> loop = *Loop::Create(TestIo());
  TaskGroup group(*loop);
  auto main = [](Loop& loop, Task<void> (*body)(Loop&)) -> Task<void> {
    co_await body(loop);
    loop.Stop();
  };
  group.Spawn(main(*loop, body));
  loop->Run();
}

Task<int> Add(int a, int b) { co_return a + b; }

TEST(Task, GivesItsValueToWhoAwaitsIt) {
  RunTask([](Loop&) -> Task<void> {
    const int sum = co_await Add(1, 2);
    EXPECT_EQ(sum, 3);
  });
}

TEST(Task, AMillionAwaitsThatDoNotWaitUseNoStack) {
  RunTask([](Loop&) -> Task<void> {
    int64_t sum = 0;
    for (int i = 0; i < 1000000; ++i) sum += co_await Add(i, 0);
    EXPECT_EQ(sum, 499999500000);
  });
}

TEST(Task, ManyAwaitsThatWaitUseNoStack) {
  RunTask([](Loop& loop) -> Task<void> {
    WaitQueue queue;
    TaskGroup group(loop);
    int turns = 0;
    auto waiter = [](WaitQueue& queue, int& turns, CancelScope& scope) -> Task<void> {
      while (turns < 100000) {
        absl::Status status = co_await queue.Wait(scope);
        EXPECT_TRUE(status.ok());
        ++turns;
        queue.WakeOne();
      }
      queue.WakeAll();
    };
    group.Spawn(waiter(queue, turns, group.scope()));
    group.Spawn(waiter(queue, turns, group.scope()));
    queue.WakeOne();
    co_await group.Join();
    EXPECT_GE(turns, 100000);
  });
}

TEST(CancelScope, EndsItsWaitsWithTheFirstReason) {
  RunTask([](Loop& loop) -> Task<void> {
    CancelScope scope(loop);
    WaitQueue queue;
    absl::Status seen;
    TaskGroup group(loop);
    auto waiter = [](WaitQueue& queue, CancelScope& scope, absl::Status& seen) -> Task<void> {
      seen = co_await queue.Wait(scope);
    };
    group.Spawn(waiter(queue, scope, seen));
    scope.Cancel(absl::AbortedError("first"));
    scope.Cancel(absl::InternalError("second"));
    co_await group.Join();
    EXPECT_EQ(seen, absl::AbortedError("first"));
    EXPECT_TRUE(queue.empty());
    absl::Status later = co_await queue.Wait(scope);
    EXPECT_EQ(later, absl::AbortedError("first"));
  });
}

TEST(CancelScope, ADeadlineEndsTheWaitsOfChildScopes) {
  RunTask([](Loop& loop) -> Task<void> {
    CancelScope parent(loop);
    CancelScope child(loop, &parent);
    parent.SetDeadline(loop.now() + milliseconds(5), "too late");
    absl::Status status = co_await SleepUntil(loop.now() + hours(1), child);
    EXPECT_EQ(status, absl::DeadlineExceededError("too late"));
    CancelScope grandchild(loop, &child);
    EXPECT_TRUE(grandchild.canceled());
  });
}

TEST(CancelScope, AClearedDeadlineDoesNotCancel) {
  RunTask([](Loop& loop) -> Task<void> {
    CancelScope scope(loop);
    scope.SetDeadline(loop.now() + milliseconds(1), "too late");
    scope.ClearDeadline();
    absl::Status status = co_await SleepUntil(loop.now() + milliseconds(20), scope);
    EXPECT_TRUE(status.ok());
  });
}

TEST(TaskGroup, JoinWaitsForAllAndCancelEndsThem) {
  RunTask([](Loop& loop) -> Task<void> {
    TaskGroup group(loop);
    int ended = 0;
    auto sleeper = [](Loop& loop, CancelScope& scope, int& ended) -> Task<void> {
      absl::Status status = co_await SleepUntil(loop.now() + hours(1), scope);
      EXPECT_EQ(status, absl::CancelledError("drain"));
      ++ended;
    };
    for (int i = 0; i < 100; ++i) group.Spawn(sleeper(loop, group.scope(), ended));
    EXPECT_EQ(group.size(), 100u);
    CancelScope patience(loop);
    patience.SetDeadline(loop.now() + milliseconds(5), "waited");
    absl::Status joined = co_await group.Join(patience);
    EXPECT_EQ(joined, absl::DeadlineExceededError("waited"));
    group.scope().Cancel(absl::CancelledError("drain"));
    co_await group.Join();
    EXPECT_EQ(ended, 100);
  });
}

TEST(WaitQueue, WakesInTheOrderOfArrival) {
  RunTask([](Loop& loop) -> Task<void> {
    WaitQueue queue;
    TaskGroup group(loop);
    std::vector<int> order;
    auto waiter = [](WaitQueue& queue, CancelScope& scope, std::vector<int>& order,
                     int id) -> Task<void> {
      absl::Status status = co_await queue.Wait(scope);
      EXPECT_TRUE(status.ok());
      order.push_back(id);
    };
    for (int id = 0; id < 3; ++id) group.Spawn(waiter(queue, group.scope(), order, id));
    EXPECT_EQ(queue.size(), 3u);
    while (queue.WakeOne()) {
    }
    co_await group.Join();
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  });
}

TEST(Future, BringsAnAnswerFromAnotherThread) {
  RunTask([](Loop& loop) -> Task<void> {
    auto [promise, future] = MakeFuture<std::string>(loop);
    std::thread other([promise = std::move(promise)]() mutable { promise.Set("hello"); });
    CancelScope scope(loop);
    absl::StatusOr<std::string> answer = co_await future.Get(scope);
    other.join();
    EXPECT_EQ(*answer, "hello");
  });
}

TEST(Future, ADroppedPromiseIsAnAnswerToo) {
  RunTask([](Loop& loop) -> Task<void> {
    auto [promise, future] = MakeFuture<int>(loop);
    { Promise<int> dropped = std::move(promise); }
    CancelScope scope(loop);
    absl::StatusOr<int> answer = co_await future.Get(scope);
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kUnavailable);
  });
}

TEST(Future, MayBeSetAfterTheWaiterGaveUp) {
  RunTask([](Loop& loop) -> Task<void> {
    CancelScope scope(loop);
    auto [promise, future] = MakeFuture<int>(loop);
    scope.SetDeadline(loop.now() + milliseconds(1), "gave up");
    absl::StatusOr<int> answer = co_await future.Get(scope);
    EXPECT_EQ(answer.status(), absl::DeadlineExceededError("gave up"));
    promise.Set(1);
    CancelScope rest(loop);
    absl::Status slept = co_await SleepUntil(loop.now() + milliseconds(2), rest);
    EXPECT_TRUE(slept.ok());
  });
}

TEST(Loop, RunsWhatOtherThreadsPostInOrder) {
  std::unique_ptr<Loop> loop = *Loop::Create(TestIo());
  std::vector<int> seen;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) loop->Post([&seen, i] { seen.push_back(i); });
    loop->Post([&] { loop->Stop(); });
  });
  loop->Run();
  other.join();
  ASSERT_EQ(seen.size(), 1000u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

}  // namespace
}  // namespace pillion::net
