#include "core/http/parser.h"

#include <algorithm>

#include "core/check.h"
#include "core/http/chars.h"
#include "core/http/field_lines.h"
#include "core/http/header_rules.h"
#include "core/http/target.h"

namespace pillion::http {
namespace {

using internal::CheckAuthority;
using internal::ParseFieldLines;
using internal::ParseTarget;
using internal::ReadFraming;

ParseError BadRequest(const char* reason) { return {400, reason}; }

Version VersionOf(char minor) { return minor == '0' ? Version::kHttp10 : Version::kHttp11; }

// REQUIRES: the scanner has accepted `line`: it ends with " HTTP/1.x".
ParseError ParseRequestLine(std::string_view line, RequestHead* head) {
  head->version = VersionOf(line.back());
  line.remove_suffix(9);
  const size_t space = line.find(' ');
  head->method = line.substr(0, space);
  if (!IsToken(head->method)) return BadRequest("invalid method");
  if (head->method == "CONNECT") return {501, "CONNECT is not supported"};
  if (space == std::string_view::npos) return BadRequest("no request target");
  head->target = line.substr(space + 1);
  if (const char* const error = ParseTarget(head)) return BadRequest(error);
  return {};
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

ParseError ParseRequest(std::string_view bytes, const HeadScanner& scanner,
                        const HeadLimits& limits, RequestHead* head) {
  head->headers.Clear();
  const size_t begin = scanner.start_line_begin();
  const size_t end = scanner.start_line_end();
  ParseError error = ParseRequestLine(bytes.substr(begin, end - begin), head);
  if (error.status != 0) return error;
  error = ParseFieldLines(bytes.substr(end + 2), limits, &head->headers);
  if (error.status != 0) return error;
  if (const char* const reason = RefuseAliases(head->headers)) return BadRequest(reason);
  if (const char* const reason = RefuseLongConnection(head->headers)) return BadRequest(reason);
  if (const char* const reason = ReadHost(head)) return BadRequest(reason);
  if (const char* const reason = ReadFraming(head->version, &head->headers, &head->body))
    return BadRequest(reason);

  const bool http11 = head->version == Version::kHttp11;
  head->keep_alive = http11 && !HasToken(head->headers, HeaderId::kConnection, "close");
  // With a body the switch could come in its middle; ignoring the wish is always allowed.
  head->upgrade =
      http11 && !head->body.has_body() && HasUpgrade(head->headers) && MayPassOn(head->headers);
  return ReadExpect(head);
}

// A response to `request_method` with this status has no body whatever its headers say.
bool NeverHasBody(int status, std::string_view request_method) {
  return request_method == "HEAD" || status < 200 || status == 204 || status == 304;
}

const char* ReadResponseBody(std::string_view request_method, ResponseHead* head) {
  HeaderList& headers = head->headers;
  BodyFraming framing;
  if (const char* const reason = ReadFraming(head->version, &headers, &framing)) return reason;
  head->keep_alive =
      head->version == Version::kHttp11 && !HasToken(headers, HeaderId::kConnection, "close");
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

ParseError ParseResponse(std::string_view bytes, const HeadScanner& scanner,
                         const HeadLimits& limits, std::string_view request_method,
                         ResponseHead* head) {
  head->headers.Clear();
  const std::string_view line = bytes.substr(0, scanner.start_line_end());
  head->version = VersionOf(line[7]);
  head->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  head->reason = line.size() > 13 ? line.substr(13) : std::string_view();

  const ParseError error = ParseFieldLines(bytes.substr(line.size() + 2), limits, &head->headers);
  if (error.status != 0) return {502, error.reason};
  if (const char* const reason = RefuseLongConnection(head->headers)) return {502, reason};
  if (const char* const reason = ReadResponseBody(request_method, head)) return {502, reason};
  head->upgrade = head->status == 101 && HasUpgrade(head->headers);
  return {};
}

ParseResult Failed(ParseError error) {
  ParseResult result;
  result.state = ParseResult::kError;
  result.error = error;
  return result;
}

}  // namespace

ParseResult ParseRequestHead(HeadScanner* scanner, std::string_view bytes, const HeadLimits& limits,
                             RequestHead* out) {
  PILLION_CHECK(scanner->kind() == HeadScanner::Kind::kRequest);
  const ParseResult scan = scanner->Feed(bytes, limits);
  if (scan.state != ParseResult::kDone) return scan;
  const ParseError error = ParseRequest(bytes.substr(0, scan.consumed), *scanner, limits, out);
  if (error.status != 0) return Failed(error);
  scanner->Reset();
  return scan;
}

ParseResult ParseRequestHead(std::string_view bytes, const HeadLimits& limits, RequestHead* out) {
  HeadScanner scanner(HeadScanner::Kind::kRequest);
  return ParseRequestHead(&scanner, bytes, limits, out);
}

ParseResult ParseResponseHead(HeadScanner* scanner, std::string_view bytes,
                              const HeadLimits& limits, std::string_view request_method,
                              ResponseHead* out) {
  PILLION_CHECK(scanner->kind() == HeadScanner::Kind::kResponse);
  const ParseResult scan = scanner->Feed(bytes, limits);
  if (scan.state != ParseResult::kDone) return scan;
  const ParseError error =
      ParseResponse(bytes.substr(0, scan.consumed), *scanner, limits, request_method, out);
  if (error.status != 0) return Failed(error);
  scanner->Reset();
  return scan;
}

ParseResult ParseResponseHead(std::string_view bytes, const HeadLimits& limits,
                              std::string_view request_method, ResponseHead* out) {
  HeadScanner scanner(HeadScanner::Kind::kResponse);
  return ParseResponseHead(&scanner, bytes, limits, request_method, out);
}

}  // namespace pillion::http
