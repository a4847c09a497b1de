// The routes of one virtual host by what their paths begin with, so that only those are tried that
// can match.
//
// The literal beginnings of all routes are kept sorted, each with a link to the longest other one
// that it begins with. A path's own place in that order is found by binary search; from there the
// links lead through all beginnings that the path has.
//
// Threads: immutable; any number of threads may search.
#ifndef PILLION_CORE_ROUTING_PATH_INDEX_H_
#define PILLION_CORE_ROUTING_PATH_INDEX_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "core/routing/matcher.h"

namespace pillion::routing {

class PathIndex {
 public:
  static constexpr size_t kNone = SIZE_MAX;

  explicit PathIndex(absl::Span<const RouteMatcher> routes);

  // The least position in `routes` for which `matches` says true, or kNone. `matches` is asked, in
  // no certain order, about all that could be the answer. No allocation.
  size_t FindFirst(std::string_view path, absl::FunctionRef<bool(size_t)> matches) const;

 private:
  static constexpr uint32_t kNoParent = UINT32_MAX;

  struct Node {
    std::string literal;
    uint32_t parent;               // the longest node that `literal` begins with, or kNoParent
    std::vector<uint32_t> routes;  // ascending
  };

  // Nodes sorted by literal.
  class Literals {
   public:
    explicit Literals(bool case_sensitive) : case_sensitive_(case_sensitive) {}

    void Add(std::string_view literal, size_t route);
    void Finish();  // after the last Add()
    // Lowers *best to the least position that matches.
    void Search(std::string_view path, absl::FunctionRef<bool(size_t)> matches, size_t* best) const;

   private:
    bool Precedes(std::string_view path, std::string_view literal) const;
    bool Begins(std::string_view path, std::string_view literal) const;

    const bool case_sensitive_;  // false: literals are in lower case
    std::vector<Node> nodes_;
  };

  Literals exact_case_{true};
  Literals any_case_{false};
};

}  // namespace pillion::routing

#endif  // PILLION_CORE_ROUTING_PATH_INDEX_H_
