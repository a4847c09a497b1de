#include "sidecar/delivery/background_call.h"

#include <sched.h>

#include <atomic>
#include <future>
#include <memory>
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

// Says when it has given way, and ends only when it does so no more.
absl::Status GiveWayUntilHurried(BackgroundCall& background, std::promise<void>& has_given_way) {
  yields = 0;
  while (yields < 3) background.GiveWay();
  has_given_way.set_value();
  for (int unchanged = 0; unchanged < 100; ++unchanged) {
    const int before = yields;
    background.GiveWay();
    if (yields != before) unchanged = 0;
  }
  return absl::OkStatus();
}

TEST(BackgroundCall, GivesWayUntilItIsHurried) {
  BackgroundCall background;
  ASSERT_TRUE(background.Open().ok());
  for (int call = 0; call < 2; ++call) {
    std::promise<void> has_given_way;
    std::promise<void> has_ended;
    background.Start([&] {
      absl::Status status = GiveWayUntilHurried(background, has_given_way);
      has_ended.set_value();
      return status;
    });
    has_given_way.get_future().wait();
    EXPECT_FALSE(background.done());
    background.Hurry();
    has_ended.get_future().wait();
    EXPECT_TRUE(background.Finish().ok());
  }
}

TEST(BackgroundCall, GivesWayUntilSomebodyWaitsForItsEnd) {
  auto background = std::make_unique<BackgroundCall>();
  ASSERT_TRUE(background->Open().ok());
  for (const bool destroyed : {false, true}) {
    std::promise<void> has_given_way;
    background->Start(
        [&call = *background, &has_given_way] { return GiveWayUntilHurried(call, has_given_way); });
    has_given_way.get_future().wait();
    if (destroyed) {
      background.reset();
    } else {
      EXPECT_TRUE(background->Finish().ok());
    }
  }
}

}  // namespace
}  // namespace pillion::delivery
