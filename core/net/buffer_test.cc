#include "core/net/buffer.h"

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

TEST(Buffer, AdoptsBlocksOfEitherSize) {
  for (const size_t capacity : {Buffer::kBlockSize, Buffer::kBulkBlockSize}) {
    char* const block = Buffer::TakeBlock(capacity);
    std::string_view("hello").copy(block, 5);
    Buffer buffer;
    buffer.Adopt(block, 5);
    EXPECT_EQ(buffer.view(), "hello");
    EXPECT_EQ(buffer.room(), capacity - 5);
  }
}

}  // namespace
}  // namespace pillion::net
