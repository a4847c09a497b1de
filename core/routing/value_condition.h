// The condition of a route on the value of one header or one query parameter.
//
// Threads: immutable; any number of threads may match.
#ifndef PILLION_CORE_ROUTING_VALUE_CONDITION_H_
#define PILLION_CORE_ROUTING_VALUE_CONDITION_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace re2 {
class RE2;
}
namespace pillion::config::v1 {
class HeaderMatcher;
class QueryParameterMatcher;
}  // namespace pillion::config::v1

namespace pillion::routing {

class ValueCondition {
 public:
  // INVALID_ARGUMENT if there is no condition or the regular expression does not compile.
  static absl::StatusOr<ValueCondition> Compile(const config::v1::HeaderMatcher& matcher);
  static absl::StatusOr<ValueCondition> Compile(const config::v1::QueryParameterMatcher& matcher);

  ValueCondition(ValueCondition&& other) noexcept;
  ValueCondition& operator=(ValueCondition&& other) noexcept;
  ~ValueCondition();

  // What the condition is about: a header in lower case, or a query parameter.
  const std::string& name() const { return name_; }

  // True if it holds for `value`; nullopt: there is none. No allocation.
  bool Matches(std::optional<std::string_view> value) const;

  // "x-tier is 'silver', wanted 'gold'". REQUIRES: !Matches(value).
  std::string WhyNot(std::optional<std::string_view> value) const;

 private:
  enum class Kind { kExact, kPrefix, kSuffix, kContains, kRegex, kPresent, kAbsent };

  ValueCondition();
  template <typename Matcher>
  static absl::StatusOr<ValueCondition> CompileAny(const Matcher& matcher, std::string name);
  bool Holds(std::string_view value) const;
  std::string Wanted() const;

  std::string name_;
  Kind kind_ = Kind::kPresent;
  bool invert_ = false;
  std::string text_;                 // what the value is compared with
  std::unique_ptr<re2::RE2> regex_;  // for kRegex
};

}  // namespace pillion::routing

#endif  // PILLION_CORE_ROUTING_VALUE_CONDITION_H_
