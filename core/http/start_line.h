// Request lines and status lines (RFC 9112 sections 3 and 4). Private to the parser.
#ifndef PILLION_CORE_HTTP_START_LINE_H_
#define PILLION_CORE_HTTP_START_LINE_H_

#include <cstddef>
#include <string_view>

#include "core/http/head.h"
#include "core/http/parser.h"

namespace pillion::http::internal {

// So many may stand before a request line (RFC 9112 section 2.2).
inline constexpr size_t kMaxEmptyLines = 2;

// Whether `line`, given without its CRLF, is one of HTTP/1.x. status is 0, 400 or 505.
ParseError CheckRequestLine(std::string_view line);
// status is 0 or 502.
ParseError CheckStatusLine(std::string_view line);

// The same, and reads the line: method, target and what follows from it, version. REQUIRES: no
// control character but tab in `line`. status is 0, 400, 501 or 505.
ParseError ParseRequestLine(std::string_view line, RequestHead* head);
// Reads version, status and reason. status is 0 or 502.
ParseError ParseStatusLine(std::string_view line, ResponseHead* head);

}  // namespace pillion::http::internal

#endif  // PILLION_CORE_HTTP_START_LINE_H_
