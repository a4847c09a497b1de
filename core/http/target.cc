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
  if (text.empty() || text.size() > 5 || !All(text, kDigit)) return false;
  unsigned port = 0;
  for (char c : text) port = port * 10 + static_cast<unsigned>(c - '0');
  return port >= 1 && port <= 65535;
}

const char* SplitPathAndQuery(std::string_view text, RequestHead* head) {
  const size_t question = text.find('?');
  head->path = text.substr(0, question);
  head->has_query = question != std::string_view::npos;
  head->query = head->has_query ? text.substr(question + 1) : std::string_view();
  if (!All(head->path, kPathChar)) return "invalid character in the path of the request target";
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
    const size_t colon = authority.find(':');
    const std::string_view host = authority.substr(0, colon);
    if (host.empty()) return "empty host";
    if (!All(host, kHostChar)) return "invalid character in the host";
    has_port = colon != std::string_view::npos;
    if (has_port) port = authority.substr(colon + 1);
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
