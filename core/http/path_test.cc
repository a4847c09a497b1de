#include "core/http/path.h"

#include <string>
#include <string_view>

#include "gtest/gtest.h"

namespace pillion::http {
namespace {

TEST(Path, CanonicalOnesAreReturnedAsTheyAre) {
  for (std::string_view path :
       {"/", "*", "/a", "/a/", "/a/b.c", "/.well-known/x", "/..a", "/.../b", "/a.", "/a/..b/.c",
        "/a%20b", "/%C3%A4", "/%25", "/%252F", "/a;b=c/d", "/a:b@c!$&'()*+,=", "/[x]{y}|^`",
        "/.pillion/operations/01JD3W", "/%3B"}) {
    std::string scratch = "untouched";
    const NormalizedPath result = NormalizePath(path, &scratch);
    EXPECT_EQ(result.error, nullptr) << path;
    EXPECT_EQ(result.path.data(), path.data()) << path;
    EXPECT_EQ(result.path, path);
    EXPECT_EQ(scratch, "untouched");
  }
}

struct Case {
  std::string_view path;
  std::string_view expected;
};

constexpr Case kCases[] = {
    {"//", "/"},
    {"///", "/"},
    {"//a", "/a"},
    {"/a//b", "/a/b"},
    {"/a///b//", "/a/b/"},
    {"/.", "/"},
    {"/./", "/"},
    {"/..", "/"},
    {"/../", "/"},
    {"/../..", "/"},
    {"/../../a", "/a"},
    {"/a/.", "/a/"},
    {"/a/./b", "/a/b"},
    {"/a/..", "/"},
    {"/a/../b", "/b"},
    {"/a/b/..", "/a/"},
    {"/a/b/../", "/a/"},
    {"/a/b/../..", "/"},
    {"/a/b/../../../c", "/c"},
    {"/a//../b", "/b"},
    {"/a/b/c/./../../g", "/a/g"},
    {"/mid/content=5/../6", "/mid/6"},
    {"/%61dmin", "/admin"},
    {"/%41%5a%7E%2d%2E%5F%30", "/AZ~-._0"},
    {"/%2e", "/"},
    {"/%2e%2E/a", "/a"},
    {"/a/%2e%2e/b", "/b"},
    {"/a/.%2e/b", "/b"},
    {"/a/%2e/b", "/a/b"},
    {"/%2e%2e%2e", "/..."},
    {"/%c3%a4", "/%C3%A4"},
    {"/%3f%23%20", "/%3F%23%20"},
    {"/%252e%252e/a", "/%252e%252e/a"},
    {"/%2561", "/%2561"},
    {"//%2561", "/%2561"},
    {"//evil.example/a", "/evil.example/a"},
    {"/x/../admin", "/admin"},
    {"/a/;b", "/a/;b"},
    {"/a/b;c/..", "/a/"},
    {"/..a/../..b", "/..b"},
};

TEST(Path, OthersAreMadeCanonicalOnce) {
  for (const Case& c : kCases) {
    std::string scratch;
    const NormalizedPath result = NormalizePath(c.path, &scratch);
    ASSERT_EQ(result.error, nullptr) << c.path;
    EXPECT_EQ(result.path, c.expected) << c.path;
    std::string again_scratch;
    const NormalizedPath again = NormalizePath(result.path, &again_scratch);
    EXPECT_EQ(again.path.data(), result.path.data())
        << c.path << " is not canonical after one pass";
  }
}

constexpr std::string_view kRefused[] = {"",
                                         "a",
                                         "a/b",
                                         "?",
                                         "%2F",
                                         "**",
                                         "/%",
                                         "/%2",
                                         "/%2x",
                                         "/%x2",
                                         "/%%41",
                                         "/%u0041",
                                         "/a%",
                                         "/a%4",
                                         "/%2F",
                                         "/%2f",
                                         "/a%2Fb",
                                         "/..%2fadmin",
                                         "/%2e%2e%2fadmin",
                                         "/%5C",
                                         "/%5c",
                                         "/..%5cadmin",
                                         "/\\",
                                         "/a\\..\\b",
                                         "/%00",
                                         "/a%00.png",
                                         "/a b",
                                         "/a?b",
                                         "/a#b",
                                         "/\"",
                                         "/<a>",
                                         "/\xc3\xa4",
                                         "/\x7f",
                                         {"/a\0b", 4},
                                         "/a\nb",
                                         "/..;/admin",
                                         "/a/..;x=y/admin",
                                         "/.;/a",
                                         "/a/..;",
                                         "/%2e%2e;/admin",
                                         "/a/.;x"};

TEST(Path, DangerousOnesAreRefused) {
  for (std::string_view path : kRefused) {
    std::string scratch;
    const NormalizedPath result = NormalizePath(path, &scratch);
    EXPECT_NE(result.error, nullptr) << path;
    EXPECT_EQ(result.path, "") << path;
  }
}

}  // namespace
}  // namespace pillion::http
