// Path rewriting: prefix_rewrite and regex_rewrite of `route` and `redirect`.

#ifndef PILLION_SIDECAR_ACTIONS_REWRITE_H_
#define PILLION_SIDECAR_ACTIONS_REWRITE_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace re2 {
class RE2;
}
namespace pillion::config::v1 {
class RegexRewrite;
class RouteMatch;
}  // namespace pillion::config::v1

namespace pillion::sidecar {

// Immutable.
class PathRewrite {
 public:
  PathRewrite();
  PathRewrite(PathRewrite&&) noexcept;
  PathRewrite& operator=(PathRewrite&&) noexcept;
  ~PathRewrite();

  // `prefix_rewrite` takes the place of what the route's prefix or path matched; empty: none.
  // Errors (InvalidArgument): the pattern does not compile.
  static absl::StatusOr<PathRewrite> Compile(const config::v1::RouteMatch& match,
                                             std::string_view prefix_rewrite,
                                             const config::v1::RegexRewrite* regex_rewrite);

  // The path to use: `path` itself when nothing is to be rewritten, else a view of `*scratch`.
  std::string_view Apply(std::string_view path, std::string* scratch) const;

 private:
  size_t matched_length_ = 0;
  std::string prefix_;
  std::unique_ptr<re2::RE2> pattern_;
  std::string substitution_;
};

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_REWRITE_H_
