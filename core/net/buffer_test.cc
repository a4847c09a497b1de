#include "core/net/buffer.h"

#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "gtest/gtest.h"

namespace pillion::net {
namespace {

Buffer Holding(std::string_view bytes) {
  Buffer buffer;
  buffer.Append(bytes);
  return buffer;
}

TEST(Buffer, GrowsAndIsConsumedFromTheFront) {
  Buffer buffer;
  std::string all;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece = std::to_string(i) + std::string(i, 'x');
    buffer.Append(piece);
    all += piece;
    buffer.Consume(100 < buffer.size() ? 100 : 0);
    all.erase(0, all.size() - buffer.size());
    ASSERT_EQ(buffer.view(), all);
  }
  buffer.Consume(buffer.size());
  EXPECT_TRUE(buffer.empty());
}

TEST(Buffer, TheFrontThatIsTakenStaysWhereItIsAndSoDoesTheRest) {
  for (const size_t rest : {0u, 1u, 10'000u, 60'000u}) {
    const std::string body(rest, 'b');
    Buffer buffer = Holding("head" + body);
    const char* const place = buffer.data();
    const Buffer front = buffer.TakeFront(4);
    EXPECT_EQ(front.view(), "head") << rest;
    EXPECT_EQ(front.data(), place) << rest;
    EXPECT_EQ(buffer.view(), body) << rest;
    if (rest == 0) continue;
    EXPECT_EQ(buffer.data(), place + 4) << rest;
  }
}

TEST(Buffer, WhatFollowsATakenFrontNeverTouchesIt) {
  const std::string body(8000, 'b');
  Buffer buffer = Holding("head" + body);
  const Buffer front = buffer.TakeFront(4);
  buffer.Consume(4000);
  buffer.Append(std::string(10'000, 'c'));  // moves down, to where the front ends
  EXPECT_EQ(buffer.view(), std::string(4000, 'b') + std::string(10'000, 'c'));
  buffer.Consume(buffer.size());
  buffer.Append(std::string(12'000, 'd'));
  EXPECT_EQ(buffer.view(), std::string(12'000, 'd'));
  buffer.Append(std::string(100'000, 'e'));  // more than the block holds
  EXPECT_EQ(buffer.size(), 112'000u);
  EXPECT_EQ(front.view(), "head");
}

TEST(Buffer, ATakenFrontOutlivesTheRestAndTheOtherWayRound) {
  Buffer buffer = Holding("head" + std::string(5000, 'b'));
  Buffer front = buffer.TakeFront(4);
  buffer.Release();
  Buffer other = Holding(std::string(5000, 'x'));  // would get the block if it were free
  EXPECT_EQ(front.view(), "head");

  buffer = Holding("head" + std::string(5000, 'b'));
  front = buffer.TakeFront(4);
  Buffer moved = std::move(buffer);
  front.Release();
  other = Holding(std::string(5000, 'y'));
  EXPECT_EQ(moved.view(), std::string(5000, 'b'));
}

TEST(Buffer, FrontsAreTakenOneAfterTheOther) {
  Buffer buffer =
      Holding("skip" + std::string("one") + std::string("two") + std::string(5000, 'b'));
  buffer.Consume(4);
  const Buffer first = buffer.TakeFront(3);
  const Buffer second = buffer.TakeFront(3);
  buffer.Append("c");
  EXPECT_EQ(first.view(), "one");
  EXPECT_EQ(second.view(), "two");
  EXPECT_EQ(buffer.view(), std::string(5000, 'b') + "c");
}

TEST(Buffer, AFrontCanBeAppendedTo) {
  Buffer buffer = Holding("head" + std::string(5000, 'b'));
  Buffer front = buffer.TakeFront(4);
  front.Append("er");
  EXPECT_EQ(front.view(), "header");
  EXPECT_EQ(buffer.view(), std::string(5000, 'b'));
}

TEST(Buffer, CopiesLittleOfABlockAndKeepsTheBlockOfMuch) {
  for (const size_t capacity : {Buffer::kBlockSize, Buffer::kBulkBlockSize}) {
    for (const size_t size : {size_t{0}, size_t{1}, size_t{2048}, size_t{2049}, capacity}) {
      char* const block = Buffer::TakeBlock(capacity);
      std::memset(block, 'b', size);
      Buffer buffer;
      const bool kept = buffer.Adopt(block, size);
      EXPECT_EQ(kept, size > Buffer::kSmallBlockSize) << size;
      if (kept) {
        EXPECT_EQ(buffer.data(), block) << size;
        EXPECT_EQ(buffer.room(), capacity - size) << size;
      } else {
        std::memset(block, 'x', capacity);
        Buffer::GiveBlock(block);
      }
      EXPECT_EQ(buffer.view(), std::string(size, 'b'));
    }
  }
}

}  // namespace
}  // namespace pillion::net
