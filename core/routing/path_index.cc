#include "core/routing/path_index.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "core/strings.h"

namespace pillion::routing {
namespace {

bool LowerPrecedes(char a, char b) {
  return static_cast<unsigned char>(absl::ascii_tolower(static_cast<unsigned char>(a))) <
         static_cast<unsigned char>(absl::ascii_tolower(static_cast<unsigned char>(b)));
}

}  // namespace

PathIndex::PathIndex(absl::Span<const RouteMatcher> routes) {
  for (size_t i = 0; i < routes.size(); ++i) {
    const PathCondition& path = routes[i].path();
    (path.case_sensitive() ? exact_case_ : any_case_).Add(path.literal_prefix(), i);
  }
  exact_case_.Finish();
  any_case_.Finish();
}

size_t PathIndex::FindFirst(std::string_view path, absl::FunctionRef<bool(size_t)> matches) const {
  size_t best = kNone;
  exact_case_.Search(path, matches, &best);
  any_case_.Search(path, matches, &best);
  return best;
}

void PathIndex::Literals::Add(std::string_view literal, size_t route) {
  nodes_.push_back(
      {.literal = case_sensitive_ ? std::string(literal) : absl::AsciiStrToLower(ToAbsl(literal)),
       .parent = kNoParent,
       .routes = {static_cast<uint32_t>(route)}});
}

void PathIndex::Literals::Finish() {
  std::stable_sort(nodes_.begin(), nodes_.end(),
                   [](const Node& a, const Node& b) { return a.literal < b.literal; });
  std::vector<Node> merged;
  for (Node& node : nodes_) {
    if (!merged.empty() && merged.back().literal == node.literal) {
      merged.back().routes.push_back(node.routes.front());
      continue;
    }
    // In sorted order a literal's beginnings come before it, and its predecessor begins with all of
    // them.
    uint32_t parent = merged.empty() ? kNoParent : static_cast<uint32_t>(merged.size() - 1);
    while (parent != kNoParent && !node.literal.starts_with(merged[parent].literal)) {
      parent = merged[parent].parent;
    }
    node.parent = parent;
    merged.push_back(std::move(node));
  }
  nodes_ = std::move(merged);
}

bool PathIndex::Literals::Precedes(std::string_view path, std::string_view literal) const {
  if (case_sensitive_) return path < literal;
  return std::lexicographical_compare(path.begin(), path.end(), literal.begin(), literal.end(),
                                      LowerPrecedes);
}

bool PathIndex::Literals::Begins(std::string_view path, std::string_view literal) const {
  return case_sensitive_ ? path.starts_with(literal)
                         : absl::StartsWithIgnoreCase(ToAbsl(path), ToAbsl(literal));
}

void PathIndex::Literals::Search(std::string_view path, absl::FunctionRef<bool(size_t)> matches,
                                 size_t* best) const {
  const auto after = std::upper_bound(
      nodes_.begin(), nodes_.end(), path,
      [this](std::string_view p, const Node& node) { return Precedes(p, node.literal); });
  uint32_t at =
      after == nodes_.begin() ? kNoParent : static_cast<uint32_t>(after - nodes_.begin() - 1);
  for (; at != kNoParent; at = nodes_[at].parent) {
    const Node& node = nodes_[at];
    if (!Begins(path, node.literal)) continue;
    for (const uint32_t route : node.routes) {
      if (route >= *best) break;
      if (!matches(route)) continue;
      *best = route;
      break;
    }
  }
}

}  // namespace pillion::routing
