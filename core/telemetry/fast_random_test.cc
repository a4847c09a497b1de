#include "core/telemetry/fast_random.h"

#include <array>
#include <thread>

#include "gtest/gtest.h"

namespace pillion::telemetry {
namespace {

TEST(FastRandom, FollowsTheReferenceImplementation) {
  // The first outputs of xoshiro256** from the state 1, 2, 3, 4.
  FastRandom random(std::array<uint64_t, 4>{1, 2, 3, 4});
  for (uint64_t expected : {11520u, 0u, 1509978240u}) EXPECT_EQ(random(), expected);
  EXPECT_EQ(random(), 1215971899390074240u);
}

TEST(FastRandom, IsSeededAnewForEveryObjectAndThread) {
  FastRandom a;
  FastRandom b;
  EXPECT_NE(a(), b());
  const uint64_t here = FastRandom::OfThisThread()();
  uint64_t there = 0;
  std::thread([&there] { there = FastRandom::OfThisThread()(); }).join();
  EXPECT_NE(here, there);
}

TEST(FastRandom, BelowReachesEveryValueAndNoOther) {
  FastRandom random;
  std::array<int, 7> seen{};
  for (int i = 0; i < 7000; ++i) {
    const uint64_t value = random.Below(seen.size());
    ASSERT_LT(value, seen.size());
    ++seen[value];
  }
  for (int count : seen) {
    EXPECT_GT(count, 700);  // 1000 expected; ten standard deviations away from the bounds
    EXPECT_LT(count, 1300);
  }
  EXPECT_EQ(random.Below(1), 0u);
}

}  // namespace
}  // namespace pillion::telemetry
