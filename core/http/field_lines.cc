#include "core/http/field_lines.h"

#include <limits>
#include <optional>

#include "core/http/chars.h"

namespace pillion::http::internal {
namespace {

const char* WhyNotAName(char at, bool empty) {
  if (empty && (at == ' ' || at == '\t')) return "folded header line";
  if (empty && at == ':') return "empty header name";
  if (at == '\r') return "header line without a colon";
  if (at == ' ' || at == '\t') return "white space in a header name or before its colon";
  return "invalid character in a header name";
}

// The number in `digits`, or nothing if it is not one or 2^63 or more.
std::optional<uint64_t> ParseLength(std::string_view digits) {
  if (digits.empty()) return std::nullopt;
  uint64_t value = 0;
  for (char c : digits) {
    if (!Is(c, kDigit)) return std::nullopt;
    const uint64_t digit = static_cast<uint64_t>(c - '0');
    if (value > (uint64_t{std::numeric_limits<int64_t>::max()} - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

std::string_view WithoutLeadingZeros(std::string_view digits) {
  while (digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
  return digits;
}

// Every element of every Content-Length must be the same number; the first one stands for all.
const char* ReadContentLength(HeaderList* headers, BodyFraming* body) {
  std::optional<uint64_t> length;
  std::string_view canonical;
  for (const Header& header : *headers) {
    if (header.id != HeaderId::kContentLength) continue;
    std::string_view rest = header.value;
    while (true) {
      const size_t comma = rest.find(',');
      const std::string_view element = TrimOws(rest.substr(0, comma));
      const std::optional<uint64_t> value = ParseLength(element);
      if (!value.has_value()) return "invalid Content-Length";
      if (length.has_value() && *length != *value) return "differing Content-Lengths";
      if (!length.has_value()) canonical = WithoutLeadingZeros(element);
      length = value;
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  headers->Set(HeaderId::kContentLength, canonical);
  *body = {BodyFraming::kLength, *length};
  return nullptr;
}

}  // namespace

ParseError ParseFieldLines(std::string_view lines, const HeadLimits& limits, HeaderList* headers) {
  const char* p = lines.data();
  const char* const end = p + lines.size();
  while (*p != '\r') {
    const char* const name = p;
    while (Is(*p, kTokenChar)) ++p;
    if (*p != ':' || p == name) return {400, WhyNotAName(*p, p == name)};
    const std::string_view name_text(name, static_cast<size_t>(p - name));

    const char* const value = ++p;
    p = FindControl(p, end);  // the CR
    if (headers->size() >= limits.max_headers) return {431, "too many header lines"};
    headers->Add(name_text, TrimOws({value, static_cast<size_t>(p - value)}));
    p += 2;
  }
  return {};
}

const char* ReadFraming(Version version, HeaderList* headers, BodyFraming* body) {
  *body = {};
  const bool has_length = headers->Has(HeaderId::kContentLength);
  if (headers->Has(HeaderId::kTransferEncoding)) {
    if (has_length) return "both Content-Length and Transfer-Encoding";
    if (version == Version::kHttp10) return "Transfer-Encoding in HTTP/1.0";
    if (headers->Count(HeaderId::kTransferEncoding) > 1 ||
        !EqualsIgnoreCase(headers->Value(HeaderId::kTransferEncoding), "chunked")) {
      return "a Transfer-Encoding other than chunked alone";
    }
    body->kind = BodyFraming::kChunked;
    return nullptr;
  }
  return has_length ? ReadContentLength(headers, body) : nullptr;
}

}  // namespace pillion::http::internal
