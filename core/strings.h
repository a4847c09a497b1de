// Text, between std::string_view, which our interfaces speak, and Abseil.
//
// Debian builds Abseil with an absl::string_view of its own, which does not convert from the
// standard one. Everything else about both is the same.

#ifndef PILLION_CORE_STRINGS_H_
#define PILLION_CORE_STRINGS_H_

#include <string>
#include <string_view>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace pillion {

// The same bytes, for an Abseil function.
inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

inline std::string_view FromAbsl(absl::string_view text) { return {text.data(), text.size()}; }

namespace internal {

template <typename T>
decltype(auto) CatArgument(const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return ToAbsl(value);
  } else {
    return (value);
  }
}

}  // namespace internal

// absl::StrCat() that takes standard views, too.
template <typename... T>
std::string StrCat(const T&... values) {
  return absl::StrCat(internal::CatArgument(values)...);
}

template <typename... T>
void StrAppend(std::string* out, const T&... values) {
  absl::StrAppend(out, internal::CatArgument(values)...);
}

// Cut `prefix` or `suffix` off. False, and `text` untouched, when it does not stand there.
inline bool ConsumePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

inline bool ConsumeSuffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

}  // namespace pillion

#endif  // PILLION_CORE_STRINGS_H_
