#include "core/config/format.h"

#include <arpa/inet.h>
#include <re2/re2.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "core/config/suggest.h"
#include "core/http/path.h"
#include "core/strings.h"

namespace pillion::config {
namespace {

using v1::FieldRules;

constexpr size_t kMaxNameBytes = 128;
constexpr size_t kMaxTextBytes = 256;
constexpr size_t kMaxRegexBytes = 4096;
constexpr size_t kMaxHostBytes = 253;      // RFC 1035, section 2.3.4
constexpr size_t kMaxUnixPathBytes = 107;  // sockaddr_un, less the final zero
constexpr size_t kMaxRetryOnBytes = 1024;

bool ConsistsOf(std::string_view text, bool (*allowed)(char)) {
  return std::all_of(text.begin(), text.end(), allowed);
}

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}
bool Contains(std::string_view text, char part) {
  return text.find(part) != std::string_view::npos;
}

bool IsHostChar(char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.'; }

// tchar of RFC 9110, section 5.6.2.
bool IsTokenChar(char c) {
  return absl::ascii_isalnum(c) || (c != '\0' && Contains("!#$%&'*+-.^_`|~", c));
}

std::string Expected(std::string_view what, std::string_view text) {
  return StrCat("expected ", what, ", found '", text.substr(0, kMaxTextBytes), "'");
}

struct HostPort {
  std::string_view host;  // without brackets
  bool bracketed = false;
  std::optional<std::string_view> port;
};

// Splits host[:port]; nullopt: unbalanced brackets or a second colon.
std::optional<HostPort> SplitHostPort(std::string_view text) {
  HostPort result;
  if (ConsumePrefix(text, "[")) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    result.bracketed = true;
    result.host = text.substr(0, end);
    text.remove_prefix(end + 1);
  } else {
    const size_t end = std::min(text.find(':'), text.size());
    result.host = text.substr(0, end);
    text.remove_prefix(end);
  }
  if (text.empty()) return result;
  if (!ConsumePrefix(text, ":") || Contains(text, ':')) return std::nullopt;
  result.port = text;
  return result;
}

bool IsIp(int family, std::string_view text) {
  unsigned char binary[sizeof(in6_addr)];
  return text.find('\0') == std::string_view::npos &&
         inet_pton(family, std::string(text).c_str(), binary) == 1;
}

bool IsHostName(std::string_view host) {
  // Digits and dots only is an IP address that inet_pton would not have.
  return !host.empty() && host.size() <= kMaxHostBytes && ConsistsOf(host, IsHostChar) &&
         host.front() != '.' && host.find_first_not_of("0123456789.") != std::string_view::npos &&
         !Contains(host, "..");
}

bool IsPort(std::string_view text, int least) {
  int port;
  return !text.empty() && text.size() <= 5 &&
         ConsistsOf(text, [](char c) { return absl::ascii_isdigit(c); }) &&
         absl::SimpleAtoi(ToAbsl(text), &port) && port >= least && port <= 65535;
}

std::string CheckAddress(std::string_view text, bool listen) {
  if (std::string_view path = text; ConsumePrefix(path, "unix:")) {
    if (path.empty() || path.front() != '/' || path.find('\0') != std::string_view::npos) {
      return Expected("an absolute path after 'unix:'", text);
    }
    if (path.size() > kMaxUnixPathBytes) {
      return StrCat("the path of a Unix domain socket has at most ", kMaxUnixPathBytes, " bytes");
    }
    return "";
  }
  const std::optional<HostPort> parts = SplitHostPort(text);
  const std::string_view what =
      listen ? "an address such as 127.0.0.1:80, [::1]:80 or unix:/path"
             : "an address such as 127.0.0.1:80, [::1]:80, unix:/path or host.name:80";
  if (!parts.has_value()) return Expected(what, text);
  const bool is_ip = IsIp(parts->bracketed ? AF_INET6 : AF_INET, parts->host);
  if (!is_ip && (parts->bracketed || listen || !IsHostName(parts->host)))
    return Expected(what, text);
  if (!parts->port.has_value()) return StrCat("the port is missing: ", Expected(what, text));
  if (!IsPort(*parts->port, listen ? 0 : 1)) {
    return StrCat("'", parts->port->substr(0, kMaxTextBytes), "' is not a port (", listen ? 0 : 1,
                  " to 65535)");
  }
  return "";
}

bool IsAuthority(std::string_view text) {
  const std::optional<HostPort> parts = SplitHostPort(text);
  if (!parts.has_value() || (parts->port.has_value() && !IsPort(*parts->port, 1))) return false;
  if (parts->bracketed) return IsIp(AF_INET6, parts->host);
  return IsHostName(parts->host) || IsIp(AF_INET, parts->host);
}

std::string CheckDomain(std::string_view text) {
  std::string_view name = text;
  ConsumePrefix(name, "*.");
  if (name.ends_with(".*")) {
    name.remove_suffix(2);
  } else if (const size_t at = name.find(".*:"); at != std::string_view::npos) {
    name = name.substr(0, at);
  }
  const size_t wildcards = std::count(text.begin(), text.end(), '*');
  const bool any = text == "*" || (text.starts_with("*:") && IsPort(text.substr(2), 1));
  if (any || (wildcards <= 1 && !Contains(name, '*') && IsAuthority(name))) return "";
  return Expected("a domain such as orders, orders.local:8080, *.local, orders.* or *", text);
}

std::string CheckRegex(std::string_view text) {
  if (text.size() > kMaxRegexBytes) {
    return StrCat("a regular expression has at most ", kMaxRegexBytes, " bytes");
  }
  const re2::RE2 regex(re2::StringPiece(text.data(), text.size()), re2::RE2::Quiet);
  return regex.ok() ? "" : StrCat("the regular expression does not compile: ", regex.error());
}

std::string CheckTopic(std::string_view text, bool pattern) {
  const auto is_segment = [pattern](std::string_view segment) {
    if (pattern && (segment == "*" || segment == "**")) return true;
    return !segment.empty() && ConsistsOf(segment, [](char c) {
      return absl::ascii_isalnum(c) || c == '-' || c == '_';
    });
  };
  const std::vector<std::string> segments = absl::StrSplit(ToAbsl(text), '.');
  if (text.size() <= kMaxTextBytes && std::all_of(segments.begin(), segments.end(), is_segment))
    return "";
  return pattern ? Expected("a topic pattern such as order.changed, order.* or order.**", text)
                 : Expected("a topic such as order.changed", text);
}

std::string CheckRetryOn(std::string_view text) {
  static const std::vector<std::string_view>& known = *new std::vector<std::string_view>{
      "5xx",           "gateway-error",         "reset", "connect-failure", "refused-stream",
      "retriable-4xx", "retriable-status-codes"};
  if (text.empty()) return "";  // never
  if (text.size() > kMaxRetryOnBytes) return "too long";
  for (const absl::string_view piece : absl::StrSplit(ToAbsl(text), ',')) {
    const std::string_view condition = FromAbsl(absl::StripAsciiWhitespace(piece));
    if (std::find(known.begin(), known.end(), condition) == known.end()) {
      return StrCat("'", condition, "' is not a retry condition", DidYouMean(condition, known));
    }
  }
  return "";
}

std::string Check(bool good, std::string_view what, std::string_view text) {
  return good ? "" : Expected(what, text);
}

std::string CheckHeaderName(std::string_view text) {
  return Check(!text.empty() && text.size() <= kMaxTextBytes && ConsistsOf(text, IsTokenChar),
               "a header name such as x-tier", text);
}

// Editing these by hand would make two recipients see two different messages.
std::string CheckEditableHeaderName(std::string_view text) {
  const std::string lower = absl::AsciiStrToLower(ToAbsl(text));
  if (lower == "content-length" || lower == "transfer-encoding" || lower == "connection")
    return StrCat("'", text, "' frames the message and is set by the sidecar alone");
  if (lower == "host") return "the host is changed by host_rewrite";
  return CheckHeaderName(text);
}

std::string CheckPath(std::string_view text) {
  if (text.empty() || text.front() != '/') return Expected("a path that starts with '/'", text);
  if (text.find_first_of("?#") != std::string_view::npos) return "a path has no '?' and no '#'";
  if (!ConsistsOf(text, [](char c) { return absl::ascii_isgraph(c); }))
    return "a path is printable ASCII; percent-encode the rest";
  if (Contains(text, "//") || Contains(text, "/./") || Contains(text, "/../") ||
      text.ends_with("/.") || text.ends_with("/..")) {
    return "paths are normalised before they are matched: '//', '/./' and '/../' do not occur";
  }
  std::string scratch;
  const char* const error = http::NormalizePath(text, &scratch).error;
  return error == nullptr ? "" : StrCat(error, ", which sidecars refuse");
}

std::string CheckMethod(std::string_view text) {
  if (text.empty() || text.size() > kMaxNameBytes || !ConsistsOf(text, IsTokenChar)) {
    return Expected("a method such as GET", text);
  }
  const std::string upper = absl::AsciiStrToUpper(ToAbsl(text));
  return text == upper ? ""
                       : StrCat("methods are written in upper case; did you mean '", upper, "'?");
}

}  // namespace

