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

std::string Rewritten(const config::v1::RouteMatch& match, const char* prefix_rewrite,
                      const char* path) {
  const auto rewrite = PathRewrite::Compile(match, prefix_rewrite, nullptr);
  EXPECT_TRUE(rewrite.ok()) << rewrite.status();
  std::string scratch;
  return std::string(rewrite->Apply(path, &scratch));
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
  EXPECT_EQ(rewrite->Apply(path, &scratch).data(), path.data()) << "copied for nothing";
}

TEST(PathRewrite, ReplacesEveryMatchOfAPattern) {
  config::v1::RegexRewrite regex;
  regex.set_pattern("/v([0-9])");
  regex.set_substitution("/version-\\1");
  const auto rewrite = PathRewrite::Compile(Prefix("/"), "", &regex);
  ASSERT_TRUE(rewrite.ok()) << rewrite.status();
  std::string scratch;
  EXPECT_EQ(rewrite->Apply("/v1/v2", &scratch), "/version-1/version-2");
  EXPECT_EQ(rewrite->Apply("/other", &scratch), "/other");
}

TEST(PathRewrite, AlwaysGivesAPath) {
  config::v1::RegexRewrite regex;
  regex.set_pattern("^/gone");
  const auto rewrite = PathRewrite::Compile(Prefix("/"), "", &regex);
  ASSERT_TRUE(rewrite.ok()) << rewrite.status();
  std::string scratch;
  EXPECT_EQ(rewrite->Apply("/gone", &scratch), "/");
  EXPECT_EQ(rewrite->Apply("/gonex", &scratch), "/x");
}

TEST(PathRewrite, SaysWhatIsWrongWithAPattern) {
  config::v1::RegexRewrite regex;
  regex.set_pattern("(");
  const auto rewrite = PathRewrite::Compile(Prefix("/"), "", &regex);
  EXPECT_EQ(rewrite.status().message(), "regex_rewrite.pattern: missing ): (");
}

}  // namespace
}  // namespace pillion::sidecar
