#include "sidecar/actions/rewrite.h"

#include <re2/re2.h>

#include <algorithm>

#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::sidecar {

PathRewrite::PathRewrite() = default;
PathRewrite::PathRewrite(PathRewrite&&) noexcept = default;
PathRewrite& PathRewrite::operator=(PathRewrite&&) noexcept = default;
PathRewrite::~PathRewrite() = default;

absl::StatusOr<PathRewrite> PathRewrite::Compile(const config::v1::RouteMatch& match,
                                                 std::string_view prefix_rewrite,
                                                 const config::v1::RegexRewrite* regex_rewrite) {
  PathRewrite result;
  result.prefix_ = prefix_rewrite;
  switch (match.path_specifier_case()) {
    case config::v1::RouteMatch::kPrefix:
      result.matched_length_ = match.prefix().size();
      break;
    case config::v1::RouteMatch::kPathSeparatedPrefix:
      result.matched_length_ = match.path_separated_prefix().size();
      break;
    case config::v1::RouteMatch::kPath:
      result.matched_length_ = match.path().size();
      break;
    default:  // a regular expression matches the whole path
      result.matched_length_ = std::string::npos;
      break;
  }
  if (regex_rewrite != nullptr) {
    result.pattern_ = std::make_unique<re2::RE2>(regex_rewrite->pattern(), re2::RE2::Quiet);
    if (!result.pattern_->ok()) {
      return absl::InvalidArgumentError(
          StrCat("regex_rewrite.pattern: ", result.pattern_->error()));
    }
    result.substitution_ = regex_rewrite->substitution();
  }
  return result;
}

std::string_view PathRewrite::Apply(std::string_view path, std::string* scratch) const {
  if (pattern_ != nullptr) {
    scratch->assign(path);
    re2::RE2::GlobalReplace(scratch, *pattern_, substitution_);
  } else if (!prefix_.empty()) {
    std::string_view rest = path.substr(std::min(matched_length_, path.size()));
    // "/" for "/api/" must give "/x" and not "//x" or "x".
    scratch->assign(prefix_);
    if (scratch->ends_with('/') && rest.starts_with('/')) rest.remove_prefix(1);
    if (!scratch->ends_with('/') && !rest.empty() && !rest.starts_with('/')) *scratch += '/';
    scratch->append(rest);
  } else {
    return path;
  }
  if (!scratch->starts_with('/')) scratch->insert(0, "/");
  return *scratch;
}

}  // namespace pillion::sidecar
