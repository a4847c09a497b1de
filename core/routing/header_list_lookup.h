// The HTTP codec's headers, for route matching.
//
// Threads: as HeaderList: used by the exchange that owns the list.
#ifndef PILLION_CORE_ROUTING_HEADER_LIST_LOOKUP_H_
#define PILLION_CORE_ROUTING_HEADER_LIST_LOOKUP_H_

#include <optional>
#include <string>
#include <string_view>

#include "core/http/head.h"
#include "core/routing/request_view.h"

namespace pillion::routing {

// REQUIRES: the list outlives it.
class HeaderListLookup final : public HeaderLookup {
 public:
  explicit HeaderListLookup(const http::HeaderList& headers) : headers_(headers) {}

  std::optional<std::string_view> Get(std::string_view lower_name,
                                      std::string* scratch) const override;

 private:
  const http::HeaderList& headers_;
};

}  // namespace pillion::routing

#endif  // PILLION_CORE_ROUTING_HEADER_LIST_LOOKUP_H_
