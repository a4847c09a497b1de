#include "core/routing/explain.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/config/defaults.h"
#include "core/config/printer.h"
#include "core/config/suggest.h"
#include "core/routing/quote.h"
#include "core/routing/route_table.h"
#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::routing {
namespace {

using config::v1::Policy;
using config::v1::Route;
using config::v1::VirtualHost;

// How much is told.
struct Limits {
  size_t virtual_hosts;
  size_t domains;  // of each
  size_t routes;
};
constexpr Limits kForOperators = {.virtual_hosts = 100, .domains = 20, .routes = 100};
constexpr Limits kForCallers = {.virtual_hosts = 5, .domains = 5, .routes = 10};

std::string WithCommas(size_t number) {
  std::string digits = StrCat(number);
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}

std::string AndMore(size_t number) { return StrCat("... and ", WithCommas(number), " more"); }

// The one of the host's domains that `authority` belongs to, as written in the policy.
std::optional<std::string_view> MatchingDomain(const VirtualHost& host,
                                               std::string_view authority) {
  DomainTable domains;
  size_t position = 0;
  for (const std::string& domain : host.domains()) {
    domains.Add(domain, {0, position++}).IgnoreError();  // a table has no duplicates
  }
  const std::optional<DomainTable::Place> found = domains.FindPlace(authority);
  if (!found.has_value()) return std::nullopt;
  return host.domains(static_cast<int>(found->domain));
}

std::string Domains(const VirtualHost& host, size_t limit) {
  const size_t count = host.domains().size();
  const auto end = host.domains().begin() + std::min(limit, count);
  std::string domains = absl::StrJoin(host.domains().begin(), end, ", ");
  if (count > limit) StrAppend(&domains, " ", AndMore(count - limit));
  return domains;
}

// `domain` is the one that `authority` belongs to, if any.
std::string VirtualHostLine(const VirtualHost& host, bool is_taken, std::string_view authority,
                            std::optional<std::string_view> domain, const Limits& limits) {
  const std::string subject = StrCat("virtual host ", Quoted(host.name()), ": ");
  if (!domain.has_value()) {
    return StrCat(subject, "no: ", Quoted(authority), " is none of ",
                  Domains(host, limits.domains));
  }
  const std::string by = StrCat(Quoted(authority), " is ", Quoted(*domain));
  return is_taken ? StrCat(subject, "yes: ", by)
                  : StrCat(subject, "no: ", by, ", but a more specific domain goes before");
}

// One line for each virtual host in order; the one taken always is among them.
void AddVirtualHosts(const Policy& policy, std::optional<size_t> taken, std::string_view authority,
                     const Limits& limits, std::vector<std::string>* lines) {
  const auto line = [&](size_t index) {
    const VirtualHost& host = policy.virtual_hosts(static_cast<int>(index));
    // Where none is taken, none has a domain that matches; looking for it is for operators, too
    // slow for a call.
    const auto domain = taken.has_value() ? MatchingDomain(host, authority) : std::nullopt;
    return VirtualHostLine(host, taken == index, authority, domain, limits);
  };
  const size_t count = policy.virtual_hosts().size();
  const size_t shown = std::min(count, limits.virtual_hosts);
  for (size_t i = 0; i < shown; ++i) lines->push_back(line(i));
  const bool taken_is_hidden = taken.has_value() && *taken >= shown;
  const size_t hidden = count - shown - (taken_is_hidden ? 1 : 0);
  if (hidden > 0) lines->push_back(AndMore(hidden));
  if (taken_is_hidden) lines->push_back(line(*taken));
}

std::string RouteLine(const CompiledRoute& route, std::string_view why) {
  const std::string& name = route.route->name();
  return StrCat("  routes[", route.route_index, "]", name.empty() ? "" : " ",
                name.empty() ? "" : Quoted(name), ": ", why);
}

// One line for each of the routes [first, end), none of which matches.
void AddRoutes(const RouteTable& table, size_t first, size_t end, const RequestView& request,
               const Limits& limits, std::vector<std::string>* lines) {
  const size_t shown = std::min(end, first + limits.routes);
  for (size_t i = first; i < shown; ++i) {
    lines->push_back(RouteLine(table.route(i), table.matcher(i).WhyNot(request)));
  }
  if (end > shown) lines->push_back(StrCat("  ", AndMore(end - shown)));
}

// What the route does: all of it but its name and its conditions, whatever the actions are.
void AddAction(const Route& route, std::vector<std::string>* lines) {
  Route action = route;
  action.clear_name();
  action.clear_match();
  config::ApplyDefaults(&action);
  const std::string yaml = config::ToYaml(action, /*indent=*/4);
  for (const absl::string_view line : absl::StrSplit(yaml, '\n', absl::SkipEmpty())) {
    lines->emplace_back(line);
  }
}

// "; did you mean 'users'?" if a domain is near. For operators: all of them are looked at.
std::string NearDomain(const Policy& policy, std::string_view authority) {
  std::vector<std::string_view> domains;
  for (const VirtualHost& host : policy.virtual_hosts()) {
    domains.insert(domains.end(), host.domains().begin(), host.domains().end());
  }
  return config::DidYouMean(authority, domains);
}

std::string NoVirtualHost(std::string_view authority) {
  return StrCat("no virtual host has the domain ", Quoted(authority));
}

std::string NoRoute(const VirtualHost& host, const RequestView& request) {
  return StrCat("no route of virtual host ", Quoted(host.name()), " matches ",
                Readable(request.method), " ", Readable(request.path));
}

}  // namespace

Explanation Explain(const RouteTable& table, const RequestView& request) {
  Explanation explanation;
  std::vector<std::string>* const lines = &explanation.lines;
  const std::optional<size_t> host = table.domains().Find(request.authority);
  AddVirtualHosts(table.policy(), host, request.authority, kForOperators, lines);
  if (!host.has_value()) {
    lines->push_back(
        StrCat(NoVirtualHost(request.authority), NearDomain(table.policy(), request.authority)));
    return explanation;
  }
  const VirtualHost& taken = table.policy().virtual_hosts(static_cast<int>(*host));
  const size_t first = table.first_route(*host);
  const size_t end = first + taken.routes().size();
  size_t match = first;
  while (match < end && !table.matcher(match).Matches(request)) ++match;
  AddRoutes(table, first, match, request, kForOperators, lines);
  if (match == end) {
    lines->push_back(NoRoute(taken, request));
    return explanation;
  }
  explanation.route = &table.route(match);
  lines->push_back(RouteLine(*explanation.route, "matches"));
  AddAction(*explanation.route->route, lines);
  return explanation;
}

std::vector<std::string> NoRouteWhy(const RouteTable& table, const RequestView& request) {
  std::vector<std::string> lines;
  const std::optional<DomainTable::Place> place = table.domains().FindPlace(request.authority);
  if (!place.has_value()) {
    AddVirtualHosts(table.policy(), std::nullopt, request.authority, kForCallers, &lines);
    lines.push_back(NoVirtualHost(request.authority));
    return lines;
  }
  const VirtualHost& taken = table.policy().virtual_hosts(static_cast<int>(place->virtual_host));
  const size_t first = table.first_route(place->virtual_host);
  const std::string& domain = taken.domains(static_cast<int>(place->domain));
  lines.push_back(VirtualHostLine(taken, true, request.authority, domain, kForCallers));
  AddRoutes(table, first, first + taken.routes().size(), request, kForCallers, &lines);
  lines.push_back(NoRoute(taken, request));
  return lines;
}

}  // namespace pillion::routing
