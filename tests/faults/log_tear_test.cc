#include "tests/faults/log_tear.h"

#include <gtest/gtest.h>

#include "tests/integration/harness/files.h"

namespace pillion::faults {
namespace {

TEST(TearUnsynced, DamagesSomethingAndNothingThatIsConfirmed) {
  const harness::TempDir directory;
  const std::string file = directory / "wal";
  const std::string content(20'000, 'c');
  for (unsigned seed = 0; seed < 200; ++seed) {
    const int64_t begin = 1 + 90 * static_cast<int64_t>(seed);
    const int64_t end = seed % 2 == 0 ? 20'000 : begin + 1'000;
    ASSERT_TRUE(harness::WriteFileInPlace(file, content).ok());
    std::mt19937_64 random(seed);
    const auto torn = TearUnsynced(file, begin, end, random);
    ASSERT_TRUE(torn.ok()) << torn.status();
    EXPECT_NE(*torn, "");
    std::string after = harness::ReadFile(file).value();
    EXPECT_NE(after, content) << *torn;
    EXPECT_EQ(after.substr(0, begin), content.substr(0, begin)) << *torn;
    if (end < 20'000) {
      ASSERT_EQ(after.size(), content.size()) << *torn;
      EXPECT_EQ(after.substr(end), content.substr(end)) << *torn;
    }
  }
}

TEST(TearUnsynced, DoesNothingWhereAllIsConfirmed) {
  const harness::TempDir directory;
  const std::string file = directory / "wal";
  ASSERT_TRUE(harness::WriteFileInPlace(file, "confirmed").ok());
  std::mt19937_64 random;
  EXPECT_EQ(TearUnsynced(file, 0, 0, random).value(), "");
  EXPECT_EQ(TearUnsynced(file, 9, 500, random).value(), "");
  EXPECT_EQ(harness::ReadFile(file).value(), "confirmed");
}

}  // namespace
}  // namespace pillion::faults
