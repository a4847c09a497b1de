#include "core/http/parser.h"

#include <algorithm>

#include "core/check.h"
#include "core/http/chars.h"
#include "core/http/field_lines.h"
#include "core/http/header_rules.h"
#include "core/http/start_line.h"
#include "core/http/target.h"

namespace pillion::http {
namespace {

using internal::CheckAuthority;
using internal::kMaxEmptyLines;
using internal::LineEnd;
using internal::ParseFieldLines;
using internal::ParseRequestLine;
using internal::ParseStatusLine;
using internal::ReadFraming;

// A head that is being parsed: the bytes that may belong to it, and how far it has been read.
struct Cursor {
  Cursor(std::string_view bytes, const HeadLimits& limits)
      : begin(bytes.data()),
        at(begin),
        end(begin + std::min(bytes.size(), limits.max_header_bytes)) {}

  const char* const begin;
  const char* at;
  const char* const end;
};

ParseResult Done(const Cursor& cursor) {
  ParseResult result;
  result.state = ParseResult::kDone;
  result.consumed = static_cast<size_t>(cursor.at - cursor.begin);
  return result;
}

ParseResult Failed(ParseError error) {
  ParseResult result;
  result.state = ParseResult::kError;
  result.error = error;
  return result;
}

// Host must be there and be valid even where the target overrides it: who looks at Host alone must
// not read another message than who looks at the target.
const char* ReadHost(RequestHead* head) {
  const size_t count = head->headers.Count(HeaderId::kHost);
  if (count > 1) return "more than one Host";
  if (count == 0 && head->version == Version::kHttp11) return "no Host";
  const std::string_view host = head->headers.Value(HeaderId::kHost);
  if (count == 1) {
    if (const char* const error = CheckAuthority(host)) return error;
  }
  if (head->authority.empty()) {
    head->authority = host;
  } else {
    head->headers.Set(HeaderId::kHost, head->authority);
  }
  return nullptr;
}

// Servers that hand headers on as CGI variables (RFC 3875 section 4.1.18) cannot tell
// content_length from content-length, nor x_forwarded_for from x-forwarded-for.
const char* RefuseAliases(const HeaderList& headers) {
  if (!headers.Has(HeaderId::kOther)) return nullptr;
  for (const Header& header : headers) {
    char name[32];
    if (header.id != HeaderId::kOther || header.name.size() > sizeof(name)) continue;
    if (header.name.find('_') == std::string_view::npos) continue;
    std::replace_copy(header.name.begin(), header.name.end(), name, '_', '-');
    if (LookupHeader({name, header.name.size()}) != HeaderId::kOther)
      return "a header name with '_' for '-'";
  }
  return nullptr;
}

ParseError ReadExpect(RequestHead* head) {
  head->expect_continue = false;
  if (!head->headers.Has(HeaderId::kExpect)) return {};
  if (head->version == Version::kHttp11) {
    for (const Header& header : head->headers) {
      if (header.id == HeaderId::kExpect && !EqualsIgnoreCase(header.value, "100-continue")) {
        return {417, "an expectation other than 100-continue"};
      }
    }
    head->expect_continue = head->body.has_body();
  }
  if (!head->expect_continue) head->headers.Remove(HeaderId::kExpect);
  return {};
}

// True if no protocol that Upgrade names is HTTP again, or TLS.
bool MayPassOn(const HeaderList& headers) {
  for (const Header& header : headers) {
    if (header.id != HeaderId::kUpgrade) continue;
    std::string_view rest = header.value;
    while (true) {
      const size_t comma = rest.find(',');
      const std::string_view element = TrimOws(rest.substr(0, comma));
      const std::string_view protocol = TrimOws(element.substr(0, element.find('/')));
      for (std::string_view refused : {"", "h2", "h2c", "http", "tls"}) {
        if (EqualsIgnoreCase(protocol, refused)) return false;
      }
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return true;
}

bool HasUpgrade(const HeaderList& headers) {
  return headers.Has(HeaderId::kUpgrade) && HasToken(headers, HeaderId::kConnection, "upgrade");
}

// Whether the connection can be used again. HTTP/1.0 is never kept.
bool IsKept(Version version, const HeaderList& headers) {
  return version == Version::kHttp11 &&
         !(headers.Has(HeaderId::kConnection) && HasToken(headers, HeaderId::kConnection, "close"));
}

// When hop-by-hop headers are removed, each header is compared with each element.
const char* RefuseLongConnection(const HeaderList& headers) {
  if (!headers.Has(HeaderId::kConnection)) return nullptr;
  size_t elements = 0;
  for (const Header& header : headers) {
    if (header.id != HeaderId::kConnection) continue;
    elements += 1 + static_cast<size_t>(std::count(header.value.begin(), header.value.end(), ','));
  }
  return elements > kMaxConnectionElements ? "too many elements in Connection" : nullptr;
}

const char* ReadRequestHeaders(RequestHead* head) {
  HeaderList& headers = head->headers;
  if (const char* const reason = RefuseAliases(headers)) return reason;
  if (const char* const reason = RefuseLongConnection(headers)) return reason;
  if (const char* const reason = ReadHost(head)) return reason;
  if (const char* const reason = ReadFraming(head->version, &headers, &head->body)) return reason;

  head->keep_alive = IsKept(head->version, headers);
  // With a body the switch could come in its middle; ignoring the wish is always allowed.
  head->upgrade = head->version == Version::kHttp11 && !head->body.has_body() &&
                  HasUpgrade(headers) && MayPassOn(headers);
  return nullptr;
}

// The line at the cursor, without its CRLF, which the cursor then is behind; null data if the line
// does not end, or is longer than a start line may be.
std::string_view TakeStartLine(const HeadLimits& limits, Cursor* cursor) {
  const char* const begin = cursor->at;
  const char* const end = LineEnd(begin, cursor->end);
  if (end == nullptr || static_cast<size_t>(end - begin) > limits.max_request_line) return {};
  cursor->at = end + 2;
  return {begin, static_cast<size_t>(end - begin)};
}

ParseResult ParseRequest(std::string_view bytes, const HeadLimits& limits, RequestHead* head) {
  Cursor cursor(bytes, limits);
  std::string_view line = TakeStartLine(limits, &cursor);
  for (size_t i = 0; i < kMaxEmptyLines && line.data() != nullptr && line.empty(); ++i) {
    line = TakeStartLine(limits, &cursor);
  }
  if (line.empty()) return {};
  ParseError error = ParseRequestLine(line, head);
  if (error.status != 0) return Failed(error);
  head->headers.Clear();
  cursor.at = ParseFieldLines(cursor.at, cursor.end, limits, &head->headers, &error);
  if (error.status != 0) return Failed(error);
  if (cursor.at == nullptr) return {};
  if (const char* const reason = ReadRequestHeaders(head)) return Failed({400, reason});
  error = ReadExpect(head);
  return error.status == 0 ? Done(cursor) : Failed(error);
}

// A response to `request_method` with this status has no body whatever its headers say.
bool NeverHasBody(int status, std::string_view request_method) {
  return request_method == "HEAD" || status < 200 || status == 204 || status == 304;
}

const char* ReadResponseBody(std::string_view request_method, ResponseHead* head) {
  HeaderList& headers = head->headers;
  BodyFraming framing;
  if (const char* const reason = ReadFraming(head->version, &headers, &framing)) return reason;
  head->keep_alive = IsKept(head->version, headers);
  if (!NeverHasBody(head->status, request_method)) {
    head->body = framing;
    if (framing.kind == BodyFraming::kNone) {
      head->body.kind = BodyFraming::kUntilClose;
      head->keep_alive = false;
    }
    return nullptr;
  }
  head->body = {};
  if (head->status < 200 || head->status == 204) {
    // The headers claim a body where there cannot be one: a sender so confused may well send it.
    if (framing.has_body()) head->keep_alive = false;
    headers.Remove(HeaderId::kContentLength);
    headers.Remove(HeaderId::kTransferEncoding);
  }
  return nullptr;
}

ParseResult ParseResponse(std::string_view bytes, const HeadLimits& limits,
                          std::string_view request_method, ResponseHead* head) {
  Cursor cursor(bytes, limits);
  const std::string_view line = TakeStartLine(limits, &cursor);
  if (line.data() == nullptr) return {};
  ParseError error = ParseStatusLine(line, head);
  if (error.status != 0) return Failed(error);
  head->headers.Clear();
  cursor.at = ParseFieldLines(cursor.at, cursor.end, limits, &head->headers, &error);
  if (error.status != 0) return Failed({502, error.reason});
  if (cursor.at == nullptr) return {};
  if (const char* const reason = RefuseLongConnection(head->headers)) return Failed({502, reason});
  if (const char* const reason = ReadResponseBody(request_method, head)) {
    return Failed({502, reason});
  }
  head->upgrade = head->status == 101 && HasUpgrade(head->headers);
  return Done(cursor);
}

// Nearly every head arrives whole and without a mistake: then `parse`, which takes no head that the
// scanner would not, is all there is to do. Otherwise the scanner says first what is wrong or
// missing, as it does when the head arrives in pieces.
template <typename Parse>
ParseResult ScanAndParse(HeadScanner* scanner, std::string_view bytes, const HeadLimits& limits,
                         Parse parse) {
  if (scanner->fresh()) {
    const ParseResult result = parse(bytes);
    if (result.state == ParseResult::kDone) return result;
  }
  const ParseResult scan = scanner->Feed(bytes, limits);
  if (scan.state != ParseResult::kDone) return scan;
  const ParseResult result = parse(bytes.substr(0, scan.consumed));
  if (result.state == ParseResult::kDone) scanner->Reset();
  return result;
}

}  // namespace

ParseResult ParseRequestHead(HeadScanner* scanner, std::string_view bytes, const HeadLimits& limits,
                             RequestHead* out) {
  PILLION_CHECK(scanner->kind() == HeadScanner::Kind::kRequest);
  return ScanAndParse(scanner, bytes, limits,
                      [&](std::string_view head) { return ParseRequest(head, limits, out); });
}

ParseResult ParseRequestHead(std::string_view bytes, const HeadLimits& limits, RequestHead* out) {
  HeadScanner scanner(HeadScanner::Kind::kRequest);
  return ParseRequestHead(&scanner, bytes, limits, out);
}

ParseResult ParseResponseHead(HeadScanner* scanner, std::string_view bytes,
                              const HeadLimits& limits, std::string_view request_method,
                              ResponseHead* out) {
  PILLION_CHECK(scanner->kind() == HeadScanner::Kind::kResponse);
  return ScanAndParse(scanner, bytes, limits, [&](std::string_view head) {
    return ParseResponse(head, limits, request_method, out);
  });
}

ParseResult ParseResponseHead(std::string_view bytes, const HeadLimits& limits,
                              std::string_view request_method, ResponseHead* out) {
  HeadScanner scanner(HeadScanner::Kind::kResponse);
  return ParseResponseHead(&scanner, bytes, limits, request_method, out);
}

}  // namespace pillion::http
