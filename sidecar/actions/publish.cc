#include "sidecar/actions/publish.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
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
    absl::StatusOr<std::vector<CloudEvent>> events = EventsOf(call, mode, *std::move(body));
    if (!events.ok()) {
      const std::string detail(events.status().message());
      co_await Fail(call, absl::IsOutOfRange(events.status()) ? 413 : 400, "", detail);
      co_return;
    }
    std::vector<delivery::AcceptRequest> requests;
    for (CloudEvent& event : *events)
      requests.push_back(NewRequest(call, std::move(event), *delay));
    if (mode == CloudEventMode::kBatch) {
      co_await PublishBatch(call, std::move(requests), *delay);
    } else {
      co_await PublishOne(call, std::move(requests.front()), *delay);
    }
  }

 private:
  net::Task<void> PublishOne(Call& call, delivery::AcceptRequest request,
                             absl::Duration delay) const {
    absl::StatusOr<delivery::Accepted> accepted =
        co_await Accept(call.services.engine, std::move(request), call.scope());
    if (!accepted.ok()) {
      co_await FailAccept(call, accepted.status());
      co_return;
    }
    call.operation_id = accepted->id;
    call.record.operation_id = call.operation_id;
    co_await respond_.Send(call, kMessages, accepted->id, "pending", absl::Now() + delay,
                           /*preferred=*/false);
  }

  // The route's own limits, where they are below the subscription's.
  void Tighten(delivery::Backlog& limit) const {
    if (config_.has_max_pending()) {
      limit.deliveries = std::min(limit.deliveries, static_cast<int64_t>(config_.max_pending()));
    }
    if (config_.has_max_pending_bytes()) {
      limit.bytes = std::min(limit.bytes, static_cast<int64_t>(config_.max_pending_bytes()));
    }
  }

  net::Task<void> PublishBatch(Call& call, std::vector<delivery::AcceptRequest> requests,
                               absl::Duration delay) const {
    std::vector<delivery::Accepted> messages;
    if (!requests.empty()) {
      absl::StatusOr<std::vector<delivery::Accepted>> accepted =
          co_await AcceptAll(call.services.engine, std::move(requests), call.scope());
      if (!accepted.ok()) {
        co_await FailAccept(call, accepted.status());
        co_return;
      }
      messages = *std::move(accepted);
    }
    co_await SendAcceptedBatch(call, messages, absl::Now() + delay);
  }

  // One, or those of a batch.
  absl::StatusOr<std::vector<CloudEvent>> EventsOf(Call& call, CloudEventMode mode,
                                                   std::string body) const {
    const http::HeaderList& headers = call.request().headers;
    std::vector<CloudEvent> events;
    if (mode == CloudEventMode::kNone) {
      CloudEvent& event = events.emplace_back();
      event.data = std::move(body);
      event.Default("datacontenttype", headers.Value(HeaderId::kContentType));
    } else if (mode == CloudEventMode::kBatch) {
      absl::StatusOr<std::vector<CloudEvent>> batch = ParseCloudEventBatch(body);
      if (!batch.ok()) return batch.status();
      events = *std::move(batch);
    } else {
      absl::StatusOr<CloudEvent> own = ParseCloudEvent(mode, headers, std::move(body));
      if (!own.ok()) return own.status();
      events.push_back(*std::move(own));
    }
    for (size_t i = 0; i < events.size(); ++i) {
      const absl::Status complete = Complete(call, events[i]);
      if (!complete.ok()) return mode == CloudEventMode::kBatch ? InBatch(i, complete) : complete;
    }
    return events;
  }

  // With what the publisher left out.
  absl::Status Complete(Call& call, CloudEvent& event) const {
    const http::HeaderList& headers = call.request().headers;
    event.Default("source", StrCat("/services/", call.services.service));
    event.Default("type", route_.topic());
    event.Default("subject", call.path);
    if (config_.has_key()) event.Default("partitionkey", headers.Value(config_.key().header()));
    event.Default("traceparent", headers.Value(HeaderId::kTraceparent));
    return CheckAttributeSizes(event);
  }

  delivery::AcceptRequest NewRequest(Call& call, CloudEvent event, absl::Duration delay) const {
    const std::string key(event.Get("partitionkey"));
    std::string data = std::move(event.data);
    if (config_.payload() == config::v1::NONE) {
      data.clear();
      std::erase_if(event.attributes,
                    [](const auto& attribute) { return attribute.first == "datacontenttype"; });
    }
    delivery::AcceptRequest request =
        route_.NewMessage(delivery::MessageKind::kPublish, event, std::move(data), key);
    for (delivery::NewDelivery& delivery : request.deliveries) {
      delivery.delay = delay;
      Tighten(delivery.max_backlog);
    }
    request.message.method = call.request().method;
    request.message.path_and_query = call.path;
    request.message.authority = call.request().authority;
    return request;
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
