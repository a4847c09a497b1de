// What route matching looks at in a request, as views of what the caller already has.
//
// Threads: plain values; a view is used by the thread that made it.
#ifndef PILLION_CORE_ROUTING_REQUEST_VIEW_H_
#define PILLION_CORE_ROUTING_REQUEST_VIEW_H_

#include <optional>
#include <string>
#include <string_view>

namespace pillion::routing {

// The headers of one request, by name. HeaderListLookup (header_list_lookup.h) is the one for the
// HTTP codec's headers.
class HeaderLookup {
 public:
  // The value of the header `lower_name` (given in lower case; found in any letter case), or
  // nullopt if there is none. Several lines of that name count as one, joined by "," (RFC 9110
  // section 5.3): only then is *scratch written, and the result a view of it.
  virtual std::optional<std::string_view> Get(std::string_view lower_name,
                                              std::string* scratch) const = 0;

 protected:
  ~HeaderLookup() = default;
};

// One request. The views must outlive the call that they are given to, and no longer.
struct RequestView {
  std::string_view method;     // as sent; compared with regard to case (RFC 9110 section 9.1)
  std::string_view authority;  // host[:port] in any letter case; IPv6 addresses in brackets
  std::string_view path;       // canonical (http::NormalizePath), without the query
  std::string_view query;      // as sent, without '?'
  const HeaderLookup& headers;
};

}  // namespace pillion::routing

#endif  // PILLION_CORE_ROUTING_REQUEST_VIEW_H_
