#include "control/cli/request_text.h"

#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "core/http/chars.h"
#include "core/http/parser.h"
#include "core/strings.h"

namespace pillion::control {
namespace {

// The part of an absolute URL that is sent to an origin; REQUIRES: it starts with http://.
std::string_view OriginForm(std::string_view url) {
  const size_t begin = url.find_first_of("/?", std::string_view("http://").size());
  return begin == std::string_view::npos ? std::string_view() : url.substr(begin);
}

// A line break would make two header fields of one, a space a request line of four words.
absl::Status CheckWords(const std::string& method, const std::string& url,
                        const std::vector<std::string>& headers) {
  if (!http::IsToken(method)) {
    return absl::InvalidArgumentError(StrCat("'", method, "' is not a method"));
  }
  if (!absl::StartsWithIgnoreCase(url, "http://")) {
    return absl::InvalidArgumentError(StrCat("'", url, "': a URL starts with http://"));
  }
  if (url.find_first_of(" \t\r\n") != std::string::npos) {
    return absl::InvalidArgumentError(StrCat("'", url, "': a URL has no spaces"));
  }
  for (const std::string& header : headers) {
    if (header.find(':') == std::string::npos) {
      return absl::InvalidArgumentError(
          StrCat("'", header, "': a header is written 'name: value'"));
    }
    if (header.find_first_of("\r\n") != std::string::npos) {
      return absl::InvalidArgumentError(StrCat("'", header, "': a header is one line"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RequestText> RequestText::Make(const std::string& method, const std::string& url,
                                              const std::vector<std::string>& headers) {
  const absl::Status checked = CheckWords(method, url, headers);
  if (!checked.ok()) return checked;
  // What follows '#' stays with the client (RFC 3986 section 3.5).
  const std::string_view target = std::string_view(url).substr(0, url.find('#'));
  std::string lines;
  bool has_host = false;
  for (const std::string& header : headers) {
    has_host = has_host || absl::StartsWithIgnoreCase(header, "host:");
    StrAppend(&lines, header, "\r\n");
  }
  if (!has_host) {
    // In absolute form the parser takes the authority from the URL.
    return Parse(StrCat(method, " ", target, " HTTP/1.1\r\nhost: x\r\n", lines, "\r\n"));
  }
  const std::string_view origin = OriginForm(target);
  return Parse(StrCat(method, " ", origin.starts_with('/') ? "" : "/", origin, " HTTP/1.1\r\n",
                      lines, "\r\n"));
}

absl::StatusOr<RequestText> RequestText::Parse(std::string bytes) {
  auto parsed = std::make_unique<Parsed>();
  parsed->bytes = std::move(bytes);
  const http::ParseResult result =
      http::ParseRequestHead(parsed->bytes, http::HeadLimits(), &parsed->head);
  if (result.state != http::ParseResult::kDone) {
    return absl::InvalidArgumentError(
        StrCat("a sidecar answers ", result.error.status, " to this call: ", result.error.reason));
  }
  return RequestText(std::move(parsed));
}

}  // namespace pillion::control
