// Parsing of HTTP/1.1 request and response heads (RFC 9112), strict where it protects.
//
// What is refused, and why: anything that two implementations might frame or route differently. See
// malformed_requests.h for the list by example. What is deliberately accepted:
//   - up to two empty lines before a request line (RFC 9112 section 2.2);
//   - several Content-Length values that are all the same number, in one line or more: they are
//   made one
//     (RFC 9110 section 8.6); leading zeros are dropped;
//   - absolute-form targets with scheme http: their authority replaces the value of Host (RFC 9112
//   section
//     3.2.2), which must be present in HTTP/1.1 and valid all the same;
//   - bytes 0x80 to 0xff in header values and reason phrases (obs-text);
//   - characters that browsers send unescaped in a target: [ ] { } | ^ ` and, in a query,
//   backslash;
//   - a status line without the space before an empty reason phrase.
//
// Refused though RFC 9112 does not ask for it: in requests, a known header's name written with '_'
// for '-', which servers of the CGI family take for the header itself; a Connection of more than
// kMaxConnectionElements elements, empty ones included, in all its lines.
//
// What the parser changes in the headers, so that what is sent on says one thing only: repeated or
// padded Content-Length values, Host under an absolute-form target, an Expect that does not apply
// (HTTP/1.0, or no body to come; it is removed), and a Content-Length on 1xx and 204 (removed, RFC
// 9110 section 8.6).
//
// An Upgrade to h2c, HTTP or TLS is ignored (RFC 9110 section 7.8 allows it): what follows a 101 of
// those is HTTP again, and it would pass unseen. So is one in a request with a body.
//
// Nothing here allocates for up to 32 headers. Pure functions but for HeadScanner, which belongs to
// one connection.
#ifndef PILLION_CORE_HTTP_PARSER_H_
#define PILLION_CORE_HTTP_PARSER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/http/head.h"

namespace pillion::http {

inline constexpr size_t kMaxConnectionElements = 32;

struct HeadLimits {
  size_t max_header_bytes =
      64 * 1024;  // of the whole head, start line and ending included; beyond: 431
  size_t max_request_line = 16 * 1024;  // without its CRLF; beyond: 414. Also of a status line
  size_t max_headers = 128;             // field lines; beyond: 431
};

// Why a head or a body cannot be taken.
struct ParseError {
  int status =
      0;  // what to answer: 400, 414, 417, 431, 501 or 505 for a request; 502 for a response
  const char* reason = "";  // one line for a person; static storage
};

struct ParseResult {
  enum State : uint8_t {
    kNeedMore,  // nothing wrong so far; call again with more bytes
    kDone,
    kError,  // answer error.status if it is a request, and close
  };
  State state = kNeedMore;
  size_t consumed =
      0;  // kDone: length of the head, skipped empty lines included; the body starts there
  ParseError error;  // kError
};

// Finds the end of a head while its bytes trickle in, looking at each byte once however they are
// cut. Refuses early, without waiting for the end: control characters, CR or LF alone, a start line
// that is not HTTP/1.x, and heads beyond the limits.
class HeadScanner {
 public:
  enum class Kind : uint8_t { kRequest, kResponse };
  explicit HeadScanner(Kind kind = Kind::kRequest) : kind_(kind) {}

  // `bytes` is everything received since the last Reset() (it may have moved in memory since the
  // last call, and may go on after the head). Once the result is kDone or kError, Reset() before
  // the next head.
  ParseResult Feed(std::string_view bytes, const HeadLimits& limits);
  void Reset() { *this = HeadScanner(kind_); }

  Kind kind() const { return kind_; }
  // True if no byte has been looked at since the last Reset().
  bool fresh() const { return position_ == 0; }

 private:
  size_t Window(size_t available, const HeadLimits& limits) const;
  ParseResult FinishLine(std::string_view bytes);
  ParseResult Fail(int status, const char* reason) const;
  ParseResult FailAt(char control) const;

  Kind kind_;
  bool start_line_done_ = false;
  uint8_t empty_lines_ = 0;  // skipped before the start line
  size_t position_ = 0;      // bytes before this have been looked at
  size_t line_begin_ = 0;
};

// Parses the request head at the start of `bytes`, which must outlive *out: its views point into
// them. kNeedMore if the head is not complete; *out is specified only for kDone.
ParseResult ParseRequestHead(std::string_view bytes, const HeadLimits& limits, RequestHead* out);

// The same while bytes trickle in: `scanner` remembers how far it looked, so that the total work is
// linear. Gives exactly the result of the whole bytes at once. The scanner is reset by kDone.
ParseResult ParseRequestHead(HeadScanner* scanner, std::string_view bytes, const HeadLimits& limits,
                             RequestHead* out);

// Parses a response head; every error has status 502. `request_method` is that of the request it
// answers: a HEAD answer has no body, nor have 1xx, 204 and 304. 1xx answers are parsed like
// others: the caller goes on to the next head. Answers to CONNECT are not supported.
ParseResult ParseResponseHead(std::string_view bytes, const HeadLimits& limits,
                              std::string_view request_method, ResponseHead* out);
// REQUIRES: the scanner's kind is kResponse.
ParseResult ParseResponseHead(HeadScanner* scanner, std::string_view bytes,
                              const HeadLimits& limits, std::string_view request_method,
                              ResponseHead* out);

}  // namespace pillion::http

#endif  // PILLION_CORE_HTTP_PARSER_H_
