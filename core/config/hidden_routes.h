// Which routes never get a call, because an earlier one takes all of theirs.
//
// Threads: pure functions.
#ifndef PILLION_CORE_CONFIG_HIDDEN_ROUTES_H_
#define PILLION_CORE_CONFIG_HIDDEN_ROUTES_H_

#include <vector>

namespace pillion::config {

namespace v1 {
class VirtualHost;
}

struct HiddenRoute {
  int route;  // index in the virtual host
  int by;     // index of the first route that hides it
};

// Certain cases only: an answer is never wrong, but a route that several together hide, or that a
// regular expression hides, is not found.
std::vector<HiddenRoute> FindHiddenRoutes(const v1::VirtualHost& host);

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_HIDDEN_ROUTES_H_
