#include "core/routing/route_table.h"

#include <optional>
#include <utility>

#include "absl/types/span.h"
#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::routing {
namespace {

using config::v1::Route;
using config::v1::VirtualHost;

// So many routes are tried one by one in less time than the index takes.
constexpr size_t kMaxUnindexed = 8;

absl::Status At(std::string_view place, const absl::Status& status) {
  return absl::InvalidArgumentError(StrCat(place, ": ", FromAbsl(status.message())));
}

}  // namespace

RouteTable::RouteTable(std::shared_ptr<const config::v1::Policy> policy)
    : policy_(std::move(policy)) {}

absl::StatusOr<std::shared_ptr<const RouteTable>> RouteTable::Compile(
    std::shared_ptr<const config::v1::Policy> policy) {
  std::shared_ptr<RouteTable> table(new RouteTable(std::move(policy)));
  size_t position = 0;
  for (const VirtualHost& host : table->policy_->virtual_hosts()) {
    const absl::Status added = table->AddVirtualHost(host, position);
    if (!added.ok()) return added;
    ++position;
  }
  return table;
}

absl::Status RouteTable::AddVirtualHost(const VirtualHost& host, size_t position) {
  const std::string place = StrCat("virtual_hosts[", position, "]");
  size_t index = 0;
  for (const std::string& domain : host.domains()) {
    const absl::Status added = domains_.Add(domain, {position, index++});
    if (!added.ok()) return At(StrCat(place, ".domains"), added);
  }
  const size_t first = routes_.size();
  for (const Route& route : host.routes()) {
    const size_t route_index = routes_.size() - first;
    absl::StatusOr<RouteMatcher> matcher = RouteMatcher::Compile(route.match());
    if (!matcher.ok()) {
      return At(StrCat(place, ".routes[", route_index, "].match"), matcher.status());
    }
    matchers_.push_back(*std::move(matcher));
    routes_.push_back({.virtual_host = &host,
                       .route = &route,
                       .name = route.name().empty()
                                   ? StrCat(host.name(), "/routes[", route_index, "]")
                                   : route.name(),
                       .index = routes_.size(),
                       .virtual_host_index = position,
                       .route_index = route_index});
  }
  const size_t count = routes_.size() - first;
  std::unique_ptr<const PathIndex> paths;
  if (count > kMaxUnindexed) {
    paths = std::make_unique<const PathIndex>(absl::MakeConstSpan(matchers_).subspan(first));
  }
  hosts_.push_back({.first = first, .count = count, .paths = std::move(paths)});
  return absl::OkStatus();
}

const CompiledRoute* RouteTable::Match(const RequestView& request) const {
  const std::optional<size_t> position = domains_.Find(request.authority);
  if (!position.has_value()) return nullptr;
  const Host& host = hosts_[*position];
  const auto matches = [&](size_t route) { return matchers_[host.first + route].Matches(request); };
  if (host.paths != nullptr) {
    const size_t route = host.paths->FindFirst(request.path, matches);
    return route == PathIndex::kNone ? nullptr : &routes_[host.first + route];
  }
  for (size_t route = 0; route < host.count; ++route) {
    if (matches(route)) return &routes_[host.first + route];
  }
  return nullptr;
}

}  // namespace pillion::routing
