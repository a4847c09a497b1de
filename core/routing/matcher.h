// The conditions of one route (config::v1::RouteMatch), compiled.
//
// Threads: a matcher is immutable; any number of threads may use it.
#ifndef PILLION_CORE_ROUTING_MATCHER_H_
#define PILLION_CORE_ROUTING_MATCHER_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/routing/path_condition.h"
#include "core/routing/request_view.h"
#include "core/routing/value_condition.h"

namespace pillion::config::v1 {
class RouteMatch;
}

namespace pillion::routing {

class RouteMatcher {
 public:
  // INVALID_ARGUMENT if there is no path condition or a regular expression does not compile.
  static absl::StatusOr<RouteMatcher> Compile(const config::v1::RouteMatch& match);

  // True if all conditions hold.
  bool Matches(const RequestView& request) const;

  // The first condition that does not hold, for a person: "method GET is not one of POST"; "" if
  // all hold.
  std::string WhyNot(const RequestView& request) const;

  const PathCondition& path() const { return path_; }

 private:
  explicit RouteMatcher(PathCondition path) : path_(std::move(path)) {}
  bool MethodMatches(std::string_view method) const;

  PathCondition path_;
  std::vector<std::string> methods_;     // empty: any
  std::vector<ValueCondition> headers_;  // names in lower case
  std::vector<ValueCondition> query_parameters_;
};

}  // namespace pillion::routing

#endif  // PILLION_CORE_ROUTING_MATCHER_H_
