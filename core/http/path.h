// The one canonical form of a request path (docs: policy, "The path is normalised once").
//
// Everything after this sees the canonical path: route matching, the upstream, logs. So a rule for
// /admin cannot be passed by /%61dmin, //admin or /x/../admin.
#ifndef PILLION_CORE_HTTP_PATH_H_
#define PILLION_CORE_HTTP_PATH_H_

#include <string>
#include <string_view>

namespace pillion::http {

struct NormalizedPath {
  std::string_view path;        // the input itself if it was canonical, else a view of *scratch
  const char* error = nullptr;  // null, or why to answer 400; static storage
};

// Normalises an origin-form path (no query), RFC 3986 section 6.2.2: escapes of unreserved
// characters are decoded, other escapes get upper-case digits, runs of slashes are merged, dot
// segments are removed and cannot climb above the root. "*" is returned as it is. Normalising the
// result again changes nothing.
//
// Refused: a path that does not start with '/'; characters that may not stand in a path, backslash
// among them; an incomplete escape; %2F, %5C and %00, which upstreams disagree about; a dot segment
// with parameters ("/..;x/"), which some of them take for a dot segment.
//
// One scan and no copy if the path is canonical already; *scratch is overwritten only if it is not.
// REQUIRES: `path` is no view of *scratch.
NormalizedPath NormalizePath(std::string_view path, std::string* scratch);

}  // namespace pillion::http

#endif  // PILLION_CORE_HTTP_PATH_H_
