#include "core/telemetry/line_ring.h"

#include <array>
#include <memory>
#include <string>
#include <thread>

#include "gtest/gtest.h"

namespace pillion::telemetry {
namespace {

std::string TakeAll(LineRing& ring) {
  std::array<char, 256> out;
  return std::string(out.data(), ring.Take(out.data(), out.size()));
}

TEST(LineRing, GivesBackLinesInOrder) {
  const auto owned = std::make_unique<LineRing>(64);
  LineRing& ring = *owned;
  EXPECT_TRUE(ring.Put("one\n"));
  EXPECT_TRUE(ring.Put("two\n"));
  EXPECT_EQ(ring.Waiting(), 8u);
  EXPECT_EQ(TakeAll(ring), "one\ntwo\n");
  EXPECT_EQ(ring.Waiting(), 0u);
  EXPECT_EQ(TakeAll(ring), "");
}

TEST(LineRing, RefusesAndCountsWhatDoesNotFit) {
  const auto owned = std::make_unique<LineRing>(8);
  LineRing& ring = *owned;
  EXPECT_TRUE(ring.Put("12345\n"));
  EXPECT_FALSE(ring.Put("678\n"));
  EXPECT_TRUE(ring.Put("6\n"));
  EXPECT_FALSE(ring.Put("\n"));
  EXPECT_EQ(ring.refused(), 2u);
  EXPECT_EQ(TakeAll(ring), "12345\n6\n");
  EXPECT_TRUE(ring.Put("1234567\n"));
}

TEST(LineRing, TakesOnlyWholeLines) {
  const auto owned = std::make_unique<LineRing>(64);
  LineRing& ring = *owned;
  ring.Put("one\n");
  ring.Put("three\n");
  std::array<char, 8> out;
  EXPECT_EQ(ring.Take(out.data(), 8), 4u);
  EXPECT_EQ(ring.Take(out.data(), 5), 0u);
  EXPECT_EQ(ring.Take(out.data(), 6), 6u);
}

TEST(LineRing, IsFillingFromHalfOn) {
  const auto owned = std::make_unique<LineRing>(16);
  LineRing& ring = *owned;
  ring.Put("1234567\n");
  EXPECT_FALSE(ring.IsFilling());
  ring.Put("\n");
  EXPECT_TRUE(ring.IsFilling());
  TakeAll(ring);
  EXPECT_FALSE(ring.IsFilling());
}

TEST(LineRing, KeepsLinesWholeAcrossTheWrapWithTwoThreads) {
  constexpr int kLines = 20'000;
  const auto owned = std::make_unique<LineRing>(128);
  LineRing& ring = *owned;
  std::thread producer([&ring] {
    for (int i = 0; i < kLines; ++i) {
      const std::string line = "line " + std::to_string(i) + "\n";
      while (!ring.Put(line)) std::this_thread::yield();
    }
  });
  std::string expected;
  for (int i = 0; i < kLines; ++i) expected += "line " + std::to_string(i) + "\n";
  std::string got;
  std::array<char, 100> out;
  while (got.size() < expected.size()) {
    const size_t size = ring.Take(out.data(), out.size());
    got.append(out.data(), size);
    if (size == 0) std::this_thread::yield();
  }
  producer.join();
  EXPECT_EQ(got, expected);
}

}  // namespace
}  // namespace pillion::telemetry
