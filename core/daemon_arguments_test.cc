#include "core/daemon_arguments.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace pillion {
namespace {

using testing::internal::CaptureStderr;
using testing::internal::CaptureStdout;
using testing::internal::GetCapturedStderr;
using testing::internal::GetCapturedStdout;

struct Parsed {
  std::variant<DaemonArguments, int> result;
  std::string out;
  std::string err;
};

Parsed Parse(std::vector<const char*> words) {
  constexpr DaemonHelp kHelp = {"pillion-test", "A program.", "test.yaml", "the rest",
                                "SIGTERM ends it."};
  words.insert(words.begin(), "pillion-test");
  CaptureStdout();
  CaptureStderr();
  auto result = ParseDaemonArguments(static_cast<int>(words.size()), words.data(), kHelp);
  std::string out = GetCapturedStdout();
  return {std::move(result), std::move(out), GetCapturedStderr()};
}

TEST(DaemonArguments, AreThePathOfTheBootstrapAndWhetherToCheckOnly) {
  const Parsed serve = Parse({"--config", "a.yaml"});
  ASSERT_TRUE(std::holds_alternative<DaemonArguments>(serve.result));
  EXPECT_EQ(std::get<DaemonArguments>(serve.result).config, "a.yaml");
  EXPECT_FALSE(std::get<DaemonArguments>(serve.result).validate_only);
  const Parsed validate = Parse({"--mode=validate", "--config=a.yaml"});
  ASSERT_TRUE(std::holds_alternative<DaemonArguments>(validate.result));
  EXPECT_TRUE(std::get<DaemonArguments>(validate.result).validate_only);
}

TEST(DaemonArguments, HelpAndVersionAreAnsweredAndEndWithZero) {
  const Parsed version = Parse({"--version"});
  EXPECT_EQ(std::get<int>(version.result), 0);
  EXPECT_EQ(version.out.substr(0, 13), "pillion-test ");
  EXPECT_EQ(version.out.find_first_not_of("0123456789.", 13), version.out.size() - 1);
  const Parsed help = Parse({"--help"});
  EXPECT_EQ(std::get<int>(help.result), 0);
  for (const char* text :
       {"pillion-test: A program.", "--config FILE", "--mode {serve,validate}",
        "check the bootstrap and the rest", "SIGTERM ends it.", "Exit status:"}) {
    EXPECT_NE(help.out.find(text), std::string::npos) << text << "\n" << help.out;
  }
}

TEST(DaemonArguments, WhatIsWrongIsSaidAndEndsWith64) {
  const std::pair<std::vector<const char*>, const char*> cases[] = {
      {{}, "--config is required"},
      {{"--confi", "a"}, "there is no option '--confi'; did you mean '--config'?"},
      {{"--config", "a", "--mode", "test"}, "--mode: 'test' is not one of serve, validate"},
      {{"--config", ""}, "--config: the path of the bootstrap is empty"},
      {{"-config", "a"}, "there is no option '-config'; write --config"},
      {{"--config", "a", "more"}, "The following argument was not expected: more"},
  };
  for (const auto& [words, error] : cases) {
    const Parsed parsed = Parse(words);
    EXPECT_EQ(std::get<int>(parsed.result), 64);
    EXPECT_EQ(parsed.err.substr(0, parsed.err.find('\n')), error);
  }
}

}  // namespace
}  // namespace pillion
