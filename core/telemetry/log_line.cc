#include "core/telemetry/log_line.h"

#include <algorithm>
#include <cassert>
#include <ctime>

namespace pillion::telemetry {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";
constexpr uint32_t kReplacement = 0xfffd;

constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (int c = 0x20; c < 0x7f; ++c) plain[static_cast<size_t>(c)] = c != '"' && c != '\\';
  return plain;
}();

struct Character {
  uint32_t code_point;
  size_t size;  // 0 if the bytes are not UTF-8
};

// RFC 3629, section 4: no overlong forms, no surrogates, nothing above U+10FFFF.
Character DecodeUtf8(std::string_view in) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(in[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || in.size() < size) return {0, 0};
  uint32_t code_point = lead & (0xffu >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {0, 0};
    code_point = code_point << 6 | (byte(i) & 0x3fu);
  }
  const bool overlong = (size == 3 && code_point < 0x800) || (size == 4 && code_point < 0x10000);
  const bool surrogate = code_point >= 0xd800 && code_point < 0xe000;
  if (overlong || surrogate || code_point > 0x10ffff) return {0, 0};
  return {code_point, size};
}

void Append(EscapedCharacter& out, std::string_view text) {
  std::copy(text.begin(), text.end(), out.bytes.begin() + out.size);
  out.size += text.size();
}

void AppendByteEscape(EscapedCharacter& out, uint8_t byte) {
  const char text[] = {'\\', 'x', kHexDigits[byte >> 4], kHexDigits[byte & 15]};
  Append(out, {text, sizeof text});
}

void AppendUtf16Escape(EscapedCharacter& out, uint32_t unit) {
  const char text[] = {'\\',
                       'u',
                       kHexDigits[unit >> 12],
                       kHexDigits[unit >> 8 & 15],
                       kHexDigits[unit >> 4 & 15],
                       kHexDigits[unit & 15]};
  Append(out, {text, sizeof text});
}

void AppendUnicodeEscape(EscapedCharacter& out, uint32_t code_point) {
  if (code_point < 0x10000) return AppendUtf16Escape(out, code_point);
  AppendUtf16Escape(out, 0xd800 + ((code_point - 0x10000) >> 10));
  AppendUtf16Escape(out, 0xdc00 + ((code_point - 0x10000) & 0x3ff));
}

// The short escapes that text and JSON share; empty for other characters.
std::string_view ShortEscape(uint32_t c) {
  switch (c) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    default:
      return {};
  }
}

// C1 controls and the two separators included: some terminals and log readers take them for line
// ends or commands.
bool IsControl(uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
}

}  // namespace

size_t PlainPrefix(std::string_view in) {
  size_t size = 0;
  while (size < in.size() && kPlain[static_cast<uint8_t>(in[size])]) ++size;
  return size;
}

EscapedCharacter EscapeFirst(std::string_view in, Escaping escaping) {
  assert(!in.empty());
  const Character c = DecodeUtf8(in);
  const bool valid = c.size != 0;
  const bool json = escaping == Escaping::kJson || escaping == Escaping::kJsonAscii;
  const bool ascii_only = escaping == Escaping::kQuotedAscii || escaping == Escaping::kJsonAscii;
  EscapedCharacter out{.consumed = valid ? c.size : 1, .size = 0, .bytes = {}};
  const std::string_view original = in.substr(0, out.consumed);

  const bool quote_or_backslash = valid && (c.code_point == '"' || c.code_point == '\\');
  if (valid && !(quote_or_backslash && escaping == Escaping::kText)) {
    if (std::string_view text = ShortEscape(c.code_point); !text.empty()) {
      Append(out, text);
      return out;
    }
  }
  if (valid && !IsControl(c.code_point) && (c.code_point < 0x80 || !ascii_only)) {
    Append(out, original);
  } else if (json) {
    AppendUnicodeEscape(out, valid ? c.code_point : kReplacement);
  } else {
    out.consumed = 1;  // byte by byte: the rest of a longer character follows in the next calls
    AppendByteEscape(out, static_cast<uint8_t>(in[0]));
  }
  return out;
}

void AppendEscaped(std::string_view in, Escaping escaping, std::string& out) {
  while (!in.empty()) {
    const size_t plain = PlainPrefix(in);
    out.append(in.substr(0, plain));
    in.remove_prefix(plain);
    if (in.empty()) return;
    const EscapedCharacter c = EscapeFirst(in, escaping);
    out.append(c.view());
    in.remove_prefix(c.consumed);
  }
}

std::string ToValidUtf8(std::string_view in) {
  std::string out;
  while (!in.empty()) {
    const Character c = DecodeUtf8(in);
    out.append(c.size != 0 ? in.substr(0, c.size) : "\xef\xbf\xbd");
    in.remove_prefix(std::max<size_t>(c.size, 1));
  }
  return out;
}

std::string_view TimestampFormatter::Format(int64_t unix_micros) {
  constexpr int64_t kLastSecondOf9999 = 253402300799;
  const int64_t micros =
      std::clamp<int64_t>(unix_micros, 0, kLastSecondOf9999 * 1'000'000 + 999'999);
  const int64_t second = micros / 1'000'000;
  const auto put = [&](size_t at, int digits, int64_t value) {
    for (int i = digits - 1; i >= 0; --i, value /= 10) {
      text_[at + static_cast<size_t>(i)] = static_cast<char>('0' + value % 10);
    }
  };
  if (second != second_) {
    const std::time_t time = second;
    std::tm utc{};
    gmtime_r(&time, &utc);
    constexpr std::string_view kPattern = "0000-00-00T00:00:00.000Z";
    std::copy(kPattern.begin(), kPattern.end(), text_.begin());
    put(0, 4, utc.tm_year + 1900);
    put(5, 2, utc.tm_mon + 1);
    put(8, 2, utc.tm_mday);
    put(11, 2, utc.tm_hour);
    put(14, 2, utc.tm_min);
    put(17, 2, utc.tm_sec);
    second_ = second;
  }
  put(20, 3, micros % 1'000'000 / 1000);
  return {text_.data(), text_.size()};
}

}  // namespace pillion::telemetry
