#include "core/config/units.h"

#include <google/protobuf/duration.pb.h>
#include <gtest/gtest.h>

#include "core/config/suggest.h"

namespace pillion::config {
namespace {

TEST(ParseDuration, ReadsWhatPeopleWrite) {
  EXPECT_EQ(ParseDuration("250ms"), absl::Milliseconds(250));
  EXPECT_EQ(ParseDuration("15s"), absl::Seconds(15));
  EXPECT_EQ(ParseDuration("1.5s"), absl::Milliseconds(1500));
  EXPECT_EQ(ParseDuration("1h30m"), absl::Minutes(90));
  EXPECT_EQ(ParseDuration("0"), absl::ZeroDuration());
  EXPECT_EQ(ParseDuration("0s"), absl::ZeroDuration());
  EXPECT_EQ(ParseDuration("1000000h"), kMaxDuration);
}

TEST(ParseDuration, RefusesEverythingElse) {
  for (const char* text : {"", "10", "s", "-1s", "+1s", "inf", "1d", "1 s", "1S", "1000001h",
                           "99999999999999999999h", "1s ", "ms", ".", "1..5s"}) {
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
  }
}

TEST(DurationText, IsReadBackAsTheSame) {
  for (const absl::Duration duration :
       {absl::ZeroDuration(), absl::Nanoseconds(1), absl::Milliseconds(250), absl::Seconds(90),
        absl::Hours(24), absl::Milliseconds(1500), kMaxDuration}) {
    EXPECT_EQ(ParseDuration(DurationText(duration)), duration) << DurationText(duration);
  }
  EXPECT_EQ(DurationText(absl::ZeroDuration()), "0s");
  EXPECT_EQ(DurationText(absl::Hours(24)), "24h");
}

TEST(ParseSize, ReadsUnitsOf1024) {
  EXPECT_EQ(ParseSize("0"), 0u);
  EXPECT_EQ(ParseSize("17B"), 17u);
  EXPECT_EQ(ParseSize("64KiB"), 65536u);
  EXPECT_EQ(ParseSize("8MiB"), 8u << 20);
  EXPECT_EQ(ParseSize("18446744073709551615"), UINT64_MAX);
}

TEST(ParseSize, RefusesEverythingElse) {
  for (const char* text : {"", "KiB", "B", "-1", "+1", "1KB", "1k", "1.5KiB", " 1",
                           "18446744073709551616", "18446744073709551615KiB", "1KiBB", "0x10"}) {
    EXPECT_EQ(ParseSize(text), std::nullopt) << text;
  }
}

TEST(SizeText, UsesTheLargestUnitThatDivides) {
  EXPECT_EQ(SizeText(0), "0");
  EXPECT_EQ(SizeText(65536), "64KiB");
  EXPECT_EQ(SizeText(65537), "65537");
  EXPECT_EQ(SizeText(uint64_t{3} << 30), "3GiB");
}

TEST(Duration, SurvivesTheWayThroughProtobuf) {
  google::protobuf::Duration proto;
  SetDuration(absl::Milliseconds(1500), &proto);
  EXPECT_EQ(proto.seconds(), 1);
  EXPECT_EQ(proto.nanos(), 500'000'000);
  EXPECT_EQ(ToAbslDuration(proto), absl::Milliseconds(1500));
}

TEST(DidYouMean, NamesTheNearestCandidate) {
  EXPECT_EQ(DidYouMean("timout", {"cluster", "timeout", "idle_timeout"}),
            "; did you mean 'timeout'?");
  EXPECT_EQ(DidYouMean("tiemout", {"timeout"}), "; did you mean 'timeout'?");
  EXPECT_EQ(DidYouMean("TIMEOUT", {"timeout"}), "; did you mean 'timeout'?");
  EXPECT_EQ(DidYouMean("a", {"b"}), "");
  EXPECT_EQ(DidYouMean("prefix", {"exact", "suffix"}), "");
  EXPECT_EQ(DidYouMean("kubernetes", {"exact", "suffix"}), "");
  EXPECT_EQ(DidYouMean(std::string(10'000, 'x'), {"x"}), "");
}

}  // namespace
}  // namespace pillion::config
