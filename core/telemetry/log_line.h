// What the lines of both logs are made of: time stamps, and text of foreign origin made harmless.
#ifndef PILLION_CORE_TELEMETRY_LOG_LINE_H_
#define PILLION_CORE_TELEMETRY_LOG_LINE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pillion::telemetry {

enum class Escaping {
  kText,  // for people: control characters and bytes that are not UTF-8 as \xNN (\n, \r and \t as
          // such)
  kQuotedAscii,  // between double quotes: as kText, also " and \ behind a \, and every byte that is
                 // not ASCII as \xNN
  kJson,         // in a JSON string (RFC 8259, section 7); bytes that are not UTF-8 become U+FFFD
  kJsonAscii,    // as kJson, also every character that is not ASCII as \uNNNN
};

// How many bytes at the start of `in` stand for themselves in every escaping.
size_t PlainPrefix(std::string_view in);

// The first character of `in`, escaped if `escaping` demands it. REQUIRES: `in` is not empty.
struct EscapedCharacter {
  size_t consumed;             // bytes of `in`
  size_t size;                 // bytes of `bytes`
  std::array<char, 12> bytes;  // a UTF-16 surrogate pair takes all of it

  std::string_view view() const { return {bytes.data(), size}; }
};
EscapedCharacter EscapeFirst(std::string_view in, Escaping escaping);

// Appends the whole of `in`.
void AppendEscaped(std::string_view in, Escaping escaping, std::string& out);

// `in` with every byte that is not UTF-8 replaced by U+FFFD.
std::string ToValidUtf8(std::string_view in);

// Formats times as RFC 3339 in UTC with milliseconds, "2026-03-01T12:00:00.123Z". Remembers the
// second, so that the calendar is consulted once a second only. Threads: one at a time.
class TimestampFormatter {
 public:
  // Valid until the next call. Times outside the years 1970 to 9999 appear as the nearest of these.
  std::string_view Format(int64_t unix_micros);

 private:
  int64_t second_ = -1;
  std::array<char, 24> text_{};
};

}  // namespace pillion::telemetry

#endif  // PILLION_CORE_TELEMETRY_LOG_LINE_H_
