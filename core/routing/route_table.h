// A policy, compiled so that a request's route is found fast: no allocation, no copy, and a cost
// that hardly depends on how many virtual hosts and routes there are.
//
//   auto table = RouteTable::Compile(policy);
//   const CompiledRoute* route = (*table)->Match({.method = "GET", .authority = "orders:80", ...});
//   if (route == nullptr) ...  // 404 with NoRouteWhy() (explain.h)
//
// The virtual host is the one whose domain says most about the authority: the exact name, else the
// longest `*.suffix`, else the longest `prefix.*`, else `*`. A domain with a port wants that port
// and wins over the same domain without one (a request without a port has 80); a domain without a
// port takes every port. In the virtual host the first route that matches is taken, as if they were
// tried in turn.
//
// Threads: a table is immutable; any number of threads may match at once. Regular expressions share
// their compiled form between threads (RE2 synchronises it).
#ifndef PILLION_CORE_ROUTING_ROUTE_TABLE_H_
#define PILLION_CORE_ROUTING_ROUTE_TABLE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/routing/domain_table.h"
#include "core/routing/matcher.h"
#include "core/routing/path_index.h"
#include "core/routing/request_view.h"

namespace pillion::config::v1 {
class Policy;
class Route;
class VirtualHost;
}  // namespace pillion::config::v1

namespace pillion::routing {

// One route of the table. Lives as long as the table.
struct CompiledRoute {
  const config::v1::VirtualHost* virtual_host;  // where it stands in the policy
  const config::v1::Route* route;
  std::string name;           // for logs and metrics: its own, or "orders/routes[2]" if it has none
  size_t index;               // dense over the whole table, from 0
  size_t virtual_host_index;  // in policy.virtual_hosts
  size_t route_index;         // in virtual_host->routes
};

class RouteTable {
 public:
  // Compiles `policy`, which the table keeps alive and which nobody may change any more.
  // REQUIRES: it was checked and has its defaults (config::LoadPolicy does both; for one that was
  // pushed: config::CheckPolicy and config::ApplyDefaults). INVALID_ARGUMENT, naming the place, for
  // what a checked policy cannot have and that would leave routes without a meaning.
  static absl::StatusOr<std::shared_ptr<const RouteTable>> Compile(
      std::shared_ptr<const config::v1::Policy> policy);

  RouteTable(const RouteTable&) = delete;
  RouteTable& operator=(const RouteTable&) = delete;

  // The route that decides about `request`, or null if there is none. Allocates only for a
  // condition on a header that was sent in several lines, or on an escaped query value of over 512
  // bytes.
  const CompiledRoute* Match(const RequestView& request) const;

  const config::v1::Policy& policy() const { return *policy_; }
  size_t route_count() const { return routes_.size(); }
  // REQUIRES: index < route_count().
  const CompiledRoute& route(size_t index) const { return routes_[index]; }
  const RouteMatcher& matcher(size_t index) const { return matchers_[index]; }
  // From authority to an index in policy().virtual_hosts.
  const DomainTable& domains() const { return domains_; }
  // The `index` of the first route of a virtual host; its others follow.
  size_t first_route(size_t virtual_host) const { return hosts_[virtual_host].first; }

 private:
  // The routes [first, first + count) of one virtual host.
  struct Host {
    size_t first;
    size_t count;
    std::unique_ptr<const PathIndex> paths;  // null for a few routes, where trying all is faster
  };

  explicit RouteTable(std::shared_ptr<const config::v1::Policy> policy);
  absl::Status AddVirtualHost(const config::v1::VirtualHost& host, size_t position);

  std::shared_ptr<const config::v1::Policy> policy_;
  std::vector<CompiledRoute> routes_;
  std::vector<RouteMatcher> matchers_;  // of routes_, by index
  std::vector<Host> hosts_;             // of policy_->virtual_hosts
  DomainTable domains_;
};

}  // namespace pillion::routing

#endif  // PILLION_CORE_ROUTING_ROUTE_TABLE_H_
