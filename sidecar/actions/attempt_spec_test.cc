#include "sidecar/actions/attempt_spec.h"

#include "core/config/defaults.h"
#include "gtest/gtest.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/actions/retry_on.h"

namespace pillion::sidecar {
namespace {

using store::v1::AttemptSpec;

AttemptSpec Full() {
  AttemptSpec spec;
  spec.set_retry_on(RetryOn::k5xx | RetryOn::kResetBit);
  spec.add_retriable_status_codes(429);
  spec.add_retriable_status_codes(503);
  spec.set_max_result_bytes(uint64_t{1} << 40);
  spec.set_redirect_when_done(true);
  spec.set_follow_status(true);
  spec.set_path("/events/order?id=7");
  spec.set_structured(true);
  spec.set_without_payload(true);
  spec.set_authority("hooks.example:8080");
  spec.set_secret_file("/etc/secret");
  store::v1::CallbackSpec& callback = *spec.mutable_callback();
  callback.set_cluster("hooks");
  callback.set_num_retries(7);
  callback.set_retention_ms(86'400'000);
  return spec;
}

TEST(AttemptSpec, ComesBackAsItWasStored) {
  const AttemptSpec spec = Full();
  EXPECT_EQ(DecodeAttemptSpec(spec.SerializeAsString()).DebugString(), spec.DebugString());
}

// A delivery that was stored by an older program is read by a newer one: these bytes never change.
TEST(AttemptSpec, StoresTheNumbersThatItAlwaysStored) {
  const AttemptSpec spec = DecodeAttemptSpec("\x08\x7f\x12\x02\xad\x03\x28\x01\x32\x02\x28\x07");
  EXPECT_EQ(spec.retry_on(), RetryOn::k5xx | RetryOn::kGatewayError | RetryOn::kConnectFailure |
                                 RetryOn::kRefusedStream | RetryOn::kResetBit |
                                 RetryOn::kRetriable4xx | RetryOn::kRetriableStatusCodes);
  ASSERT_EQ(spec.retriable_status_codes_size(), 1);
  EXPECT_EQ(spec.retriable_status_codes(0), 429u);
  EXPECT_TRUE(spec.follow_status());
  EXPECT_EQ(spec.callback().num_retries(), 7u);
}

TEST(AttemptSpec, CostsFewBytesForACallWithTheDefaults) {
  config::v1::AsyncAction config;
  config::ApplyDefaults(&config);
  const config::v1::AsyncRetryPolicy& retry = config.retry_policy();
  const absl::StatusOr<RetryOn> retry_on = RetryOn::Parse(retry.retry_on(), {});
  ASSERT_TRUE(retry_on.ok()) << retry_on.status();
  AttemptSpec spec;
  spec.set_retry_on(retry_on->bits());
  *spec.mutable_retriable_status_codes() = retry.retriable_status_codes();
  spec.set_max_result_bytes(config.max_result_bytes());
  ASSERT_NE(spec.retry_on(), 0u);
  ASSERT_EQ(spec.retriable_status_codes_size(), 1);
  ASSERT_NE(spec.max_result_bytes(), 0u);
  EXPECT_LE(spec.SerializeAsString().size(), 16u);
}

TEST(AttemptSpec, CostsNothingWhereItSaysNothing) {
  EXPECT_EQ(AttemptSpec().SerializeAsString(), "");
  EXPECT_EQ(DecodeAttemptSpec("").DebugString(), "");
}

TEST(AttemptSpec, FallsBackToTheDefaultsOnBytesThatAreNone) {
  std::string cut = Full().SerializeAsString();
  cut.pop_back();
  EXPECT_EQ(DecodeAttemptSpec(cut).DebugString(), "");
  EXPECT_EQ(DecodeAttemptSpec(std::string(100, '\xff')).DebugString(), "");
}

}  // namespace
}  // namespace pillion::sidecar
