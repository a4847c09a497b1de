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
  if (!prefix_rewrite.empty()) {
    std::string scratch;
    const http::NormalizedPath prefix = http::NormalizePath(prefix_rewrite, &scratch);
    if (prefix.error != nullptr) {
      return absl::InvalidArgumentError(StrCat("prefix_rewrite: ", prefix.error));
    }
    result.prefix_ = prefix.path;
  }
  switch (match.path_specifier_case()) {
    case config::v1::RouteMatch::kPrefix:
      result.matched_length_ = match.prefix().size();
      result.matched_slash_ = match.prefix().ends_with('/');
      break;
    case config::v1::RouteMatch::kPathSeparatedPrefix:
      result.matched_length_ = match.path_separated_prefix().size();
      result.matched_slash_ = match.path_separated_prefix().ends_with('/');
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

http::NormalizedPath PathRewrite::Apply(std::string_view path, std::string* scratch) const {
  const bool rewrites = pattern_ != nullptr || !prefix_.empty();
  if (!rewrites || path == "*") return {path, nullptr};
  if (pattern_ != nullptr) {
    scratch->assign(path);
    re2::RE2::GlobalReplace(scratch, *pattern_, substitution_);
  } else {
    std::string_view rest = path.substr(std::min(matched_length_, path.size()));
    // "/" for "/api" must give "/x" and not "//x"; "/v2" for "/api/" must give "/v2/x" and not
    // "/v2x". Otherwise what was matched may have ended within a segment, which stays one.
    scratch->assign(prefix_);
    if (scratch->ends_with('/') && rest.starts_with('/')) rest.remove_prefix(1);
    if (matched_slash_ && !scratch->ends_with('/') && !rest.empty()) *scratch += '/';
    scratch->append(rest);
  }
  if (!scratch->starts_with('/')) scratch->insert(0, "/");
  std::string canonical;
  const http::NormalizedPath normalized = http::NormalizePath(*scratch, &canonical);
  if (normalized.error != nullptr) return normalized;
  if (normalized.path != *scratch) return {{}, "rewritten, the path is not in canonical form"};
  return {*scratch, nullptr};
}

}  // namespace pillion::sidecar
