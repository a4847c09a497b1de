#include "sidecar/actions/attempt_spec.h"

#include <string>

#include "core/config/defaults.h"
#include "gtest/gtest.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/actions/retry_on.h"

namespace pillion::sidecar {
namespace {

using store::v1::AttemptSpec;

// They are stored.
static_assert(RetryOn::k5xx == 1 && RetryOn::kGatewayError == 2 && RetryOn::kConnectFailure == 4 &&
              RetryOn::kRefusedStream == 8 && RetryOn::kResetBit == 16 &&
              RetryOn::kRetriable4xx == 32 && RetryOn::kRetriableStatusCodes == 64);

// With every field.
AttemptSpec Full() {
  AttemptSpec spec;
  spec.set_retry_on(RetryOn::k5xx | RetryOn::kResetBit);
  spec.add_retriable_status_codes(429);
  spec.add_retriable_status_codes(503);
  spec.set_max_result_bytes(1);
  spec.set_redirect_when_done(true);
  spec.set_follow_status(true);
  spec.set_path("/e");
  spec.set_structured(true);
  spec.set_without_payload(true);
  spec.set_authority("h");
  spec.set_secret_file("s");
  store::v1::CallbackSpec& callback = *spec.mutable_callback();
  callback.set_cluster("c");
  callback.set_authority("a");
  callback.set_path("/p");
  callback.set_secret_file("f");
  callback.set_num_retries(7);
  callback.set_base_interval_ms(2);
  callback.set_max_interval_ms(3);
  callback.set_timeout_ms(4);
  callback.set_expires_after_ms(5);
  callback.set_retention_ms(6);
  return spec;
}

// What an older program has stored, a newer one reads: these bytes never change.
TEST(AttemptSpec, IsReadAsItWasAlwaysStored) {
  const std::string stored =
      "\x08\x11\x12\x04\xad\x03\xf7\x03\x18\x01\x20\x01\x28\x01\x32\x19\x0a\x01"
      "c\x12\x01"
      "a\x1a\x02/p\x22\x01"
      "f\x28\x07\x30\x02\x38\x03\x40\x04\x48\x05\x50\x06\x3a\x02/e\x40\x01\x48\x01\x52\x01"
      "h\x5a\x01"
      "s";
  EXPECT_EQ(DecodeAttemptSpec(stored).DebugString(), Full().DebugString());
  EXPECT_EQ(DecodeAttemptSpec(Full().SerializeAsString()).DebugString(), Full().DebugString());
}

TEST(AttemptSpec, TakesTextsOfAnyBytes) {
  AttemptSpec spec = Full();
  spec.set_path("/\xff");
  EXPECT_EQ(DecodeAttemptSpec(spec.SerializeAsString()).DebugString(), spec.DebugString());
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
