#include "core/routing/header_list_lookup.h"

#include "absl/strings/match.h"
#include "core/http/header_names.h"
#include "core/strings.h"

namespace pillion::routing {

std::optional<std::string_view> HeaderListLookup::Get(std::string_view lower_name,
                                                      std::string* scratch) const {
  const http::Header* first = headers_.Find(lower_name);
  if (first == nullptr) return std::nullopt;
  std::string_view value = first->value;
  for (const http::Header* next = first + 1; next != headers_.end(); ++next) {
    if (!absl::EqualsIgnoreCase(ToAbsl(next->name), ToAbsl(lower_name))) continue;
    if (value.data() != scratch->data()) *scratch = value;
    scratch->append(",").append(next->value);
    value = *scratch;
  }
  return value;
}

}  // namespace pillion::routing
