// Query parameters, in the form that HTML forms and most clients write:
// application/x-www-form-urlencoded (WHATWG URL Standard, section 5).
//
// Threads: pure functions.
#ifndef PILLION_CORE_ROUTING_QUERY_H_
#define PILLION_CORE_ROUTING_QUERY_H_

#include <optional>
#include <string_view>

#include "absl/container/inlined_vector.h"

namespace pillion::routing {

// Room for a decoded value; a longer one is taken from the heap.
using QueryScratch = absl::InlinedVector<char, 512>;

// The value of the first parameter `name` of `query` (without '?'), decoded: %41 is A and '+' a
// space; an incomplete escape stands for itself. "" for a parameter without '='; nullopt if there
// is none. The result is a view of `query`, or of *scratch if something had to be decoded.
std::optional<std::string_view> QueryValue(std::string_view query, std::string_view name,
                                           QueryScratch* scratch);

}  // namespace pillion::routing

#endif  // PILLION_CORE_ROUTING_QUERY_H_
