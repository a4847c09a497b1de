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
  spec.path = "/events/order";
  spec.structured = true;
  spec.payload = false;
  const AttemptSpec back = DecodeAttemptSpec(Encode(spec));
  EXPECT_EQ(back.retry_on, spec.retry_on);
  EXPECT_EQ(back.retriable_status_codes, spec.retriable_status_codes);
  EXPECT_EQ(back.max_result_bytes, spec.max_result_bytes);
  EXPECT_TRUE(back.redirect_when_done);
  EXPECT_EQ(back.path, spec.path);
  EXPECT_TRUE(back.structured);
  EXPECT_FALSE(back.payload);
}

TEST(AttemptSpec, CostsNothingWhereItSaysNothing) {
  EXPECT_EQ(Encode(AttemptSpec()), "");
  const AttemptSpec back = DecodeAttemptSpec("");
  EXPECT_TRUE(back.payload);
  EXPECT_FALSE(back.structured);
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
