// The condition of a route on the path.
//
// Threads: immutable; any number of threads may match.
#ifndef PILLION_CORE_ROUTING_PATH_CONDITION_H_
#define PILLION_CORE_ROUTING_PATH_CONDITION_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace re2 {
class RE2;
}
namespace pillion::config::v1 {
class RouteMatch;
}

namespace pillion::routing {

class PathCondition {
 public:
  // INVALID_ARGUMENT if there is none or the regular expression does not compile.
  static absl::StatusOr<PathCondition> Compile(const config::v1::RouteMatch& match);

  PathCondition(PathCondition&& other) noexcept;
  PathCondition& operator=(PathCondition&& other) noexcept;
  ~PathCondition();

  // `path` is canonical, without the query. No allocation.
  bool Matches(std::string_view path) const;

  // "path '/x' does not start with '/reports'". REQUIRES: !Matches(path).
  std::string WhyNot(std::string_view path) const;

  // Every path that matches begins with this; in any letter case unless case_sensitive(). May be
  // empty.
  std::string_view literal_prefix() const { return literal_; }
  bool case_sensitive() const { return case_sensitive_; }

 private:
  enum class Kind { kPrefix, kPath, kSeparatedPrefix, kRegex };

  PathCondition();

  Kind kind_;
  bool case_sensitive_;
  std::string literal_;              // all of it, or what a regular expression begins with
  std::unique_ptr<re2::RE2> regex_;  // for kRegex
};

}  // namespace pillion::routing

#endif  // PILLION_CORE_ROUTING_PATH_CONDITION_H_
