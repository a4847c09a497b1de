#include "sidecar/actions/publish.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "core/config/units.h"
#include "core/routing/route_table.h"
#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/actions/accepted.h"
#include "sidecar/actions/call.h"
#include "sidecar/actions/cloud_event.h"
#include "sidecar/actions/collect.h"
#include "sidecar/actions/delay.h"
#include "sidecar/actions/engine_calls.h"
#include "sidecar/actions/status_json.h"
#include "sidecar/actions/topic_route.h"

namespace pillion::sidecar {
namespace {

using http::HeaderId;

class PublishAction final : public Action {
 public:
  PublishAction(const config::v1::PublishAction& config, const CompileContext& context)
      : config_(config),
        route_(config.topic(), config.broker(), context),
        delay_{config::ToAbslDuration(config_.delay()),
               config::ToAbslDuration(config_.max_delay())},
        respond_(config.has_respond() ? &config.respond() : nullptr) {}

  net::Task<void> Run(Call& call) const override {
    call.record.mode = "publish";
    const CloudEventMode mode = ModeOf(call.request().headers);
    if (mode == CloudEventMode::kBatch) {
      co_await Fail(
          call, 415, "",
          "a batch of CloudEvents is not accepted: send each event by itself, in binary or "
          "structured mode");
      co_return;
    }
    // Subscribers would not learn of it: a CloudEvent has no place for it.
    const std::string_view coding = call.request().headers.Value(HeaderId::kContentEncoding);
    if (!coding.empty() && !absl::EqualsIgnoreCase(ToAbsl(coding), "identity")) {
      http::Problem problem(415, "",
                            StrCat("a message cannot have the content-encoding '", coding,
                                   "': send the body as it is"));
      problem.headers.emplace_back("accept-encoding", "identity");
      co_await Fail(call, std::move(problem));
      co_return;
    }
    const absl::StatusOr<absl::Duration> delay = delay_.Of(call.request().headers);
    if (!delay.ok()) {
      const std::string detail(delay.status().message());
      co_await Fail(call, 400, "", detail);
      co_return;
    }
    std::optional<std::string> body =
        co_await CollectRequestBody(call, config_.max_request_bytes());
    if (!body) co_return;
    absl::StatusOr<CloudEvent> event = EventOf(call, mode, *std::move(body));
    if (!event.ok()) {
      const std::string detail(event.status().message());
      co_await Fail(call, 400, "", detail);
      co_return;
    }
    const std::string key(event->Get("partitionkey"));
    std::string data = std::move(event->data);
    if (config_.payload() == config::v1::NONE) {
      data.clear();
      std::erase_if(event->attributes,
                    [](const auto& attribute) { return attribute.first == "datacontenttype"; });
    }
    delivery::AcceptRequest request =
        route_.NewMessage(delivery::MessageKind::kPublish, *event, std::move(data), key);
    for (delivery::NewDelivery& delivery : request.deliveries) {
      delivery.delay = *delay;
      Tighten(delivery.max_backlog);
    }
    request.message.method = call.request().method;
    request.message.path_and_query = call.path;
    request.message.authority = call.request().authority;
    absl::StatusOr<delivery::Accepted> accepted =
        co_await Accept(call.services.engine, std::move(request), call.scope());
    if (!accepted.ok()) {
      co_await FailAccept(call, accepted.status());
      co_return;
    }
    call.operation_id = accepted->id;
    call.record.operation_id = call.operation_id;
    co_await respond_.Send(call, kMessages, accepted->id, "pending", /*preferred=*/false);
  }

 private:
  // The route's own limits, where they are below the subscription's.
  void Tighten(delivery::Backlog& limit) const {
    if (config_.has_max_pending()) {
      limit.deliveries = std::min(limit.deliveries, static_cast<int64_t>(config_.max_pending()));
    }
    if (config_.has_max_pending_bytes()) {
      limit.bytes = std::min(limit.bytes, static_cast<int64_t>(config_.max_pending_bytes()));
    }
  }

  absl::StatusOr<CloudEvent> EventOf(Call& call, CloudEventMode mode, std::string body) const {
    const http::HeaderList& headers = call.request().headers;
    CloudEvent event;
    if (mode == CloudEventMode::kNone) {
      event.data = std::move(body);
      event.Default("datacontenttype", headers.Value(HeaderId::kContentType));
    } else {
      absl::StatusOr<CloudEvent> own = ParseCloudEvent(mode, headers, std::move(body));
      if (!own.ok()) return own.status();
      event = *std::move(own);
    }
    event.Default("source", StrCat("/services/", call.services.service));
    event.Default("type", route_.topic());
    event.Default("subject", call.path);
    if (config_.has_key()) event.Default("partitionkey", headers.Value(config_.key().header()));
    event.Default("traceparent", headers.Value(HeaderId::kTraceparent));
    absl::Status small = CheckAttributeSizes(event);
    if (!small.ok()) return small;
    return event;
  }

  const config::v1::PublishAction config_;
  const TopicRoute route_;
  const DelayRule delay_;
  const AcceptedResponse respond_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Action>> CompilePublish(const routing::CompiledRoute& route,
                                                             const CompileContext& context) {
  return std::make_unique<PublishAction>(route.route->publish(), context);
}

}  // namespace pillion::sidecar
