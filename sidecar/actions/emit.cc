#include "sidecar/actions/emit.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/http/head.h"
#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/actions/call.h"
#include "sidecar/actions/engine_calls.h"
#include "sidecar/actions/topic_route.h"

namespace pillion::sidecar {
namespace {

using http::HeaderId;

// One entry of `emit`.
struct Emission {
  config::v1::EmitAction config;
  TopicRoute route;

  bool AppliesTo(std::string_view method, int status) const {
    if (config.on() == config::v1::EmitAction::SUCCESS && (status < 200 || status > 399)) {
      return false;
    }
    return config.methods().empty() || std::find(config.methods().begin(), config.methods().end(),
                                                 method) != config.methods().end();
  }
};

class RouteEmitter final : public Emitter {
 public:
  explicit RouteEmitter(std::vector<Emission> emissions) : emissions_(std::move(emissions)) {}

  net::Task<absl::Status> Emit(Call& call, const http::ResponseHead& answer,
                               net::CancelScope& scope) const override {
    for (const Emission& emission : emissions_) {
      if (!emission.AppliesTo(call.request().method, answer.status)) continue;
      delivery::AcceptRequest request = EventOf(emission, call, answer);
      absl::StatusOr<delivery::Accepted> accepted =
          co_await Accept(call.services.engine, std::move(request), scope);
      if (!accepted.ok()) co_return accepted.status();
      call.operation_id = accepted->id;
      call.record.operation_id = call.operation_id;
    }
    co_return absl::OkStatus();
  }

 private:
  static delivery::AcceptRequest EventOf(const Emission& emission, Call& call,
                                         const http::ResponseHead& answer) {
    const http::HeaderList& headers = call.request().headers;
    const std::string_view location = answer.headers.Value(HeaderId::kLocation);
    CloudEvent event;
    event.Default("source", StrCat("/services/", call.services.service));
    event.Default("type", emission.route.topic());
    event.Default("subject", location.empty() ? call.path : location);
    std::string_view key;
    if (emission.config.has_key()) key = headers.Value(emission.config.key().header());
    event.Default("partitionkey", key);
    event.Default("traceparent", headers.Value(HeaderId::kTraceparent));
    delivery::AcceptRequest request =
        emission.route.NewMessage(delivery::MessageKind::kEmit, event, "", key);
    request.message.method = call.request().method;
    request.message.path_and_query = call.path;
    request.message.authority = call.request().authority;
    return request;
  }

  const std::vector<Emission> emissions_;
};

}  // namespace

std::unique_ptr<const Emitter> CompileEmitter(const config::v1::Route& route,
                                              const CompileContext& context) {
  if (route.emit().empty()) return nullptr;
  std::vector<Emission> emissions;
  for (const config::v1::EmitAction& config : route.emit()) {
    emissions.push_back({config, TopicRoute(config.topic(), config.broker(), context)});
  }
  return std::make_unique<RouteEmitter>(std::move(emissions));
}

}  // namespace pillion::sidecar
