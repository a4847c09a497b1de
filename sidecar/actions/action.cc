#include "sidecar/actions/action.h"

#include "core/config/defaults.h"
#include "core/routing/route_table.h"
#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/actions/async.h"
#include "sidecar/actions/direct_response.h"
#include "sidecar/actions/forward.h"
#include "sidecar/actions/publish.h"
#include "sidecar/actions/redirect.h"

namespace pillion::sidecar {

const config::v1::EmbeddedBroker& CompileContext::Broker(std::string_view name) const {
  for (const config::v1::Broker& broker : policy.brokers()) {
    if (broker.name() == name) return broker.embedded();
  }
  static const config::v1::EmbeddedBroker& undeclared = []() -> const config::v1::EmbeddedBroker& {
    auto* broker = new config::v1::EmbeddedBroker;
    config::ApplyDefaults(broker);
    return *broker;
  }();
  return undeclared;
}

absl::StatusOr<std::unique_ptr<const Action>> CompileAction(const routing::CompiledRoute& compiled,
                                                            const CompileContext& context) {
  const config::v1::Route& route = *compiled.route;
  switch (route.action_case()) {
    case config::v1::Route::kRoute:
      return CompileForward(route, context);
    case config::v1::Route::kAsync:
      return CompileAsync(compiled, context);
    case config::v1::Route::kPublish:
      return CompilePublish(compiled, context);
    case config::v1::Route::kDirectResponse:
      return CompileDirectResponse(route.direct_response());
    case config::v1::Route::kRedirect:
      return CompileRedirect(route);
    case config::v1::Route::ACTION_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("the route has no action");
}

}  // namespace pillion::sidecar
