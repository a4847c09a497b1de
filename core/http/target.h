// Request targets and authorities (RFC 9112 section 3.2, RFC 3986 section 3.2). Private to the
// parser.
#ifndef PILLION_CORE_HTTP_TARGET_H_
#define PILLION_CORE_HTTP_TARGET_H_

#include <string_view>

#include "core/http/head.h"

namespace pillion::http::internal {

// Null if `authority` is a host with an optional port from 1 to 65535, else why not. A host is a
// name, an IPv4 address or an IPv6 address in brackets; user information and escapes are refused.
const char* CheckAuthority(std::string_view authority);

// Splits head->target into authority ("" unless it is in absolute-form), path and query. Null, or
// why it is not a request target.
const char* ParseTarget(RequestHead* head);

}  // namespace pillion::http::internal

#endif  // PILLION_CORE_HTTP_TARGET_H_