std::string CheckFormat(FieldRules::Format format, std::string_view text) {
  switch (format) {
    case FieldRules::NAME:
      return Check(
          !text.empty() && text.size() <= kMaxNameBytes &&
              ConsistsOf(text,
                         [](char c) { return absl::ascii_isalnum(c) || Contains("._-:/", c); }) &&
              text.find('\0') == std::string_view::npos,
          "a name of letters, digits and . _ - : / (at most 128)", text);
    case FieldRules::TEXT:
      return Check(text.size() <= kMaxTextBytes &&
                       std::none_of(text.begin(), text.end(), absl::ascii_iscntrl),
                   "one line of text (at most 256 bytes)", text);
    case FieldRules::ADDRESS:
      return CheckAddress(text, /*listen=*/false);
    case FieldRules::LISTEN_ADDRESS:
      return CheckAddress(text, /*listen=*/true);
    case FieldRules::REGEX:
      return CheckRegex(text);
    case FieldRules::TOPIC:
      return CheckTopic(text, /*pattern=*/false);
    case FieldRules::TOPIC_PATTERN:
      return CheckTopic(text, /*pattern=*/true);
    case FieldRules::HEADER_NAME:
      return CheckHeaderName(text);
    case FieldRules::EDITABLE_HEADER_NAME:
      return CheckEditableHeaderName(text);
    case FieldRules::HEADER_VALUE:
      return std::any_of(text.begin(), text.end(),
                         [](char c) { return absl::ascii_iscntrl(c) && c != '\t'; })
                 ? "a header value has no control characters"
                 : "";
    case FieldRules::METHOD:
      return CheckMethod(text);
    case FieldRules::DOMAIN:
      return CheckDomain(text);
    case FieldRules::RETRY_ON:
      return CheckRetryOn(text);
    case FieldRules::PATH_PREFIX:
      return CheckPath(text);
    case FieldRules::SCHEME:
      return Check(text == "http" || text == "https", "http or https", text);
    case FieldRules::AUTHORITY:
      return Check(IsAuthority(text), "a host, with a port if it is not the default one", text);
    case FieldRules::FILE_PATH:
      return text.find('\0') == std::string_view::npos ? "" : "a file name has no zero byte";
    default:
      return "";  // ANY, and SIZE, which is a number
  }
}

std::string CheckRewrite(std::string_view pattern, std::string_view substitution) {
  if (!CheckRegex(pattern).empty()) return "";
  if (!ConsistsOf(substitution, [](char c) { return absl::ascii_isgraph(c); }))
    return "a path has no white space, control or non-ASCII characters";
  const re2::RE2 regex(re2::StringPiece(pattern.data(), pattern.size()), re2::RE2::Quiet);
  std::string error;
  return regex.CheckRewriteString(re2::StringPiece(substitution.data(), substitution.size()),
                                  &error)
             ? ""
             : error;
}

bool IsLoopback(std::string_view address) {
  if (address.starts_with("unix:")) return true;
  const std::optional<HostPort> parts = SplitHostPort(address);
  if (!parts.has_value()) return false;
  return parts->bracketed ? parts->host == "::1"
                          : parts->host.starts_with("127.") && IsIp(AF_INET, parts->host);
}

}  // namespace pillion::config
