#include "core/config/hidden_routes.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::config {
namespace {

using v1::RouteMatch;

// So many routes with one path are compared with a later one; more would take time and tell nobody
// anything.
constexpr size_t kMaxCandidates = 64;

// What a match asks for, in a form that can be compared.
struct Shape {
  RouteMatch::PathSpecifierCase kind;
  std::string literal;  // of the path condition
  bool case_sensitive;
  std::set<std::string> methods = {};     // empty: any
  std::set<std::string> conditions = {};  // on headers and query parameters, serialised
};

Shape ShapeOf(const RouteMatch& match) {
  Shape shape{.kind = match.path_specifier_case(),
              .literal = match.prefix(),
              .case_sensitive = !match.has_case_sensitive() || match.case_sensitive()};
  if (match.has_path()) shape.literal = match.path();
  if (match.has_path_separated_prefix()) shape.literal = match.path_separated_prefix();
  if (match.has_safe_regex()) shape.literal = match.safe_regex();
  shape.methods.insert(match.methods().begin(), match.methods().end());
  for (const v1::HeaderMatcher& header : match.headers()) {
    v1::HeaderMatcher copy = header;
    copy.set_name(absl::AsciiStrToLower(header.name()));
    shape.conditions.insert(StrCat("header ", copy.SerializeAsString()));
  }
  for (const v1::QueryParameterMatcher& parameter : match.query_parameters()) {
    shape.conditions.insert(StrCat("query ", parameter.SerializeAsString()));
  }
  return shape;
}

// True if every path that `b` takes, `a` takes, too.
bool CoversPath(const Shape& a, const Shape& b) {
  if (a.kind == RouteMatch::kSafeRegex) {
    return b.kind == a.kind && a.literal == b.literal && a.case_sensitive == b.case_sensitive;
  }
  if (a.kind == RouteMatch::kPrefix && a.literal == "/") return true;
  if (b.kind == RouteMatch::kSafeRegex || (a.case_sensitive && !b.case_sensitive)) return false;
  const std::string mine = a.case_sensitive ? a.literal : absl::AsciiStrToLower(a.literal);
  const std::string theirs = a.case_sensitive ? b.literal : absl::AsciiStrToLower(b.literal);
  switch (a.kind) {
    case RouteMatch::kPrefix:
      return theirs.starts_with(mine);
    case RouteMatch::kPath:
      return b.kind == RouteMatch::kPath && theirs == mine;
    case RouteMatch::kPathSeparatedPrefix:
      if (theirs == mine) return b.kind != RouteMatch::kPrefix;
      return theirs.starts_with(mine) && (theirs[mine.size()] == '/' || mine == "/");
    default:
      return false;
  }
}

bool Covers(const Shape& a, const Shape& b) {
  if (!CoversPath(a, b)) return false;
  if (!a.methods.empty() &&
      (b.methods.empty() ||
       !std::includes(a.methods.begin(), a.methods.end(), b.methods.begin(), b.methods.end()))) {
    return false;
  }
  return std::includes(b.conditions.begin(), b.conditions.end(), a.conditions.begin(),
                       a.conditions.end());
}

}  // namespace

std::vector<HiddenRoute> FindHiddenRoutes(const v1::VirtualHost& host) {
  std::vector<HiddenRoute> hidden;
  std::vector<Shape> shapes;
  // Earlier routes by what their path begins with. Only those whose text the later one begins with
  // can hide it, which keeps a long list of routes from being compared pair by pair.
  absl::flat_hash_map<std::string, std::vector<int>> by_literal;
  for (int i = 0; i < host.routes_size(); ++i) {
    const Shape& shape = shapes.emplace_back(ShapeOf(host.routes(i).match()));
    const std::string literal = absl::AsciiStrToLower(shape.literal);
    std::optional<int> by;
    const auto look_at = [&](std::string_view key) {
      const auto candidates = by_literal.find(ToAbsl(key));
      if (candidates == by_literal.end()) return;
      for (const int candidate : candidates->second) {
        if (by.has_value() && *by < candidate) break;
        if (Covers(shapes[candidate], shape)) by = candidate;
      }
    };
    if (shape.kind == RouteMatch::kSafeRegex) {
      look_at(literal);
      look_at("/");
    } else {
      for (size_t length = 1; length <= literal.size(); ++length)
        look_at(literal.substr(0, length));
    }
    if (by.has_value()) hidden.push_back({.route = i, .by = *by});
    std::vector<int>& same = by_literal[literal];
    if (same.size() < kMaxCandidates) same.push_back(i);
  }
  return hidden;
}

}  // namespace pillion::config
