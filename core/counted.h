// "1 delivery", "3 deliveries".
#ifndef PILLION_CORE_COUNTED_H_
#define PILLION_CORE_COUNTED_H_

#include <string>
#include <string_view>

#include "core/strings.h"

namespace pillion {

// `many` is for every number but 1; without it that is `one` with an s.
template <typename Number>
std::string Counted(Number number, std::string_view one, std::string_view many = "") {
  if (number == 1) return StrCat(number, " ", one);
  return many.empty() ? StrCat(number, " ", one, "s") : StrCat(number, " ", many);
}

}  // namespace pillion

#endif  // PILLION_CORE_COUNTED_H_
