#include "core/routing/path_condition.h"

#include <re2/re2.h>

#include "absl/strings/match.h"
#include "core/routing/quote.h"
#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::routing {
namespace {

using config::v1::RouteMatch;
using std::string_view_literals::operator""sv;

// What every text that matches the regular expression begins with, as far as that is plain to see.
std::string LiteralPrefix(std::string_view regex) {
  if (regex.find('|') != std::string_view::npos) return "";
  ConsumePrefix(regex, "^");
  size_t size = 0;
  while (size < regex.size() && static_cast<unsigned char>(regex[size]) < 0x80 &&
         R"(\.[](){}*+?^$)"sv.find(regex[size]) == std::string_view::npos) {
    ++size;
  }
  // A quantifier may take the character before it away.
  if (size > 0 && size < regex.size() && "*?{"sv.find(regex[size]) != std::string_view::npos) {
    --size;
  }
  return std::string(regex.substr(0, size));
}

}  // namespace

PathCondition::PathCondition() = default;
PathCondition::PathCondition(PathCondition&& other) noexcept = default;
PathCondition& PathCondition::operator=(PathCondition&& other) noexcept = default;
PathCondition::~PathCondition() = default;

absl::StatusOr<PathCondition> PathCondition::Compile(const RouteMatch& match) {
  PathCondition condition;
  condition.case_sensitive_ = !match.has_case_sensitive() || match.case_sensitive();
  switch (match.path_specifier_case()) {
    case RouteMatch::kPrefix:
      condition.kind_ = Kind::kPrefix;
      condition.literal_ = match.prefix();
      return condition;
    case RouteMatch::kPath:
      condition.kind_ = Kind::kPath;
      condition.literal_ = match.path();
      return condition;
    case RouteMatch::kPathSeparatedPrefix:
      condition.kind_ = Kind::kSeparatedPrefix;
      condition.literal_ = match.path_separated_prefix();
      return condition;
    case RouteMatch::kSafeRegex:
      break;
    case RouteMatch::PATH_SPECIFIER_NOT_SET:
      return absl::InvalidArgumentError("there is no condition on the path");
  }
  condition.kind_ = Kind::kRegex;
  condition.literal_ = LiteralPrefix(match.safe_regex());
  re2::RE2::Options options(re2::RE2::Quiet);
  options.set_case_sensitive(condition.case_sensitive_);
  condition.regex_ = std::make_unique<re2::RE2>(match.safe_regex(), options);
  if (!condition.regex_->ok()) {
    return absl::InvalidArgumentError(
        StrCat("the regular expression does not compile: ", condition.regex_->error()));
  }
  return condition;
}

bool PathCondition::Matches(std::string_view path) const {
  if (kind_ == Kind::kRegex) {
    return re2::RE2::FullMatch(re2::StringPiece(path.data(), path.size()), *regex_);
  }
  const bool starts = case_sensitive_ ? path.starts_with(literal_)
                                      : absl::StartsWithIgnoreCase(ToAbsl(path), literal_);
  if (!starts) return false;
  switch (kind_) {
    case Kind::kPath:
      return path.size() == literal_.size();
    case Kind::kSeparatedPrefix:
      return path.size() == literal_.size() || literal_.ends_with('/') ||
             path[literal_.size()] == '/';
    default:
      return true;
  }
}

std::string PathCondition::WhyNot(std::string_view path) const {
  const std::string subject = StrCat("path ", Quoted(path));
  const std::string_view any_case = case_sensitive_ ? "" : " (in any letter case)";
  switch (kind_) {
    case Kind::kPrefix:
      return StrCat(subject, " does not start with ", Quoted(literal_), any_case);
    case Kind::kPath:
      return StrCat(subject, " is not ", Quoted(literal_), any_case);
    case Kind::kSeparatedPrefix:
      return StrCat(subject, " is neither ", Quoted(literal_), " nor below it", any_case);
    case Kind::kRegex:
      break;
  }
  return StrCat(subject, " does not match the regular expression ", Quoted(regex_->pattern()),
                any_case);
}

}  // namespace pillion::routing
