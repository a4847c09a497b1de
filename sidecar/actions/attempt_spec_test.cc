#include "sidecar/actions/attempt_spec.h"

#include "gtest/gtest.h"

namespace pillion::sidecar {
namespace {

TEST(AttemptSpec, ComesBackAsItWasStored) {
  AttemptSpec spec;
  spec.retry_on = "5xx,reset";
  spec.retriable_status_codes = {429, 503};
  spec.max_result_bytes = uint64_t{1} << 40;
  spec.redirect_when_done = true;
  spec.follow_status = true;
  spec.path = "/events/order";
  spec.structured = true;
  spec.payload = false;
  spec.authority = "hooks.example:8080";
  spec.secret_file = "/etc/secret";
  spec.callback = CallbackSpec{.cluster = "hooks",
                               .authority = "hooks.example",
                               .path = "/done?id=7",
                               .secret_file = "secrets",
                               .retry = {7, absl::Seconds(2), absl::Minutes(3)},
                               .timeout = absl::Seconds(30),
                               .expires_after = absl::Hours(36),
                               .retention = absl::Hours(24)};
  const AttemptSpec back = DecodeAttemptSpec(Encode(spec));
  EXPECT_EQ(back.retry_on, spec.retry_on);
  EXPECT_EQ(back.retriable_status_codes, spec.retriable_status_codes);
  EXPECT_EQ(back.max_result_bytes, spec.max_result_bytes);
  EXPECT_TRUE(back.redirect_when_done);
  EXPECT_TRUE(back.follow_status);
  EXPECT_EQ(back.path, spec.path);
  EXPECT_TRUE(back.structured);
  EXPECT_FALSE(back.payload);
  EXPECT_EQ(back.authority, spec.authority);
  EXPECT_EQ(back.secret_file, spec.secret_file);
  ASSERT_TRUE(back.callback.has_value());
  EXPECT_EQ(back.callback->cluster, "hooks");
  EXPECT_EQ(back.callback->authority, "hooks.example");
  EXPECT_EQ(back.callback->path, "/done?id=7");
  EXPECT_EQ(back.callback->secret_file, "secrets");
  EXPECT_EQ(back.callback->retry.num_retries, 7);
  EXPECT_EQ(back.callback->retry.base_interval, absl::Seconds(2));
  EXPECT_EQ(back.callback->retry.max_interval, absl::Minutes(3));
  EXPECT_EQ(back.callback->timeout, absl::Seconds(30));
  EXPECT_EQ(back.callback->expires_after, absl::Hours(36));
  EXPECT_EQ(back.callback->retention, absl::Hours(24));
}

TEST(AttemptSpec, CostsNothingWhereItSaysNothing) {
  EXPECT_EQ(Encode(AttemptSpec()), "");
  const AttemptSpec back = DecodeAttemptSpec("");
  EXPECT_TRUE(back.payload);
  EXPECT_FALSE(back.structured);
  EXPECT_FALSE(back.callback.has_value());
  EXPECT_FALSE(back.follow_status);
  EXPECT_EQ(back.max_result_bytes, 0u);
}

TEST(AttemptSpec, FallsBackToTheDefaultsOnBytesThatAreNone) {
  AttemptSpec spec;
  spec.path = "/events";
  const std::string cut = Encode(spec).substr(1);
  EXPECT_EQ(DecodeAttemptSpec(cut).path, "");
  EXPECT_TRUE(DecodeAttemptSpec(std::string(100, '\xff')).payload);
}

}  // namespace
}  // namespace pillion::sidecar
