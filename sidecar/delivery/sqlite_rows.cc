#include "sidecar/delivery/sqlite_rows.h"

#include <algorithm>
#include <utility>

namespace pillion::delivery {

int StateNumber(Placement placement) {
  switch (placement) {
    case Placement::kRunning:
      return static_cast<int>(DeliveryState::kRunning);
    case Placement::kDue:
      return static_cast<int>(DeliveryState::kPending);
    case Placement::kBehindKey:
      return kBehindKeyState;
    case Placement::kHeld:
      return kHeldState;
  }
  return kBehindKeyState;
}

int64_t EncodeDuration(absl::Duration duration) {
  if (duration == absl::InfiniteDuration()) return -1;
  return std::max<int64_t>(absl::ToInt64Milliseconds(duration), 0);
}

absl::Duration DecodeDuration(int64_t millis) {
  return millis < 0 ? absl::InfiniteDuration() : absl::Milliseconds(millis);
}

StoredDelivery ReadDelivery(const Query& query, int first) {
  StoredDelivery delivery;
  int column = first;
  DeliveryView& view = delivery.view;
  delivery.ref.row = query.GetInt(column++);
  view.id = query.GetText(column++);
  view.target.kind = static_cast<TargetKind>(query.GetInt(column++));
  view.target.name = query.GetText(column++);
  view.cluster = query.GetText(column++);
  view.ordering_key = query.GetOptionalText(column++);
  const int64_t state = query.GetInt(column++);
  view.behind_key = state == kBehindKeyState;
  view.held = state == kHeldState;
  view.state =
      view.behind_key || view.held ? DeliveryState::kPending : static_cast<DeliveryState>(state);
  view.attempts = static_cast<int>(query.GetInt(column++));
  view.next_attempt_at = query.GetOptionalTime(column++);
  view.started_at = query.GetOptionalTime(column++);
  view.finished_at = query.GetOptionalTime(column++);
  view.reason = static_cast<FailureReason>(query.GetInt(column++));
  view.last_status = static_cast<int>(query.GetInt(column++));
  view.last_error = query.GetText(column++);
  DeliverySpec& spec = delivery.spec;
  spec.retry.num_retries = static_cast<int>(query.GetInt(column++));
  spec.retry.base_interval = DecodeDuration(query.GetInt(column++));
  spec.retry.max_interval = DecodeDuration(query.GetInt(column++));
  spec.attempt_timeout = DecodeDuration(query.GetInt(column++));
  spec.retention = DecodeDuration(query.GetInt(column++));
  spec.dead_letter_retention = DecodeDuration(query.GetInt(column++));
  spec.concurrency = static_cast<int>(query.GetInt(column++));
  const std::optional<std::string> callback = query.GetOptionalText(column++);
  spec.callback = callback.has_value();
  view.callback_id = callback.value_or("");
  view.continues = query.GetInt(column++) != 0;
  if (!query.IsNull(column)) view.percent_complete = static_cast<int>(query.GetInt(column));
  ++column;
  spec.extra = query.GetText(column++);
  view.extra = spec.extra;
  delivery.ref.bytes = query.GetInt(column++);
  delivery.ref.target = view.target;
  delivery.ref.ordering_key = view.ordering_key;
  return delivery;
}

MessageSummary ReadSummary(const Query& query, int first) {
  MessageSummary summary;
  int column = first + 1;  // the number is the store's own affair
  summary.id = query.GetText(column++);
  summary.kind = static_cast<MessageKind>(query.GetInt(column++));
  summary.topic = query.GetText(column++);
  summary.method = query.GetText(column++);
  summary.path_and_query = query.GetText(column++);
  summary.authority = query.GetText(column++);
  summary.created_at = query.GetTime(column++);
  summary.expires_at = query.GetTime(column++);
  summary.forgotten = query.GetInt(column++) != 0;
  return summary;
}

DeliveryEntry ReadEntry(const Query& query) {
  StoredDelivery stored = ReadDelivery(query, 0);
  DeliveryEntry entry;
  entry.ref = std::move(stored.ref);
  entry.cluster = std::move(stored.view.cluster);
  entry.id = std::move(stored.view.id);
  entry.state = stored.view.state;
  entry.spec = std::move(stored.spec);
  entry.message_id = query.GetText(kDeliveryColumns);
  entry.kind = static_cast<MessageKind>(query.GetInt(kDeliveryColumns + 1));
  return entry;
}

}  // namespace pillion::delivery
