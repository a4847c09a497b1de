#include "sidecar/actions/rewrite.h"

#include "gtest/gtest.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::sidecar {
namespace {

config::v1::RouteMatch Prefix(const char* prefix) {
  config::v1::RouteMatch match;
  match.set_prefix(prefix);
  return match;
}

// The path, or why there is none, in parentheses.
std::string Applied(const PathRewrite& rewrite, const char* path) {
  std::string scratch;
  const http::NormalizedPath result = rewrite.Apply(path, &scratch);
  if (result.error != nullptr) return "(" + std::string(result.error) + ")";
  return std::string(result.path);
}

std::string Rewritten(const config::v1::RouteMatch& match, const char* prefix_rewrite,
                      const char* path) {
  const auto rewrite = PathRewrite::Compile(match, prefix_rewrite, nullptr);
  EXPECT_TRUE(rewrite.ok()) << rewrite.status();
  return Applied(*rewrite, path);
}

TEST(PathRewrite, PutsAPrefixInPlaceOfWhatMatched) {
  EXPECT_EQ(Rewritten(Prefix("/api/"), "/", "/api/v1"), "/v1");
  EXPECT_EQ(Rewritten(Prefix("/api"), "/", "/api/v1"), "/v1");
  EXPECT_EQ(Rewritten(Prefix("/api"), "/", "/api"), "/");
  EXPECT_EQ(Rewritten(Prefix("/api"), "/v2", "/api/x"), "/v2/x");
  EXPECT_EQ(Rewritten(Prefix("/api/"), "/v2/", "/api/x/"), "/v2/x/");
  EXPECT_EQ(Rewritten(Prefix("/"), "/v2", "/x"), "/v2/x");
}

TEST(PathRewrite, PutsItInPlaceOfAWholePathAndOfASeparatedPrefix) {
  config::v1::RouteMatch path;
  path.set_path("/one");
  EXPECT_EQ(Rewritten(path, "/two", "/one"), "/two");
  config::v1::RouteMatch separated;
  separated.set_path_separated_prefix("/one");
  EXPECT_EQ(Rewritten(separated, "/two", "/one/more"), "/two/more");
}

TEST(PathRewrite, LeavesThePathAsItIsWithoutARule) {
  const auto rewrite = PathRewrite::Compile(Prefix("/"), "", nullptr);
  const std::string path = "/as/it/is";
  std::string scratch;
  EXPECT_EQ(rewrite->Apply(path, &scratch).path.data(), path.data()) << "copied for nothing";
}

TEST(PathRewrite, ReplacesEveryMatchOfAPattern) {
  config::v1::RegexRewrite regex;
  regex.set_pattern("/v([0-9])");
  regex.set_substitution("/version-\\1");
  const auto rewrite = PathRewrite::Compile(Prefix("/"), "", &regex);
  ASSERT_TRUE(rewrite.ok()) << rewrite.status();
  EXPECT_EQ(Applied(*rewrite, "/v1/v2"), "/version-1/version-2");
  EXPECT_EQ(Applied(*rewrite, "/other"), "/other");
}

TEST(PathRewrite, AlwaysGivesAPath) {
  config::v1::RegexRewrite regex;
  regex.set_pattern("^/gone");
  const auto rewrite = PathRewrite::Compile(Prefix("/"), "", &regex);
  ASSERT_TRUE(rewrite.ok()) << rewrite.status();
  EXPECT_EQ(Applied(*rewrite, "/gone"), "/");
  EXPECT_EQ(Applied(*rewrite, "/gonex"), "/x");
}

constexpr char kNotCanonical[] = "(rewritten, the path is not in canonical form)";

TEST(PathRewrite, NeverLeadsOutOfThePrefixThatItPuts) {
  EXPECT_EQ(Rewritten(Prefix("/api"), "/public", "/api../admin"), "/public../admin");
  EXPECT_EQ(Rewritten(Prefix("/api"), "/public", "/apix"), "/publicx");
  EXPECT_EQ(Rewritten(Prefix("/api"), "/public/", "/api../admin"), kNotCanonical);
  EXPECT_EQ(Rewritten(Prefix("/api"), "/", "/api../admin"), kNotCanonical);
  EXPECT_EQ(Rewritten(Prefix("/api"), "/", "/api./x"), kNotCanonical);
}

TEST(PathRewrite, NeverMakesUpWhatIsNoCanonicalPath) {
  const auto rewritten = [](const char* pattern, const char* substitution, const char* path) {
    config::v1::RegexRewrite regex;
    regex.set_pattern(pattern);
    regex.set_substitution(substitution);
    return Applied(*PathRewrite::Compile(Prefix("/"), "", &regex), path);
  };
  EXPECT_EQ(rewritten("x", "", "/public/.x./admin"), kNotCanonical);
  EXPECT_EQ(rewritten("^/api", "/public/", "/api/x"), kNotCanonical);
  EXPECT_EQ(rewritten("x", "%", "/x2F"), "(an escaped slash, backslash or NUL in the path)");
  EXPECT_EQ(rewritten("x", "?", "/x"), "(invalid character in the path)");
}

TEST(PathRewrite, LeavesTheStarOfOptionsAsItIs) {
  EXPECT_EQ(Rewritten(Prefix("/"), "/v2", "*"), "*");
}

TEST(PathRewrite, NormalisesItsPrefixOrSaysWhyItCannot) {
  EXPECT_EQ(Rewritten(Prefix("/api"), "/%7Eme//x/../y", "/api/z"), "/~me/y/z");
  const auto rewrite = PathRewrite::Compile(Prefix("/"), "/a b", nullptr);
  EXPECT_EQ(rewrite.status().message(), "prefix_rewrite: invalid character in the path");
}

TEST(PathRewrite, SaysWhatIsWrongWithAPattern) {
  config::v1::RegexRewrite regex;
  regex.set_pattern("(");
  const auto rewrite = PathRewrite::Compile(Prefix("/"), "", &regex);
  EXPECT_EQ(rewrite.status().message(), "regex_rewrite.pattern: missing ): (");
}

}  // namespace
}  // namespace pillion::sidecar
