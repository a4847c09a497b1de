#include "sidecar/actions/retry_on.h"

#include <string>

#include "gtest/gtest.h"

namespace pillion::sidecar {
namespace {

RetryOn Parse(std::string_view conditions, std::vector<uint32_t> codes = {}) {
  auto retry_on = RetryOn::Parse(conditions, std::move(codes));
  EXPECT_TRUE(retry_on.ok()) << retry_on.status();
  return retry_on.value_or(RetryOn());
}

// The statuses that match, of all there are.
std::string Statuses(const RetryOn& retry_on) {
  std::string matching;
  int first = 0;
  for (int status = 200; status <= 600; ++status) {
    const bool matches = status < 600 && retry_on.Matches(status);
    if (matches && first == 0) first = status;
    if (matches || first == 0) continue;
    matching += std::to_string(first);
    if (first != status - 1) matching += "-" + std::to_string(status - 1);
    matching += " ";
    first = 0;
  }
  return matching;
}

// One letter for each failure that matches: connect, stale, reset, timeout, protocol error.
std::string Failures(const RetryOn& retry_on, bool idempotent) {
  std::string matching;
  if (retry_on.Matches(AttemptFailure::kConnect, idempotent)) matching += 'c';
  if (retry_on.Matches(AttemptFailure::kStale, idempotent)) matching += 's';
  if (retry_on.Matches(AttemptFailure::kReset, idempotent)) matching += 'r';
  if (retry_on.Matches(AttemptFailure::kTimeout, idempotent)) matching += 't';
  if (retry_on.Matches(AttemptFailure::kProtocolError, idempotent)) matching += 'p';
  return matching;
}

TEST(RetryOn, NamesStatuses) {
  EXPECT_EQ(Statuses(Parse("5xx")), "500-599 ");
  EXPECT_EQ(Statuses(Parse("gateway-error")), "502-504 ");
  EXPECT_EQ(Statuses(Parse("retriable-4xx")), "409 ");
  EXPECT_EQ(Statuses(Parse("retriable-status-codes", {429, 503})), "429 503 ");
  EXPECT_EQ(Statuses(Parse("retriable-4xx,gateway-error", {429})), "409 502-504 ");
  EXPECT_EQ(Statuses(Parse("connect-failure,refused-stream,reset")), "");
}

TEST(RetryOn, NamesFailures) {
  EXPECT_EQ(Failures(Parse("connect-failure"), true), "c");
  EXPECT_EQ(Failures(Parse("reset"), true), "srtp");
  EXPECT_EQ(Failures(Parse("5xx"), true), "csrtp");
  EXPECT_EQ(Failures(Parse("gateway-error"), true), "c");
  EXPECT_EQ(Failures(Parse("retriable-4xx,retriable-status-codes", {503}), true), "");
}

TEST(RetryOn, RepeatsNothingThatMayHaveBeenProcessedByDefault) {
  const RetryOn by_default = Parse("connect-failure,refused-stream");
  EXPECT_EQ(Failures(by_default, true), "cs");
  EXPECT_EQ(Failures(by_default, false), "c");
}

TEST(RetryOn, IsNothingWhenEmptyAndForgivesSpaces) {
  EXPECT_EQ(Statuses(Parse("")) + Failures(Parse(""), true), "");
  EXPECT_EQ(Statuses(Parse(" 5xx , retriable-4xx,")), "409 500-599 ");
}

TEST(RetryOn, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(RetryOn::Parse("5xx,conect-failure", {}).status().message(),
            "retry_on: unknown condition 'conect-failure'");
}

}  // namespace
}  // namespace pillion::sidecar
