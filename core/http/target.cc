#include "core/http/target.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "core/http/chars.h"

namespace pillion::http::internal {
namespace {

bool IsIpv6(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN];  // inet_pton wants a terminated string
  if (text.size() >= sizeof(buffer)) return false;
  std::copy(text.begin(), text.end(), buffer);
  buffer[text.size()] = '\0';
  in6_addr address;
  return std::strlen(buffer) == text.size() && inet_pton(AF_INET6, buffer, &address) == 1;
}

bool IsPort(std::string_view text) {
  if (text.empty() || text.size() > 5) return false;
  unsigned port = 0;
  for (char c : text) {
    const unsigned digit = static_cast<unsigned>(c - '0');
    if (digit > 9) return false;
    port = port * 10 + digit;
  }
  return port >= 1 && port <= 65535;
}

const char* SplitPathAndQuery(std::string_view text, RequestHead* head) {
  const size_t path_size = CountLeading(text, kPathChar);
  head->path = text.substr(0, path_size);
  head->has_query = path_size < text.size();
  if (!head->has_query) return nullptr;
  if (text[path_size] != '?') return "invalid character in the path of the request target";
  head->query = text.substr(path_size + 1);
  if (!All(head->query, kQueryChar)) return "invalid character in the query of the request target";
  return nullptr;
}

const char* ParseAbsoluteForm(RequestHead* head) {
  constexpr std::string_view kScheme = "http://";
  if (!EqualsIgnoreCase(head->target.substr(0, kScheme.size()), kScheme)) {
    return "the request target is neither a path nor an http:// URI";
  }
  const std::string_view rest = head->target.substr(kScheme.size());
  const size_t authority_end = std::min(rest.find_first_of("/?#"), rest.size());
  head->authority = rest.substr(0, authority_end);
  if (const char* const error = CheckAuthority(head->authority)) return error;
  if (const char* const error = SplitPathAndQuery(rest.substr(authority_end), head)) return error;
  if (!head->path.empty())
    return head->path[0] == '/' ? nullptr : "invalid character in the request target";
  // RFC 9112 section 3.2.4: OPTIONS without a path is about the server.
  head->path = head->method == "OPTIONS" && !head->has_query ? "*" : "/";
  return nullptr;
}

}  // namespace

const char* CheckAuthority(std::string_view authority) {
  std::string_view port;
  bool has_port = false;
  if (!authority.empty() && authority[0] == '[') {
    const size_t bracket = authority.find(']');
    if (bracket == std::string_view::npos || !IsIpv6(authority.substr(1, bracket - 1)))
      return "invalid IPv6 address in the host";
    const std::string_view rest = authority.substr(bracket + 1);
    has_port = !rest.empty();
    if (has_port && rest[0] != ':') return "invalid character in the host";
    port = rest.substr(has_port ? 1 : 0);
  } else {
    const size_t host_size = CountLeading(authority, kHostChar);
    has_port = host_size < authority.size() && authority[host_size] == ':';
    if (has_port) port = authority.substr(host_size + 1);
    if (host_size == 0 && (authority.empty() || has_port)) return "empty host";
    if (host_size < authority.size() && !has_port) return "invalid character in the host";
  }
  return has_port && !IsPort(port) ? "invalid port in the host" : nullptr;
}

const char* ParseTarget(RequestHead* head) {
  head->authority = head->query = {};
  head->has_query = false;
  if (head->target.empty()) return "empty request target";
  if (head->target[0] == '/') return SplitPathAndQuery(head->target, head);
  if (head->target == "*") {
    head->path = head->target;
    return head->method == "OPTIONS" ? nullptr : "the request target * is for OPTIONS only";
  }
  return ParseAbsoluteForm(head);
}

}  // namespace pillion::http::internal
