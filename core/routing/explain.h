// Why a request gets the route that it gets, or none: for `pillionctl explain` and for the `why` of
// a 404. Tries every route in turn, unlike RouteTable::Match(), and agrees with it.
//
// Threads: pure functions.
#ifndef PILLION_CORE_ROUTING_EXPLAIN_H_
#define PILLION_CORE_ROUTING_EXPLAIN_H_

#include <string>
#include <vector>

#include "core/routing/request_view.h"

namespace pillion::routing {

class RouteTable;
struct CompiledRoute;

struct Explanation {
  // Each virtual host and why it was or was not taken, and the domain that may have been meant
  // where none was; each route tried, in order, and why it did not match; the one that did, and
  // what it does with all defaults, as YAML. Long lists are cut and end in
  // "... and 9,912 more". No line ends in '\n'; what a request says is printable ASCII in them.
  std::vector<std::string> lines;
  const CompiledRoute* route = nullptr;  // null: none; lives as long as the table
};

Explanation Explain(const RouteTable& table, const RequestView& request);

// The lines that tell a caller why there is no route: as above, but few, and made in a time that
// hardly depends on the size of the table. REQUIRES: table.Match(request) is null.
std::vector<std::string> NoRouteWhy(const RouteTable& table, const RequestView& request);

}  // namespace pillion::routing

#endif  // PILLION_CORE_ROUTING_EXPLAIN_H_
