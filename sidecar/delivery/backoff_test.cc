#include "sidecar/delivery/backoff.h"

#include <algorithm>

#include "gtest/gtest.h"

namespace pillion::delivery {
namespace {

constexpr RetryPolicy kPolicy = {16, absl::Seconds(1), absl::Seconds(60)};

TEST(Backoff, IsSpreadOverTheWholeRangeWhichDoublesUpToTheMaximum) {
  SecureRandom random;
  struct Case {
    int failed_attempts;
    absl::Duration ceiling;
  };
  for (const Case& c :
       {Case{1, absl::Seconds(1)}, Case{2, absl::Seconds(2)}, Case{4, absl::Seconds(8)},
        Case{7, absl::Seconds(60)}, Case{1000, absl::Seconds(60)}}) {
    absl::Duration least = absl::InfiniteDuration();
    absl::Duration most = absl::ZeroDuration();
    for (int i = 0; i < 2000; ++i) {
      const absl::Duration wait =
          NextBackoff(kPolicy, c.failed_attempts, absl::ZeroDuration(), random);
      EXPECT_GE(wait, absl::ZeroDuration());
      EXPECT_LT(wait, c.ceiling);
      least = std::min(least, wait);
      most = std::max(most, wait);
    }
    // Wrong once in 10^44 runs.
    EXPECT_LT(least, c.ceiling * 0.05) << c.failed_attempts;
    EXPECT_GT(most, c.ceiling * 0.95) << c.failed_attempts;
  }
}

TEST(Backoff, WaitsAsLongAsTheDestinationAsksUpToTheMaximum) {
  SecureRandom random;
  EXPECT_EQ(NextBackoff(kPolicy, 1, absl::Seconds(30), random), absl::Seconds(30));
  EXPECT_EQ(NextBackoff(kPolicy, 1, absl::Hours(30), random), absl::Seconds(60));
  EXPECT_EQ(NextBackoff(kPolicy, 1, absl::InfiniteDuration(), random), absl::Seconds(60));
}

TEST(Backoff, IsNotCutShortByAMaximumBelowTheBase) {
  SecureRandom random;
  const RetryPolicy policy = {3, absl::Seconds(60), absl::Seconds(1)};
  EXPECT_EQ(NextBackoff(policy, 1, absl::Hours(1), random), absl::Seconds(60));
  absl::Duration most = absl::ZeroDuration();
  for (int i = 0; i < 200; ++i) {
    most = std::max(most, NextBackoff(policy, 4, absl::ZeroDuration(), random));
  }
  EXPECT_GT(most, absl::Seconds(30));
  EXPECT_LT(most, absl::Seconds(60));
}

TEST(Backoff, IsNothingWithoutABaseInterval) {
  SecureRandom random;
  const RetryPolicy at_once = {3, absl::ZeroDuration(), absl::Seconds(60)};
  EXPECT_EQ(NextBackoff(at_once, 5, absl::ZeroDuration(), random), absl::ZeroDuration());
}

}  // namespace
}  // namespace pillion::delivery
