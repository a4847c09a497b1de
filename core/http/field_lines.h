// Field lines and what they say about the body: the part of parsing that requests and responses
// share. Private to the parser.
#ifndef PILLION_CORE_HTTP_FIELD_LINES_H_
#define PILLION_CORE_HTTP_FIELD_LINES_H_

#include <string_view>

#include "core/http/chars.h"
#include "core/http/head.h"
#include "core/http/parser.h"

namespace pillion::http::internal {

// Where the CRLF of the line at `p` stands. Null if there is none before `end`, or something else
// first that cannot stand in a line: CR or LF alone, a control character other than tab.
inline const char* LineEnd(const char* p, const char* end) {
  p = FindControl(p, end);
  return end - p >= 2 && p[0] == '\r' && p[1] == '\n' ? p : nullptr;
}

// Parses field lines from `p` up to the empty line that ends the head, and returns what follows
// that. Null if they cannot be taken: *error says why (status 400 or 431), or is left alone where
// LineEnd() finds no end.
const char* ParseFieldLines(const char* p, const char* end, const HeadLimits& limits,
                            HeaderList* headers, ParseError* error);

// Reads Content-Length and Transfer-Encoding into *body (kNone, kLength or kChunked), making the
// headers unambiguous. Null, or why they cannot be trusted (RFC 9112 section 6).
const char* ReadFraming(Version version, HeaderList* headers, BodyFraming* body);

}  // namespace pillion::http::internal

#endif  // PILLION_CORE_HTTP_FIELD_LINES_H_
