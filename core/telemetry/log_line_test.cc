#include "core/telemetry/log_line.h"

#include <string>
#include <string_view>

#include "gtest/gtest.h"

namespace pillion::telemetry {
namespace {

std::string Escaped(std::string_view in, Escaping escaping) {
  std::string out;
  AppendEscaped(in, escaping, out);
  return out;
}

struct Case {
  std::string_view in, text, quoted, json, json_ascii;
};

TEST(EscapingOfLogLines, IsAsTheTableSays) {
  using namespace std::string_view_literals;
  const Case cases[] = {
      {"", "", "", "", ""},
      {"plain ~", "plain ~", "plain ~", "plain ~", "plain ~"},
      {"a\"b\\c", "a\"b\\c", "a\\\"b\\\\c", "a\\\"b\\\\c", "a\\\"b\\\\c"},
      {"\r\n\t", "\\r\\n\\t", "\\r\\n\\t", "\\r\\n\\t", "\\r\\n\\t"},
      {"\0\x1b\x7f"sv, "\\x00\\x1b\\x7f", "\\x00\\x1b\\x7f", "\\u0000\\u001b\\u007f",
       "\\u0000\\u001b\\u007f"},
      {"\xc3\xa9", "\xc3\xa9", "\\xc3\\xa9", "\xc3\xa9", "\\u00e9"},
      {"\xe2\x82\xac", "\xe2\x82\xac", "\\xe2\\x82\\xac", "\xe2\x82\xac", "\\u20ac"},
      {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "\\xf0\\x9f\\x98\\x80", "\xf0\x9f\x98\x80",
       "\\ud83d\\ude00"},
      {"\xc2\x85", "\\xc2\\x85", "\\xc2\\x85", "\\u0085", "\\u0085"},  // C1 control
      {"\xe2\x80\xa8", "\\xe2\\x80\\xa8", "\\xe2\\x80\\xa8", "\\u2028",
       "\\u2028"},                                            // line separator
      {"\xff", "\\xff", "\\xff", "\\ufffd", "\\ufffd"},       // never in UTF-8
      {"\x80", "\\x80", "\\x80", "\\ufffd", "\\ufffd"},       // without a lead
      {"\xc3", "\\xc3", "\\xc3", "\\ufffd", "\\ufffd"},       // cut short
      {"\xc3(", "\\xc3(", "\\xc3(", "\\ufffd(", "\\ufffd("},  // wrong follower
      {"\xc0\xaf", "\\xc0\\xaf", "\\xc0\\xaf", "\\ufffd\\ufffd", "\\ufffd\\ufffd"},  // overlong '/'
      {"\xe0\x80\x80", "\\xe0\\x80\\x80", "\\xe0\\x80\\x80", "\\ufffd\\ufffd\\ufffd",
       "\\ufffd\\ufffd\\ufffd"},
      {"\xed\xa0\x80", "\\xed\\xa0\\x80", "\\xed\\xa0\\x80", "\\ufffd\\ufffd\\ufffd",
       "\\ufffd\\ufffd\\ufffd"},
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\\xf4\\x90\\x80\\x80",
       "\\ufffd\\ufffd\\ufffd\\ufffd", "\\ufffd\\ufffd\\ufffd\\ufffd"},  // above U+10FFFF
  };
  for (const Case& c : cases) {
    EXPECT_EQ(Escaped(c.in, Escaping::kText), c.text);
    EXPECT_EQ(Escaped(c.in, Escaping::kQuotedAscii), c.quoted);
    EXPECT_EQ(Escaped(c.in, Escaping::kJson), c.json);
    EXPECT_EQ(Escaped(c.in, Escaping::kJsonAscii), c.json_ascii);
  }
}

TEST(EscapingOfLogLines, LeavesNoByteThatCouldEndALineOrAField) {
  for (int high = 0; high < 256; ++high) {
    for (int low = 0; low < 256; ++low) {
      const std::string in = {static_cast<char>(high), static_cast<char>(low)};
      for (Escaping escaping : {Escaping::kQuotedAscii, Escaping::kJsonAscii}) {
        const std::string out = Escaped(in, escaping);
        for (size_t i = 0; i < out.size(); ++i) {
          ASSERT_TRUE(out[i] >= 0x20 && out[i] < 0x7f) << high << ' ' << low;
          if (out[i] == '\\') {
            ++i;  // what a backslash stands before is part of the escape
            ASSERT_LT(i, out.size());
          } else {
            ASSERT_NE(out[i], '"') << high << ' ' << low;
          }
        }
      }
    }
  }
}

TEST(ToValidUtf8, ReplacesOnlyWhatIsNotUtf8) {
  EXPECT_EQ(ToValidUtf8("na\xc3\xafve \xff!\n"), "na\xc3\xafve \xef\xbf\xbd!\n");
}

TEST(TimestampFormatter, WritesUtcWithMilliseconds) {
  TimestampFormatter formatter;
  EXPECT_EQ(formatter.Format(1772366400'123'999), "2026-03-01T12:00:00.123Z");
  EXPECT_EQ(formatter.Format(1772366400'999'000), "2026-03-01T12:00:00.999Z");
  EXPECT_EQ(formatter.Format(1772366401'000'000), "2026-03-01T12:00:01.000Z");
  EXPECT_EQ(formatter.Format(1772366400'001'000), "2026-03-01T12:00:00.001Z");
  EXPECT_EQ(formatter.Format(0), "1970-01-01T00:00:00.000Z");
}

TEST(TimestampFormatter, KeepsItsShapeForTimesOutOfRange) {
  TimestampFormatter formatter;
  EXPECT_EQ(formatter.Format(INT64_MAX), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(formatter.Format(INT64_MIN), "1970-01-01T00:00:00.000Z");
}

}  // namespace
}  // namespace pillion::telemetry
