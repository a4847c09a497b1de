#include "core/telemetry/log.h"

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace pillion::log {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

constexpr Logger kLog("xds");

class Log : public ::testing::Test {
 protected:
  void SetUp() override {
    SetThreadName("main");
    testing::internal::CaptureStderr();
  }
  void TearDown() override {
    SetLevel(Level::kInfo);
    SetFormat(Format::kText);
  }

  static std::string Written() { return testing::internal::GetCapturedStderr(); }
};

TEST_F(Log, WritesTextWithTimeLevelComponentAndThread) {
  kLog.Info("connected to ", "127.0.0.1:18000", " after ", 2, " attempts");
  EXPECT_THAT(
      Written(),
      MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z "
                   "info    \\[xds\\] \\[main\\] connected to 127.0.0.1:18000 after 2 attempts\n"));
}

TEST_F(Log, WritesJsonWithTheSameFields) {
  SetFormat(Format::kJson);
  kLog.Warning("the \"name\" is C:\\x");
  EXPECT_THAT(Written(),
              MatchesRegex("\\{\"time\":\"[0-9-]{10}T[0-9:.]{12}Z\",\"level\":\"warning\","
                           "\"component\":\"xds\",\"thread\":\"main\","
                           "\"message\":\"the \\\\\"name\\\\\" is C:\\\\\\\\x\"\\}\n"));
}

TEST_F(Log, WithoutComponentIsTheProcess) {
  Error("out of ", "files");
  EXPECT_THAT(Written(), EndsWith("error   [process] [main] out of files\n"));
}

TEST_F(Log, KeepsForeignTextOnOneLine) {
  kLog.Error(
      "upstream said: a\r\n2026-03-01T12:00:00.000Z info [x] forged\x1b[2J\xff na\xc3\xafve");
  EXPECT_THAT(Written(), EndsWith("upstream said: a\\r\\n2026-03-01T12:00:00.000Z info [x] "
                                  "forged\\x1b[2J\\xff na\xc3\xafve\n"));
}

TEST_F(Log, WritesNothingBelowTheLevelAndDoesNotFormatIt) {
  SetLevel(Level::kWarning);
  kLog.Info("not this");
  EXPECT_FALSE(IsOn(Level::kInfo));
  kLog.Warning("but this");
  const std::string written = Written();
  EXPECT_THAT(written, Not(HasSubstr("not this")));
  EXPECT_THAT(written, HasSubstr("but this"));
}

TEST_F(Log, LevelChangesWhileRunning) {
  kLog.Debug("one");
  SetLevel(Level::kTrace);
  kLog.Trace("two");
  SetLevel(Level::kOff);
  kLog.Error("three");
  EXPECT_THAT(Written(), EndsWith("trace   [xds] [main] two\n"));
}

TEST_F(Log, NamesUnnamedThreadsByTheirKernelId) {
  std::thread([] { kLog.Info("here"); }).join();
  EXPECT_THAT(Written(), MatchesRegex(".* \\[[0-9]+\\] here\n"));
}

TEST_F(Log, LinesOfManyThreadsStayWhole) {
  constexpr int kThreads = 4;
  constexpr int kLines = 200;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([t] {
      SetThreadName(absl::StrCat("worker-", t));
      for (int i = 0; i < kLines; ++i) kLog.Info("line ", i, " of ", t, " ends here");
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string written = Written();
  const std::vector<std::string> lines = absl::StrSplit(written, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), kThreads * kLines);
  for (const std::string& line : lines) {
    EXPECT_THAT(
        line,
        MatchesRegex(".{24} info    \\[xds\\] \\[worker-[0-3]\\] line [0-9]+ of [0-3] ends here"));
  }
}

TEST_F(Log, LimitedWritesOncePerIntervalAndSaysHowManyItKeptBack) {
  Limited limited(kLog, absl::Hours(1));
  for (int i = 0; i < 5; ++i) limited.Warning("cannot accept: ", i);
  EXPECT_THAT(Written(), EndsWith("warning [xds] [main] cannot accept: 0\n"));
}

TEST_F(Log, LimitedBelowTheLevelWritesAndCountsNothing) {
  Limited limited(kLog, absl::Nanoseconds(1));
  SetLevel(Level::kError);
  limited.Warning("quiet");
  SetLevel(Level::kInfo);
  limited.Warning("loud");
  EXPECT_THAT(Written(), EndsWith("[main] loud\n"));
}

TEST(LimitedAdmission, CountsWhatItKeptBackSinceTheLastMessage) {
  Limited limited(kLog, absl::Nanoseconds(100));
  EXPECT_EQ(limited.Admit(1000), 0u);
  EXPECT_EQ(limited.Admit(1001), std::nullopt);
  EXPECT_EQ(limited.Admit(1099), std::nullopt);
  EXPECT_EQ(limited.Admit(1100), 2u);
  EXPECT_EQ(limited.Admit(1200), 0u);
}

TEST(LimitedAdmission, AdmitsOneOfSeveralThreadsAndLosesNoCount) {
  Limited limited(kLog, absl::Nanoseconds(10));
  std::atomic<uint64_t> written{0};
  std::atomic<uint64_t> kept_back{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int64_t now = 0; now < 1000; ++now) {
        if (auto kept = limited.Admit(now)) {
          ++written;
          kept_back += *kept;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::optional<uint64_t> rest = limited.Admit(1'000'000);
  ASSERT_TRUE(rest.has_value());
  EXPECT_LE(written.load(), 100u);
  EXPECT_EQ(written + kept_back + *rest, 4000u);
}

TEST(Levels, HaveNamesThatCanBeRead) {
  for (Level level :
       {Level::kTrace, Level::kDebug, Level::kInfo, Level::kWarning, Level::kError, Level::kOff}) {
    EXPECT_EQ(ParseLevel(LevelName(level)), level);
  }
  EXPECT_EQ(ParseLevel("WARN"), Level::kWarning);
  EXPECT_EQ(ParseLevel("Info"), Level::kInfo);
  EXPECT_EQ(ParseLevel("loud"), std::nullopt);
  EXPECT_EQ(ParseLevel(""), std::nullopt);
}

}  // namespace
}  // namespace pillion::log
