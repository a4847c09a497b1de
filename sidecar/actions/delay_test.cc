#include "sidecar/actions/delay.h"

#include <string>

#include "gtest/gtest.h"

namespace pillion::sidecar {
namespace {

constexpr DelayRule kRule = {absl::Seconds(5), absl::Hours(2), absl::Hours(1)};

http::HeaderList With(std::string_view value) {
  http::HeaderList headers;
  headers.AddCopy("Pillion-Delay", value);
  return headers;
}

TEST(DelayRule, IsThePolicysUnlessTheCallerSays) {
  EXPECT_EQ(kRule.Of(http::HeaderList()).value(), absl::Seconds(5));
  EXPECT_EQ(kRule.Of(With("10m")).value(), absl::Minutes(10));
  EXPECT_EQ(kRule.Of(With("1m30s")).value(), absl::Seconds(90));
  EXPECT_EQ(kRule.Of(With("0")).value(), absl::ZeroDuration());
  EXPECT_EQ(DelayRule{}.Of(http::HeaderList()).value(), absl::ZeroDuration());
}

TEST(DelayRule, SaysWhatIsWrongAndWhatWouldBeRight) {
  http::HeaderList twice = With("1s");
  twice.AddCopy("pillion-delay", "2s");
  const struct {
    DelayRule rule;
    http::HeaderList headers;
    const char* message;
  } cases[] = {
      {DelayRule{}, With("0s"),
       "this route does not let its callers choose a pillion-delay: send the call without that "
       "header, or set max_delay in the route's policy"},
      {kRule, std::move(twice), "the header pillion-delay is there twice"},
      {kRule, With("600"), "pillion-delay '600' is no duration: write it as 30s, 10m or 1h30m"},
      {kRule, With("-1s"), "pillion-delay '-1s' is no duration: write it as 30s, 10m or 1h30m"},
      {kRule, With(""), "pillion-delay '' is no duration: write it as 30s, 10m or 1h30m"},
      {kRule, With("2h1s"), "the pillion-delay of 2h1s is longer than the route's max_delay of 2h"},
      {kRule, With("1h"),
       "after a pillion-delay of 1h the operation would have expired: the route's expires_after "
       "is 1h"},
  };
  for (const auto& c : cases) {
    const absl::Status status = c.rule.Of(c.headers).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(std::string(status.message()), c.message);
  }
}

}  // namespace
}  // namespace pillion::sidecar
