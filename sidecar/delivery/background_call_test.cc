#include "sidecar/delivery/background_call.h"

#include <sched.h>

#include <atomic>
#include <future>
#include <thread>

#include "gtest/gtest.h"

namespace {
std::atomic<int> yields = 0;
}  // namespace

// Instead of the C library's.
int sched_yield() noexcept {
  ++yields;
  return 0;
}

namespace pillion::delivery {
namespace {

TEST(BackgroundCall, RunsOnAnotherThreadUntilItIsFinished) {
  BackgroundCall background;
  ASSERT_TRUE(background.Open().ok());
  std::promise<void> may_end;
  std::thread::id thread;
  background.Start([&] {
    thread = std::this_thread::get_id();
    may_end.get_future().wait();
    return absl::ResourceExhaustedError("full");
  });
  EXPECT_TRUE(background.started());
  EXPECT_FALSE(background.done());
  may_end.set_value();
  EXPECT_EQ(background.Finish().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(background.started());
  EXPECT_NE(thread, std::this_thread::get_id());
}

TEST(BackgroundCall, CanBeUsedAgain) {
  BackgroundCall background;
  ASSERT_TRUE(background.Open().ok());
  int calls = 0;
  for (int i = 0; i < 100; ++i) {
    background.Start([&calls] {
      ++calls;
      return absl::OkStatus();
    });
    EXPECT_TRUE(background.Finish().ok());
  }
  EXPECT_EQ(calls, 100);
}

TEST(BackgroundCall, ItsEndWaitsForTheCallUnderWay) {
  std::promise<void> may_end;
  bool ended = false;
  std::thread other;
  {
    BackgroundCall background;
    ASSERT_TRUE(background.Open().ok());
    background.Start([&] {
      may_end.get_future().wait();
      ended = true;
      return absl::OkStatus();
    });
    other = std::thread([&] { may_end.set_value(); });
  }
  EXPECT_TRUE(ended);
  other.join();
}

TEST(BackgroundCall, GivesWayUntilItsEndIsNeeded) {
  BackgroundCall background;
  ASSERT_TRUE(background.Open().ok());
  for (int call = 0; call < 2; ++call) {
    std::promise<void> has_given_way;
    std::promise<void> hurried;
    yields = 0;
    background.Start([&] {
      for (int i = 0; i < 1000; ++i) background.GiveWay();
      has_given_way.set_value();
      hurried.get_future().wait();
      for (int i = 0; i < 1000; ++i) background.GiveWay();
      return absl::OkStatus();
    });
    has_given_way.get_future().wait();
    const int before = yields;
    EXPECT_GT(before, 0);
    background.Hurry();
    hurried.set_value();
    EXPECT_TRUE(background.Finish().ok());
    EXPECT_EQ(yields, before);
  }
}

}  // namespace
}  // namespace pillion::delivery
