// Which services may see and call a virtual host.
#ifndef PILLION_CORE_ROUTING_VISIBILITY_H_
#define PILLION_CORE_ROUTING_VISIBILITY_H_

#include <algorithm>
#include <string_view>

#include "pillion/config/v1/policy.pb.h"

namespace pillion::routing {

// A virtual host without `source_services` is for all.
inline bool IsVisibleTo(std::string_view service, const config::v1::VirtualHost& host) {
  const auto& sources = host.source_services();
  return sources.empty() || std::find(sources.begin(), sources.end(), service) != sources.end();
}

}  // namespace pillion::routing

#endif  // PILLION_CORE_ROUTING_VISIBILITY_H_
