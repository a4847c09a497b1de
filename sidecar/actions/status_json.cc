#include "sidecar/actions/status_json.h"

#include <algorithm>
#include <utility>

#include "core/strings.h"

namespace pillion::sidecar {

using delivery::DeliveryState;
using delivery::DeliveryView;
using delivery::MessageView;
using Json = nlohmann::ordered_json;

namespace {

constexpr absl::Duration kLongestRest = absl::Seconds(30);

Json TimeOrNull(const std::optional<absl::Time>& time) {
  return time ? Json(TimeText(*time)) : Json();
}

Json DeliveryJson(const DeliveryView& delivery) {
  Json json;
  json["startedAt"] = TimeOrNull(delivery.started_at);
  json["finishedAt"] = TimeOrNull(delivery.finished_at);
  json["attempts"] = delivery.attempts;
  json["nextAttemptAt"] = TimeOrNull(delivery.next_attempt_at);
  json["lastStatus"] = delivery.last_status == 0 ? Json() : Json(delivery.last_status);
  json["error"] = delivery.last_error.empty() ? Json() : Json(delivery.last_error);
  return json;
}

}  // namespace

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

bool IsOperation(const MessageView& view) {
  return view.message.kind == delivery::MessageKind::kAsync;
}

std::string_view StateOf(const MessageView& view) {
  DeliveryState state = DeliveryState::kSucceeded;
  if (view.deliveries.size() == 1) {
    const DeliveryView& delivery = view.deliveries[0];
    // What the upstream works on runs, whether it is asked about it just now or not.
    const bool runs = delivery.continues && !delivery::IsFinal(delivery.state);
    return runs ? "running" : delivery::DeliveryStateName(delivery.state);
  }
  for (const DeliveryView& delivery : view.deliveries) {
    if (delivery.state == DeliveryState::kRunning) return "running";
    if (delivery.state == DeliveryState::kPending) state = DeliveryState::kPending;
    const bool worse = state == DeliveryState::kSucceeded && delivery.state > state;
    if (worse) state = delivery.state;
  }
  return delivery::DeliveryStateName(state);
}

absl::Time NextLook(const MessageView& view, absl::Time now) {
  if (view.final()) return absl::InfiniteFuture();
  absl::Time next = view.message.expires_at;
  for (const DeliveryView& delivery : view.deliveries) {
    if (delivery::IsFinal(delivery.state)) continue;
    next = std::min(next, delivery.next_attempt_at.value_or(absl::InfinitePast()));
    // A rest after a failed attempt ends early when the receiver is back.
    if (delivery.started_at && !delivery.continues) next = std::min(next, now + kLongestRest);
  }
  return next;
}

Json StatusJson(const MessageView& view, std::string_view authority) {
  const bool operation = IsOperation(view);
  const std::string url =
      StrCat("http://", authority, operation ? kOperations : kMessages, view.message.id);
  Json json;
  json["id"] = view.message.id;
  json["status"] = std::string(StateOf(view));
  json["createdAt"] = TimeText(view.message.created_at);
  if (operation && !view.deliveries.empty()) {
    const DeliveryView& delivery = view.deliveries[0];
    const bool succeeded = delivery.state == DeliveryState::kSucceeded;
    if (delivery.percent_complete) {
      json["percentComplete"] = succeeded ? 100 : *delivery.percent_complete;
    }
    json.update(DeliveryJson(delivery));
  } else {
    json["topic"] = view.message.topic;
    json["deliveries"] = Json::array();
    for (const DeliveryView& delivery : view.deliveries) {
      Json entry;
      entry["id"] = delivery.id;
      entry["subscription"] = delivery.target.name;
      entry["status"] = std::string(delivery::DeliveryStateName(delivery.state));
      entry.update(DeliveryJson(delivery));
      json["deliveries"].push_back(std::move(entry));
    }
  }
  json["statusUrl"] = url;
  if (operation) json["resultUrl"] = StrCat(url, kResult);
  return json;
}

Json CallbackJson(const MessageView& callback) {
  const DeliveryView& delivery = callback.deliveries[0];
  Json json;
  json["id"] = delivery.id;
  json["status"] = std::string(StateOf(callback));
  json.update(DeliveryJson(delivery));
  return json;
}

std::string ToText(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace pillion::sidecar
