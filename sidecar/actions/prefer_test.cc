#include "sidecar/actions/prefer.h"

#include "gtest/gtest.h"

namespace pillion::sidecar {
namespace {

using std::chrono::seconds;

TEST(Prefer, KnowsRespondAsyncAndWaitInAnyLetterCase) {
  EXPECT_TRUE(ParsePrefer("respond-async").respond_async);
  EXPECT_TRUE(ParsePrefer("Respond-Async").respond_async);
  EXPECT_EQ(ParsePrefer("WAIT=10").wait, seconds(10));
  const Preferences both = ParsePrefer("respond-async, wait=5");
  EXPECT_TRUE(both.respond_async);
  EXPECT_EQ(both.wait, seconds(5));
}

TEST(Prefer, TakesTheFirstOfDuplicates) {
  EXPECT_EQ(ParsePrefer("wait=5, wait=7").wait, seconds(5));
  EXPECT_EQ(ParsePrefer("wait=x, wait=7").wait, std::nullopt);
}

TEST(Prefer, ReadsSeveralHeadersAsOne) {
  http::HeaderList headers;
  headers.Add("prefer", "handling=lenient");
  headers.Add("accept", "respond-async");
  headers.Add("Prefer", "wait=3");
  headers.Add("PREFER", "respond-async, wait=9");
  const Preferences preferences = ParsePrefer(headers);
  EXPECT_TRUE(preferences.respond_async);
  EXPECT_EQ(preferences.wait, seconds(3));
}

TEST(Prefer, IgnoresWhatItDoesNotKnowAndParameters) {
  EXPECT_TRUE(ParsePrefer("return=minimal; x=\"a, b\", respond-async; y").respond_async);
  EXPECT_EQ(ParsePrefer("foo; wait=3").wait, std::nullopt);
  EXPECT_EQ(ParsePrefer("wait = \"12\" ; z").wait, seconds(12));
}

TEST(Prefer, IgnoresWhatIsMalformed) {
  for (const char* value : {"", ",", "=", ";", "wait", "wait=", "wait=-1", "wait=1.5", "wait=1s",
                            "wait=\"", "wait=99999999999", "async", "respond-asyncx",
                            "\"respond-async\"", "x=\"respond-async, wait=1", "\"\\"}) {
    EXPECT_FALSE(ParsePrefer(value).respond_async) << value;
    EXPECT_EQ(ParsePrefer(value).wait, std::nullopt) << value;
  }
}

TEST(Prefer, WaitsAMinuteAtMost) { EXPECT_EQ(ParsePrefer("wait=4000").wait, seconds(60)); }

}  // namespace
}  // namespace pillion::sidecar
