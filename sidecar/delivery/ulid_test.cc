#include "sidecar/delivery/ulid.h"

#include <set>

#include "gtest/gtest.h"

namespace pillion::delivery {
namespace {

class Constant : public Random {
 public:
  explicit Constant(uint8_t byte) : byte_(byte) {}
  void Fill(absl::Span<uint8_t> bytes) override {
    for (uint8_t& byte : bytes) byte = byte_;
  }

 private:
  uint8_t byte_;
};

TEST(Ulid, EncodesTimeAndRandomBitsAsTheSpecificationSays) {
  Constant zeros(0x00);
  Constant ones(0xff);
  // The time of the specification's example.
  EXPECT_EQ(NewUlid(absl::FromUnixMillis(1469918176385), zeros), "01ARYZ6S410000000000000000");
  EXPECT_EQ(NewUlid(absl::FromUnixMillis((int64_t{1} << 48) - 1), ones),
            "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
  EXPECT_EQ(NewUlid(absl::UnixEpoch(), zeros), "00000000000000000000000000");
}

TEST(Ulid, MadeLaterSortsLater) {
  SecureRandom random;
  std::string last;
  for (int64_t millis : {0, 1, 31, 32, 1000, 1'000'000}) {
    const std::string next = NewUlid(absl::FromUnixMillis(millis), random);
    EXPECT_LT(last, next);
    last = next;
  }
}

TEST(Ulid, NeverRepeats) {
  SecureRandom random;
  std::set<std::string> seen;
  for (int i = 0; i < 10000; ++i)
    EXPECT_TRUE(seen.insert(NewUlid(absl::UnixEpoch(), random)).second);
}

TEST(Ulid, AcceptsOnlyTheCanonicalForm) {
  EXPECT_TRUE(IsUlid("01ARYZ6S410000000000000000"));
  EXPECT_FALSE(IsUlid(""));
  EXPECT_FALSE(IsUlid("01ARYZ6S41000000000000000"));
  EXPECT_FALSE(IsUlid("01ARYZ6S4100000000000000000"));
  EXPECT_FALSE(IsUlid("01aryz6s410000000000000000"));
  EXPECT_FALSE(IsUlid("01ARYZ6S41000000000000000U"));
  EXPECT_FALSE(IsUlid("8ZZZZZZZZZZZZZZZZZZZZZZZZZ"));
}

}  // namespace
}  // namespace pillion::delivery
