#include "core/http/url.h"

#include "absl/strings/ascii.h"
#include "core/http/head.h"
#include "core/http/path.h"
#include "core/http/target.h"
#include "core/strings.h"

namespace pillion::http {
namespace {

// REQUIRES: CheckAuthority() has nothing against it.
void SplitAuthority(std::string_view authority, HttpUrl* url) {
  const size_t bracket = authority.rfind(']');
  const size_t colon = authority.find(':', bracket == authority.npos ? 0 : bracket);
  url->host = absl::AsciiStrToLower(ToAbsl(authority.substr(0, colon)));
  url->port = 80;
  if (colon == authority.npos) return;
  unsigned port = 0;
  for (char digit : authority.substr(colon + 1)) port = port * 10 + unsigned(digit - '0');
  url->port = static_cast<uint16_t>(port);
}

}  // namespace

std::string HttpUrl::path_and_query() const { return has_query ? StrCat(path, "?", query) : path; }

const char* ParseHttpUrl(std::string_view text, HttpUrl* url) {
  if (text.empty() || text[0] == '/' || text[0] == '*') return "it does not begin with http://";
  RequestHead head;
  head.target = text;
  if (const char* const error = internal::ParseTarget(&head)) return error;
  std::string scratch;
  const NormalizedPath path = NormalizePath(head.path, &scratch);
  if (path.error != nullptr) return path.error;
  SplitAuthority(head.authority, url);
  url->path = path.path;
  url->query = head.query;
  url->has_query = head.has_query;
  return nullptr;
}

const char* ParseHttpAuthority(std::string_view text, HttpUrl* url) {
  if (const char* const error = internal::CheckAuthority(text)) return error;
  SplitAuthority(text, url);
  return nullptr;
}

}  // namespace pillion::http
