// Route tables and requests, written shortly, for tests.
#ifndef PILLION_CORE_ROUTING_TEST_TABLE_H_
#define PILLION_CORE_ROUTING_TEST_TABLE_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/routing/request_view.h"
#include "core/routing/route_table.h"

namespace pillion::routing {

// The table of a policy, which must be without a mistake.
std::shared_ptr<const RouteTable> TableOf(const std::string& yaml);

// A table of one virtual host `v` with these matches, each the inside of a YAML flow mapping.
std::shared_ptr<const RouteTable> TableOfMatches(const std::vector<std::string>& matches);

// By name, in lower case.
using Headers = std::map<std::string, std::string, std::less<>>;

class HeaderMap final : public HeaderLookup {
 public:
  explicit HeaderMap(Headers headers) : headers_(std::move(headers)) {}
  std::optional<std::string_view> Get(std::string_view lower_name,
                                      std::string* scratch) const override;

 private:
  Headers headers_;
};

struct TestRequest {
  std::string method = "GET";
  std::string authority = "v";
  std::string path = "/";
  std::string query = "";
  HeaderMap headers = HeaderMap(Headers());

  RequestView view() const { return {method, authority, path, query, headers}; }
};

// The index in its virtual host of the route that matches, or -1.
int Match(const RouteTable& table, const TestRequest& request);

}  // namespace pillion::routing

#endif  // PILLION_CORE_ROUTING_TEST_TABLE_H_
