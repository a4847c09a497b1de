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

  bool at_least_once() const { return config.guarantee() == config::v1::EmitAction::AT_LEAST_ONCE; }

  bool TakesMethod(std::string_view method) const {
    return config.methods().empty() || std::find(config.methods().begin(), config.methods().end(),
                                                 method) != config.methods().end();
  }

  bool TakesStatus(int status) const {
    return config.on() == config::v1::EmitAction::ANY_ANSWER || (status >= 200 && status < 400);
  }
};

class RouteEmitter final : public Emitter {
 public:
  explicit RouteEmitter(std::vector<Emission> emissions) : emissions_(std::move(emissions)) {}

  net::Task<absl::Status> Prepare(Call& call, EmitIntents& intents,
                                  net::CancelScope& scope) const override {
    for (const Emission& emission : emissions_) {
      if (emission.at_least_once() || !emission.TakesMethod(call.request().method)) continue;
      // Better now than when the upstream has done it.
      absl::Status full = emission.route.CheckRoom(call.services.engine);
      if (!full.ok()) co_return full;
    }
    // All are asked for before the first is awaited: so they are in one commit.
    std::vector<net::Task<absl::StatusOr<delivery::Accepted>>> asked;
    for (size_t i = 0; i < emissions_.size(); ++i) {
      const Emission& emission = emissions_[i];
      if (!emission.at_least_once() || !emission.TakesMethod(call.request().method)) continue;
      delivery::AcceptRequest request = MessageOf(emission, call, EventOf(emission, call, ""));
      request.held = true;
      intents.held.push_back({i, ""});
      asked.push_back(
          Accept(call.services.engine, std::move(request), scope, &intents.held.back().id));
    }
    absl::Status status = absl::OkStatus();
    for (net::Task<absl::StatusOr<delivery::Accepted>>& accept : asked) {
      absl::StatusOr<delivery::Accepted> accepted = co_await std::move(accept);
      if (status.ok() && !accepted.ok()) status = accepted.status();
    }
    co_return status;
  }

  net::Task<absl::Status> Emit(Call& call, const http::ResponseHead& answer, EmitIntents& intents,
                               net::CancelScope& scope) const override {
    for (EmitIntents::Intent& intent : intents.held) {
      const Emission& emission = emissions_[intent.entry];
      if (emission.TakesStatus(answer.status)) {
        Release(call, std::move(intent.id), AttributesOf(emission, call, answer));
      } else {
        call.services.engine.Discard(std::move(intent.id));
      }
    }
    intents.held.clear();
    for (const Emission& emission : emissions_) {
      if (emission.at_least_once() || !emission.TakesMethod(call.request().method) ||
          !emission.TakesStatus(answer.status)) {
        continue;
      }
      delivery::AcceptRequest request =
          MessageOf(emission, call, EventOf(emission, call, LocationOf(answer)));
      absl::StatusOr<delivery::Accepted> accepted =
          co_await Accept(call.services.engine, std::move(request), scope);
      if (!accepted.ok()) co_return accepted.status();
      Note(call, std::move(accepted->id));
    }
    co_return absl::OkStatus();
  }

  void GiveUp(Call& call, bool reached, EmitIntents& intents) const override {
    for (EmitIntents::Intent& intent : intents.held) {
      if (reached) {
        Release(call, std::move(intent.id), "");
      } else {
        call.services.engine.Discard(std::move(intent.id));
      }
    }
    intents.held.clear();
  }

 private:
  static std::string_view LocationOf(const http::ResponseHead& answer) {
    return answer.headers.Value(HeaderId::kLocation);
  }

  static std::string_view KeyOf(const Emission& emission, Call& call) {
    if (!emission.config.has_key()) return "";
    return call.request().headers.Value(emission.config.key().header());
  }

  // `location`: of the answer; empty if it has none, or is not there yet.
  static CloudEvent EventOf(const Emission& emission, Call& call, std::string_view location) {
    CloudEvent event;
    event.Default("source", StrCat("/services/", call.services.service));
    event.Default("type", emission.route.topic());
    event.Default("subject", location.empty() ? call.path : location);
    event.Default("partitionkey", KeyOf(emission, call));
    event.Default("traceparent", call.request().headers.Value(HeaderId::kTraceparent));
    return event;
  }

  // What the answer adds to an event that was stored before it; empty: nothing.
  static std::string AttributesOf(const Emission& emission, Call& call,
                                  const http::ResponseHead& answer) {
    const std::string_view location = LocationOf(answer);
    return location.empty() ? "" : EncodeAttributes(EventOf(emission, call, location));
  }

  static delivery::AcceptRequest MessageOf(const Emission& emission, Call& call,
                                           const CloudEvent& event) {
    delivery::AcceptRequest request =
        emission.route.NewMessage(delivery::MessageKind::kEmit, event, "", KeyOf(emission, call));
    request.message.method = call.request().method;
    request.message.path_and_query = call.path;
    request.message.authority = call.request().authority;
    return request;
  }

  static void Release(Call& call, std::string id, std::string attributes) {
    call.services.engine.Release(id, std::move(attributes));
    Note(call, std::move(id));
  }

  // For the access log.
  static void Note(Call& call, std::string id) {
    call.operation_id = std::move(id);
    call.record.operation_id = call.operation_id;
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
