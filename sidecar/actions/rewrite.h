// Path rewriting: prefix_rewrite and regex_rewrite of `route` and `redirect`.

#ifndef PILLION_SIDECAR_ACTIONS_REWRITE_H_
#define PILLION_SIDECAR_ACTIONS_REWRITE_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/http/path.h"

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
  // Errors (InvalidArgument): the pattern does not compile, or `prefix_rewrite` is no path.
  static absl::StatusOr<PathRewrite> Compile(const config::v1::RouteMatch& match,
                                             std::string_view prefix_rewrite,
                                             const config::v1::RegexRewrite* regex_rewrite);

  // The path to use: `path` itself when nothing is to be rewritten, else a view of `*scratch`. An
  // error when that is not in canonical form: a caller must not be able to make up dot segments of
  // a prefix and a rest ("/api" to "/", called with "/api../admin"). REQUIRES: `path` is canonical.
  http::NormalizedPath Apply(std::string_view path, std::string* scratch) const;

 private:
  size_t matched_length_ = 0;
  bool matched_slash_ = false;  // what is matched ends with a slash, and so with a whole segment
  std::string prefix_;
  std::unique_ptr<re2::RE2> pattern_;
  std::string substitution_;
};

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_REWRITE_H_
