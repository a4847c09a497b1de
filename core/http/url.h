// Absolute http:// URLs, as callers and upstreams write them in headers and bodies.
#ifndef PILLION_CORE_HTTP_URL_H_
#define PILLION_CORE_HTTP_URL_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace pillion::http {

struct HttpUrl {
  std::string host;    // in lower case; IPv6 in brackets
  uint16_t port = 80;  // that of the scheme if the URL names none
  std::string path;    // canonical, see path.h; "/" if the URL has none
  std::string query;   // as written, without '?'
  bool has_query = false;

  // As written where it could be: "/a?b" for a request.
  std::string path_and_query() const;
};

// Reads "http://host[:port][/path][?query]" (RFC 9110 section 4.2.1) into `*url`. Null, or why it
// is none; static storage. Refused as well: user information, a fragment, and what NormalizePath()
// refuses.
const char* ParseHttpUrl(std::string_view text, HttpUrl* url);

// The same for the authority alone, "host[:port]".
const char* ParseHttpAuthority(std::string_view text, HttpUrl* url);

}  // namespace pillion::http

#endif  // PILLION_CORE_HTTP_URL_H_
