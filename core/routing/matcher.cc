#include "core/routing/matcher.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_join.h"
#include "core/routing/query.h"
#include "core/routing/quote.h"
#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::routing {
namespace {

bool HeaderMatches(const ValueCondition& condition, const RequestView& request) {
  std::string scratch;
  return condition.Matches(request.headers.Get(condition.name(), &scratch));
}

bool QueryMatches(const ValueCondition& condition, const RequestView& request) {
  QueryScratch scratch;
  return condition.Matches(QueryValue(request.query, condition.name(), &scratch));
}

template <typename Matchers>
absl::Status CompileAll(const Matchers& matchers, std::vector<ValueCondition>* conditions) {
  conditions->reserve(matchers.size());
  for (const auto& matcher : matchers) {
    absl::StatusOr<ValueCondition> condition = ValueCondition::Compile(matcher);
    if (!condition.ok()) return condition.status();
    conditions->push_back(*std::move(condition));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RouteMatcher> RouteMatcher::Compile(const config::v1::RouteMatch& match) {
  absl::StatusOr<PathCondition> path = PathCondition::Compile(match);
  if (!path.ok()) return path.status();
  RouteMatcher matcher(*std::move(path));
  matcher.methods_.assign(match.methods().begin(), match.methods().end());
  absl::Status compiled = CompileAll(match.headers(), &matcher.headers_);
  if (compiled.ok()) compiled = CompileAll(match.query_parameters(), &matcher.query_parameters_);
  if (!compiled.ok()) return compiled;
  return matcher;
}

bool RouteMatcher::MethodMatches(std::string_view method) const {
  return methods_.empty() || std::find(methods_.begin(), methods_.end(), method) != methods_.end();
}

bool RouteMatcher::Matches(const RequestView& request) const {
  if (!path_.Matches(request.path) || !MethodMatches(request.method)) return false;
  for (const ValueCondition& condition : headers_) {
    if (!HeaderMatches(condition, request)) return false;
  }
  for (const ValueCondition& condition : query_parameters_) {
    if (!QueryMatches(condition, request)) return false;
  }
  return true;
}

std::string RouteMatcher::WhyNot(const RequestView& request) const {
  if (!path_.Matches(request.path)) return path_.WhyNot(request.path);
  if (!MethodMatches(request.method)) {
    return StrCat("method ", Readable(request.method),
                  methods_.size() == 1 ? " is not " : " is not one of ",
                  absl::StrJoin(methods_, ", "));
  }
  for (const ValueCondition& condition : headers_) {
    std::string scratch;
    const std::optional<std::string_view> value = request.headers.Get(condition.name(), &scratch);
    if (!condition.Matches(value)) return StrCat("header ", condition.WhyNot(value));
  }
  for (const ValueCondition& condition : query_parameters_) {
    QueryScratch scratch;
    const std::optional<std::string_view> value =
        QueryValue(request.query, condition.name(), &scratch);
    if (!condition.Matches(value)) return StrCat("query parameter ", condition.WhyNot(value));
  }
  return "";
}

}  // namespace pillion::routing
