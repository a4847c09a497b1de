#include "sidecar/admin/delivery_messages.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/config/utf8.h"
#include "core/strings.h"
#include "sidecar/actions/cloud_event.h"
#include "sidecar/delivery/fields.h"

namespace pillion::sidecar::admin {
namespace {

using api::v1::Delivery;
using google::protobuf::Timestamp;
using google::protobuf::util::TimeUtil;

constexpr size_t kShownOfAnswer = 2048;

// A header with one of these in its name, - and _ left out, gives access to something. Rather one
// too many.
constexpr std::string_view kSecret[] = {
    "auth",   "cookie",    "token",      "secret",  "passw",     "pwd", "credential",
    "apikey", "accesskey", "privatekey", "session", "signature", "jwt"};
constexpr char kRedacted[] = "[redacted]";

std::string Utf8(std::string_view bytes) {
  std::string text;
  for (;;) {
    const size_t invalid = config::FindInvalidUtf8(bytes);
    text.append(bytes.substr(0, invalid));
    if (invalid == std::string_view::npos) return text;
    text.append("\xEF\xBF\xBD");  // U+FFFD REPLACEMENT CHARACTER
    bytes.remove_prefix(invalid + 1);
  }
}

bool IsSecret(std::string_view header) {
  std::string name = absl::AsciiStrToLower(ToAbsl(header));
  std::erase_if(name, [](char c) { return c == '-' || c == '_'; });
  return std::any_of(std::begin(kSecret), std::end(kSecret), [&](std::string_view secret) {
    return name.find(secret) != std::string::npos;
  });
}

void AddHeaders(std::string_view encoded,
                google::protobuf::RepeatedPtrField<api::v1::Header>& headers) {
  const auto fields = delivery::DecodeFields(encoded);
  if (!fields) return;
  for (const auto& [name, value] : *fields) {
    api::v1::Header& header = *headers.Add();
    header.set_name(Utf8(name));
    header.set_value(IsSecret(name) ? kRedacted : Utf8(value));
  }
}

api::v1::Answer ToApi(const delivery::Answer& answer) {
  api::v1::Answer result;
  result.set_status(static_cast<uint32_t>(answer.status));
  AddHeaders(answer.headers, *result.mutable_headers());
  result.set_body(Utf8(std::string_view(answer.body).substr(0, kShownOfAnswer)));
  result.set_truncated(answer.body.size() > kShownOfAnswer);
  return result;
}

bool IsEvent(delivery::MessageKind kind) {
  return kind == delivery::MessageKind::kPublish || kind == delivery::MessageKind::kEmit;
}

api::v1::Payload ToApi(const delivery::MessageSummary& summary, const delivery::Content& content) {
  api::v1::Payload result;
  AddHeaders(content.headers, *result.mutable_headers());
  if (IsEvent(summary.kind)) {
    delivery::Message message;
    message.id = summary.id;
    message.topic = summary.topic;
    message.created_at = summary.created_at;
    message.attributes = content.attributes;
    for (const auto& [name, value] : CloudEventOf(message).attributes) {
      (*result.mutable_attributes())[Utf8(name)] = Utf8(value);
    }
  }
  result.set_body_bytes(static_cast<uint32_t>(content.body_bytes));
  if (content.body.empty()) return result;
  if (config::FindInvalidUtf8(content.body) == std::string_view::npos) {
    result.set_body(content.body);
  } else {
    result.set_body_base64(content.body);
  }
  return result;
}

Timestamp ToApi(absl::Time time) {
  return TimeUtil::MillisecondsToTimestamp(absl::ToUnixMillis(time));
}

Delivery::Kind ToApi(delivery::MessageKind kind) {
  switch (kind) {
    case delivery::MessageKind::kAsync:
      return Delivery::ASYNC;
    case delivery::MessageKind::kPublish:
      return Delivery::PUBLISH;
    case delivery::MessageKind::kEmit:
      return Delivery::EMIT;
    case delivery::MessageKind::kCallback:
      return Delivery::CALLBACK;
  }
  return Delivery::KIND_UNSPECIFIED;
}

Delivery::State ToApi(delivery::DeliveryState state) {
  switch (state) {
    case delivery::DeliveryState::kPending:
      return Delivery::PENDING;
    case delivery::DeliveryState::kRunning:
      return Delivery::RUNNING;
    case delivery::DeliveryState::kSucceeded:
      return Delivery::SUCCEEDED;
    case delivery::DeliveryState::kFailed:
      return Delivery::FAILED;
    case delivery::DeliveryState::kCanceled:
      return Delivery::CANCELED;
    case delivery::DeliveryState::kExpired:
      return Delivery::EXPIRED;
  }
  return Delivery::STATE_UNSPECIFIED;
}

Delivery::Reason ToApi(delivery::FailureReason reason) {
  switch (reason) {
    case delivery::FailureReason::kNone:
      return Delivery::REASON_UNSPECIFIED;
    case delivery::FailureReason::kRejected:
      return Delivery::REJECTED;
    case delivery::FailureReason::kRetriesExhausted:
      return Delivery::RETRIES_EXHAUSTED;
  }
  return Delivery::REASON_UNSPECIFIED;
}

// REQUIRES: it is pending.
Delivery::Wait WaitOf(const delivery::DeliveryView& delivery) {
  if (delivery.held) return Delivery::CALL;
  if (delivery.behind_key) return Delivery::KEY;
  if (delivery.next_attempt_at.value_or(absl::InfinitePast()) <= absl::Now()) return Delivery::TURN;
  if (delivery.continues) return Delivery::FOLLOW;
  return delivery.started_at ? Delivery::RETRY : Delivery::DELAY;
}

// The value that `ToApi` turns into `wanted`; 0 is "any".
template <typename Value, typename Wanted, size_t kCount>
absl::Status SetEnum(Wanted wanted, const Value (&values)[kCount], std::string_view field,
                     std::optional<Value>& found) {
  if (wanted == 0) return absl::OkStatus();
  for (const Value value : values) {
    if (ToApi(value) == wanted) found = value;
  }
  if (found.has_value()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat("filter.", field, ": ", static_cast<int>(wanted), " is no value of this enum"));
}

absl::Status SetTime(const Timestamp& wanted, std::string_view field,
                     std::optional<absl::Time>& time) {
  if (wanted.seconds() < TimeUtil::kTimestampMinSeconds ||
      wanted.seconds() > TimeUtil::kTimestampMaxSeconds || wanted.nanos() < 0 ||
      wanted.nanos() > 999'999'999) {
    return absl::InvalidArgumentError(StrCat("filter.", field, ": not a time from year 1 to 9999"));
  }
  time = absl::FromUnixSeconds(wanted.seconds()) + absl::Nanoseconds(wanted.nanos());
  return absl::OkStatus();
}

absl::Status SetEnums(const api::v1::DeliveryFilter& filter, delivery::DeliveryFilter& result) {
  using delivery::FailureReason;
  using delivery::MessageKind;
  static constexpr MessageKind kKinds[] = {MessageKind::kAsync, MessageKind::kPublish,
                                           MessageKind::kEmit, MessageKind::kCallback};
  static constexpr FailureReason kReasons[] = {FailureReason::kRejected,
                                               FailureReason::kRetriesExhausted};
  std::optional<delivery::DeliveryState> state;
  absl::Status status = SetEnum(filter.state(), delivery::kDeliveryStates, "state", state);
  if (state) result.states = {*state};
  status.Update(SetEnum(filter.kind(), kKinds, "kind", result.kind));
  status.Update(SetEnum(filter.reason(), kReasons, "reason", result.reason));
  return status;
}

}  // namespace

Delivery ToApi(const delivery::ListedDelivery& listed) {
  const delivery::MessageSummary& message = listed.message;
  const delivery::DeliveryView& delivery = listed.delivery;
  Delivery result;
  result.set_id(delivery.id);
  result.set_message_id(message.id);
  result.set_kind(ToApi(message.kind));
  result.set_state(ToApi(delivery.state));
  if (delivery.target.kind == delivery::TargetKind::kSubscription) {
    result.set_subscription(delivery.target.name);
  } else if (delivery.target.kind == delivery::TargetKind::kCallback) {
    result.set_route(std::string(delivery::RouteOfCallback(delivery.target, delivery.cluster)));
  } else {
    result.set_route(delivery.target.name);
  }
  result.set_cluster(delivery.cluster);
  if (!message.topic.empty()) result.set_topic(Utf8(message.topic));
  result.set_method(Utf8(message.method));
  result.set_authority(Utf8(message.authority));
  result.set_path(Utf8(message.path_and_query));
  if (delivery.ordering_key) result.set_key(Utf8(*delivery.ordering_key));
  result.set_behind_key(delivery.behind_key);
  result.set_held(delivery.held);
  if (delivery.state == delivery::DeliveryState::kPending) result.set_waits_for(WaitOf(delivery));
  result.set_continues(delivery.continues);
  if (delivery.percent_complete) {
    const bool succeeded = delivery.state == delivery::DeliveryState::kSucceeded;
    result.set_percent_complete(succeeded ? 100u
                                          : static_cast<uint32_t>(*delivery.percent_complete));
  }
  if (!delivery.callback_id.empty()) result.set_callback_id(delivery.callback_id);
  if (delivery.reason != delivery::FailureReason::kNone) result.set_reason(ToApi(delivery.reason));
  result.set_attempts(static_cast<uint32_t>(delivery.attempts));
  *result.mutable_created_at() = ToApi(message.created_at);
  if (delivery.started_at) *result.mutable_started_at() = ToApi(*delivery.started_at);
  if (delivery.finished_at) *result.mutable_finished_at() = ToApi(*delivery.finished_at);
  if (delivery.next_attempt_at) {
    *result.mutable_next_attempt_at() = ToApi(*delivery.next_attempt_at);
  }
  if (delivery.last_status != 0) {
    result.set_last_status(static_cast<uint32_t>(delivery.last_status));
  }
  result.set_last_error(Utf8(delivery.last_error));
  result.set_forgotten(message.forgotten);
  if (listed.answer) *result.mutable_answer() = ToApi(*listed.answer);
  if (listed.content) *result.mutable_payload() = ToApi(message, *listed.content);
  return result;
}

absl::StatusOr<bool> IsFull(Delivery::View view) {
  if (Delivery::View_IsValid(view)) return view == Delivery::FULL;
  return absl::InvalidArgumentError(
      StrCat("view: ", static_cast<int>(view), " is no value of this enum"));
}

absl::StatusOr<delivery::DeliveryFilter> FromApi(const api::v1::DeliveryFilter& filter) {
  // Left out, they would make the filter match more than was meant.
  if (filter.GetReflection()->GetUnknownFields(filter).field_count() > 0) {
    return absl::InvalidArgumentError(
        "filter: has fields that this sidecar does not know; update the sidecar first");
  }
  delivery::DeliveryFilter result;
  absl::Status status = SetEnums(filter, result);
  if (!filter.route().empty() && !filter.subscription().empty()) {
    status.Update(absl::InvalidArgumentError(
        "filter: no delivery has a route and a subscription; name one of them"));
  }
  if (!filter.route().empty()) result.route = filter.route();
  if (!filter.subscription().empty()) {
    result.target = {delivery::TargetKind::kSubscription, filter.subscription()};
  }
  if (!filter.topic().empty()) result.topic = filter.topic();
  if (!filter.cluster().empty()) result.cluster = filter.cluster();
  if (!filter.key().empty()) result.ordering_key = filter.key();
  if (filter.has_created_after()) {
    status.Update(SetTime(filter.created_after(), "created_after", result.created_after));
  }
  if (filter.has_created_before()) {
    status.Update(SetTime(filter.created_before(), "created_before", result.created_before));
  }
  if (filter.has_last_status()) result.last_status = static_cast<int>(filter.last_status());
  if (!status.ok()) return status;
  return result;
}

}  // namespace pillion::sidecar::admin
