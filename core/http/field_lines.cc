#include "core/http/field_lines.h"

#include <charconv>
#include <optional>

#include "core/http/chars.h"

namespace pillion::http::internal {
namespace {

size_t Size(const char* begin, const char* end) { return static_cast<size_t>(end - begin); }

const char* WhyNotAName(const char* p, const char* end) {
  const char* const name = p;
  while (p != end && Is(*p, kTokenChar)) ++p;
  const char at = p == end ? '\r' : *p;
  const bool space = at == ' ' || at == '\t';
  if (p == name && space) return "folded header line";
  if (p == name && at == ':') return "empty header name";
  if (at == '\r') return "header line without a colon";
  if (space) return "white space in a header name or before its colon";
  return "invalid character in a header name";
}

// The number in `digits`, or nothing if it is not one or 2^63 or more.
std::optional<uint64_t> ParseLength(std::string_view digits) {
  const char* const end = digits.data() + digits.size();
  uint64_t value = 0;
  const auto [parsed, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc() || parsed != end || value >> 63 != 0) return std::nullopt;
  return value;
}

std::string_view WithoutLeadingZeros(std::string_view digits) {
  while (digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
  return digits;
}

// Every element of every Content-Length must be the same number; the first one stands for all.
const char* MakeContentLengthOne(HeaderList* headers, BodyFraming* body) {
  std::string_view canonical;
  for (const Header& header : *headers) {
    if (header.id != HeaderId::kContentLength) continue;
    std::string_view rest = header.value;
    while (true) {
      const size_t comma = rest.find(',');
      const std::string_view element = TrimOws(rest.substr(0, comma));
      const std::optional<uint64_t> length = ParseLength(element);
      if (!length.has_value()) return "invalid Content-Length";
      if (canonical.empty()) {
        canonical = WithoutLeadingZeros(element);
        *body = {BodyFraming::kLength, *length};
      } else if (*length != body->length) {
        return "differing Content-Lengths";
      }
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  headers->Set(HeaderId::kContentLength, canonical);
  return nullptr;
}

const char* ReadContentLength(HeaderList* headers, BodyFraming* body) {
  const std::string_view first = headers->Value(HeaderId::kContentLength);
  const std::optional<uint64_t> length = ParseLength(first);
  const bool is_canonical = length.has_value() && (first[0] != '0' || first.size() == 1);
  // Nearly always there is nothing to change.
  if (!is_canonical || headers->Count(HeaderId::kContentLength) > 1) {
    return MakeContentLengthOne(headers, body);
  }
  *body = {BodyFraming::kLength, *length};
  return nullptr;
}

}  // namespace

const char* ParseFieldLines(const char* p, const char* end, const HeadLimits& limits,
                            HeaderList* headers, ParseError* error) {
  while (true) {
    if (end - p >= 2 && p[0] == '\r' && p[1] == '\n') return p + 2;
    const char* const colon = FindNear(':', p, end);
    const std::string_view name(p, Size(p, colon));
    // What is equal to a known name has none but token characters.
    const HeaderId id = LookupHeader(name);
    if (colon == end || (id == HeaderId::kOther && !IsToken(name))) {
      *error = {400, WhyNotAName(p, end)};
      return nullptr;
    }
    const bool one_space = end - colon > 1 && colon[1] == ' ';
    const char* const begin = colon + 1 + one_space;
    const char* const line_end = LineEnd(begin, end);
    if (line_end == nullptr) return nullptr;
    if (headers->size() >= limits.max_headers) {
      *error = {431, "too many header lines"};
      return nullptr;
    }
    const std::string_view rest(begin, Size(begin, line_end));
    const std::string_view value = TrimOws(rest);
    headers->Add(id, name, value, one_space && value.size() == rest.size());
    p = line_end + 2;
  }
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
