#include "core/routing/value_condition.h"

#include <re2/re2.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "core/routing/quote.h"
#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::routing {

ValueCondition::ValueCondition() = default;
ValueCondition::ValueCondition(ValueCondition&& other) noexcept = default;
ValueCondition& ValueCondition::operator=(ValueCondition&& other) noexcept = default;
ValueCondition::~ValueCondition() = default;

absl::StatusOr<ValueCondition> ValueCondition::Compile(const config::v1::HeaderMatcher& matcher) {
  return CompileAny(matcher, absl::AsciiStrToLower(matcher.name()));
}

absl::StatusOr<ValueCondition> ValueCondition::Compile(
    const config::v1::QueryParameterMatcher& matcher) {
  return CompileAny(matcher, matcher.name());
}

template <typename Matcher>
absl::StatusOr<ValueCondition> ValueCondition::CompileAny(const Matcher& matcher,
                                                          std::string name) {
  ValueCondition condition;
  condition.name_ = std::move(name);
  condition.invert_ = matcher.invert();
  switch (matcher.condition_case()) {
    case Matcher::kExact:
      condition.kind_ = Kind::kExact;
      condition.text_ = matcher.exact();
      return condition;
    case Matcher::kPrefix:
      condition.kind_ = Kind::kPrefix;
      condition.text_ = matcher.prefix();
      return condition;
    case Matcher::kSuffix:
      condition.kind_ = Kind::kSuffix;
      condition.text_ = matcher.suffix();
      return condition;
    case Matcher::kContains:
      condition.kind_ = Kind::kContains;
      condition.text_ = matcher.contains();
      return condition;
    case Matcher::kPresent:
      condition.kind_ = matcher.present() ? Kind::kPresent : Kind::kAbsent;
      return condition;
    case Matcher::kSafeRegex:
      break;
    case Matcher::CONDITION_NOT_SET:
      return absl::InvalidArgumentError(
          StrCat("there is no condition on ", Quoted(condition.name_)));
  }
  condition.kind_ = Kind::kRegex;
  condition.text_ = matcher.safe_regex();
  condition.regex_ = std::make_unique<re2::RE2>(condition.text_, re2::RE2::Quiet);
  if (!condition.regex_->ok()) {
    return absl::InvalidArgumentError(
        StrCat("the regular expression does not compile: ", condition.regex_->error()));
  }
  return condition;
}

bool ValueCondition::Matches(std::optional<std::string_view> value) const {
  const bool holds = value.has_value() ? Holds(*value) : kind_ == Kind::kAbsent;
  return holds != invert_;
}

bool ValueCondition::Holds(std::string_view value) const {
  switch (kind_) {
    case Kind::kExact:
      return value == text_;
    case Kind::kPrefix:
      return value.starts_with(text_);
    case Kind::kSuffix:
      return value.ends_with(text_);
    case Kind::kContains:
      return value.find(text_) != std::string_view::npos;
    case Kind::kRegex:
      return re2::RE2::FullMatch(re2::StringPiece(value.data(), value.size()), *regex_);
    case Kind::kPresent:
      return true;
    case Kind::kAbsent:
      break;
  }
  return false;
}

std::string ValueCondition::WhyNot(std::optional<std::string_view> value) const {
  return StrCat(name_, " is ", value.has_value() ? Quoted(*value) : "absent", ", wanted ",
                Wanted());
}

std::string ValueCondition::Wanted() const {
  switch (kind_) {
    case Kind::kExact:
      return StrCat(invert_ ? "any but " : "", Quoted(text_));
    case Kind::kPrefix:
      return StrCat(invert_ ? "no value that starts with " : "a value that starts with ",
                    Quoted(text_));
    case Kind::kSuffix:
      return StrCat(invert_ ? "no value that ends with " : "a value that ends with ",
                    Quoted(text_));
    case Kind::kContains:
      return StrCat(invert_ ? "no value that contains " : "a value that contains ", Quoted(text_));
    case Kind::kRegex:
      return StrCat(invert_ ? "no value" : "a value", " that matches the regular expression ",
                    Quoted(text_));
    case Kind::kPresent:
      return invert_ ? "none" : "any value";
    case Kind::kAbsent:
      break;
  }
  return invert_ ? "any value" : "none";
}

}  // namespace pillion::routing
