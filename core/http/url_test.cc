#include "core/http/url.h"

#include <gtest/gtest.h>

#include <string>

namespace pillion::http {
namespace {

std::string Read(std::string_view text) {
  HttpUrl url;
  if (const char* const error = ParseHttpUrl(text, &url)) return std::string("error: ") + error;
  return url.host + " " + std::to_string(url.port) + " " + url.path_and_query();
}

TEST(HttpUrl, IsReadIntoItsCanonicalParts) {
  EXPECT_EQ(Read("http://hooks/done"), "hooks 80 /done");
  EXPECT_EQ(Read("HTTP://Hooks.Example:8080/done?id=7"), "hooks.example 8080 /done?id=7");
  EXPECT_EQ(Read("http://hooks"), "hooks 80 /");
  EXPECT_EQ(Read("http://hooks?x"), "hooks 80 /?x");
  EXPECT_EQ(Read("http://hooks:80/a/../b//c/%7e?"), "hooks 80 /b/c/~?");
  EXPECT_EQ(Read("http://[::1]:81/a"), "[::1] 81 /a");
  EXPECT_EQ(Read("http://[FE80::A]"), "[fe80::a] 80 /");
}

TEST(HttpUrl, IsRefusedWhereReadersDisagreeAboutIt) {
  for (const char* text : {"",
                           "/done",
                           "*",
                           "hooks/done",
                           "hooks:80",
                           "https://hooks/done",
                           "ftp://hooks/",
                           "http:",
                           "http://",
                           "http:///done",
                           "http://me@hooks/",
                           "http://hooks@evil/",
                           "http://hooks:me@evil/",
                           "http://hooks:0/",
                           "http://hooks:65536/",
                           "http://hooks:/",
                           "http://hooks\\@evil/",
                           "http://hooks/a#b",
                           "http://hooks#@evil/",
                           "http://hooks/%2e%2e%2fadmin",
                           "http://hooks/a b",
                           "http://hooks/a\tb",
                           "http://hooks/\r\nx: y",
                           "http://hooks/a\\b",
                           "http://hooks/%0",
                           "http://hooks/?a b",
                           " http://hooks/",
                           "http://hooks/ ",
                           "http://ho oks/",
                           "http://[::1/",
                           "http://[::1]evil/",
                           "http://%68ooks/",
                           "http://ho|oks/"}) {
    EXPECT_EQ(Read(text).substr(0, 7), "error: ") << text << " -> " << Read(text);
  }
}

TEST(HttpUrl, AnAuthorityAloneHasThePortOfTheScheme) {
  HttpUrl url;
  EXPECT_EQ(ParseHttpAuthority("Hooks", &url), nullptr);
  EXPECT_EQ(url.host, "hooks");
  EXPECT_EQ(url.port, 80);
  EXPECT_EQ(ParseHttpAuthority("[::1]:8080", &url), nullptr);
  EXPECT_EQ(url.host, "[::1]");
  EXPECT_EQ(url.port, 8080);
  EXPECT_NE(ParseHttpAuthority("me@hooks", &url), nullptr);
}

}  // namespace
}  // namespace pillion::http
