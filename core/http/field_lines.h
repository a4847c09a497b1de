// Field lines and what they say about the body: the part of parsing that requests and responses
// share. Private to the parser.
#ifndef PILLION_CORE_HTTP_FIELD_LINES_H_
#define PILLION_CORE_HTTP_FIELD_LINES_H_

#include <string_view>

#include "core/http/head.h"
#include "core/http/parser.h"

namespace pillion::http::internal {

// Parses field lines from `lines`, which starts after the start line's CRLF and ends with the
// head's empty line. REQUIRES: HeadScanner has accepted it (every line ends with CRLF, no control
// character but tab). status is 0, 400 or 431.
ParseError ParseFieldLines(std::string_view lines, const HeadLimits& limits, HeaderList* headers);

// Reads Content-Length and Transfer-Encoding into *body (kNone, kLength or kChunked), making the
// headers unambiguous. Null, or why they cannot be trusted (RFC 9112 section 6).
const char* ReadFraming(Version version, HeaderList* headers, BodyFraming* body);

}  // namespace pillion::http::internal

#endif  // PILLION_CORE_HTTP_FIELD_LINES_H_
