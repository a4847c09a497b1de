#include "sidecar/delivery/background_call.h"

#include <future>
#include <thread>

#include "gtest/gtest.h"

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

}  // namespace
}  // namespace pillion::delivery
