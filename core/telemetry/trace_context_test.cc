#include "core/telemetry/trace_context.h"

#include <set>
#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace pillion::telemetry {
namespace {

std::string Traceparent(const TraceContext& context) {
  std::string text(kTraceparentSize, '!');
  EXPECT_EQ(WriteTraceparent(context, text.data()), text);
  return text;
}

constexpr std::string_view kValid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(Traceparent, IsReadAndWrittenUnchanged) {
  const auto context = ParseTraceparent(kValid);
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(context->trace_id[0], 0x4b);
  EXPECT_EQ(context->trace_id[15], 0x36);
  EXPECT_EQ(context->parent_id[0], 0x00);
  EXPECT_EQ(context->parent_id[7], 0xb7);
  EXPECT_TRUE(context->sampled());
  EXPECT_EQ(Traceparent(*context), kValid);
}

TEST(Traceparent, IsRefusedIfMalformed) {
  for (std::string_view value : {
           "", "00",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",       // too short
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",     // too long
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",     // version 00 has no more
                                                                           // fields
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-aa",   //
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",      // upper case
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01",      //
           "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",      // not hexadecimal
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",      //
           "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",      //
           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",      // zero ids
           "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",      //
           "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",      // the forbidden version
           "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",      // wrong separators
           "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",      //
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01",      //
           " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",     // space
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 ",     //
           "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what"  // a later version's
                                                                           // field needs a dash
       }) {
    EXPECT_EQ(ParseTraceparent(value), std::nullopt) << value;
  }
}

TEST(Traceparent, OfALaterVersionIsReadAsFarAsItIsKnown) {
  for (std::string_view value :
       {"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-brings"}) {
    const auto context = ParseTraceparent(value);
    ASSERT_TRUE(context.has_value()) << value;
    EXPECT_EQ(Traceparent(*context), kValid);
  }
}

TEST(Traceparent, DropsFlagsThatItDoesNotKnow) {
  const auto context = ParseTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fe");
  ASSERT_TRUE(context.has_value());
  EXPECT_FALSE(context->sampled());
  EXPECT_EQ(Traceparent(*context), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02");
}

TEST(TraceContext, NewTracesAreValidAndDiffer) {
  const TraceContext a = NewTrace(/*sampled=*/true);
  const TraceContext b = NewTrace(/*sampled=*/false);
  EXPECT_EQ(ParseTraceparent(Traceparent(a)), a);
  EXPECT_EQ(ParseTraceparent(Traceparent(b)), b);
  EXPECT_TRUE(a.sampled());
  EXPECT_FALSE(b.sampled());
  EXPECT_NE(a.trace_id, b.trace_id);
}

TEST(TraceContext, ChildSpansStayInTheTrace) {
  const TraceContext parent = NewTrace(/*sampled=*/true);
  const TraceContext child = ChildSpan(parent);
  EXPECT_EQ(child.trace_id, parent.trace_id);
  EXPECT_EQ(child.flags, parent.flags);
  EXPECT_NE(child.parent_id, parent.parent_id);
}

std::string NewRequestId() {
  std::string text(kRequestIdSize, '!');
  EXPECT_EQ(WriteNewRequestId(text.data()), text);
  return text;
}

TEST(RequestId, IsAVersion4Uuid) {
  EXPECT_THAT(
      NewRequestId(),
      testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
}

TEST(RequestId, IsUniqueAcrossThreads) {
  constexpr int kThreads = 4;
  constexpr int kEach = 5000;
  std::array<std::set<std::string>, kThreads> ids;
  std::array<std::thread, kThreads> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads[t] = std::thread([&mine = ids[t]] {
      for (int i = 0; i < kEach; ++i) mine.insert(NewRequestId());
    });
  }
  std::set<std::string> all;
  for (int t = 0; t < kThreads; ++t) {
    threads[t].join();
    all.merge(ids[t]);
  }
  EXPECT_EQ(all.size(), static_cast<size_t>(kThreads * kEach));
}

}  // namespace
}  // namespace pillion::telemetry
