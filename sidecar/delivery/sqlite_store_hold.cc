// Held messages: stored, and not to be delivered before it is known whether they happened.
//
// An operator may have canceled some deliveries of a message meanwhile, and may have replayed them:
// those are ordinary ones, and what becomes of the held ones is no business of theirs.
#include <algorithm>
#include <utility>

#include "sidecar/delivery/sqlite_rows.h"
#include "sidecar/delivery/sqlite_statements.h"
#include "sidecar/delivery/sqlite_store.h"
#include "sidecar/delivery/status_macros.h"

namespace pillion::delivery {
namespace {

int64_t CountHeld(const StoredMessage& message) {
  return std::count_if(message.deliveries.begin(), message.deliveries.end(),
                       [](const StoredDelivery& delivery) { return delivery.view.held; });
}

// A message without deliveries is as good as held: nobody gets it either way.
bool IsHeld(const StoredMessage& message) {
  return message.deliveries.empty() || CountHeld(message) > 0;
}

}  // namespace

absl::StatusOr<std::optional<std::vector<TargetDue>>> SqliteStore::Release(
    std::string_view message_id, std::string_view attributes, absl::Time now) {
  PILLION_ASSIGN_OR_RETURN(const std::optional<StoredMessage> message, FindMessage(message_id));
  if (!message.has_value() || !IsHeld(*message)) return std::nullopt;
  if (!attributes.empty()) {
    PILLION_RETURN_IF_ERROR(
        Query(database_, statements_->set_attributes).Blob(attributes).Int(message->row).Run());
  }
  std::vector<TargetDue> due;
  for (const StoredDelivery& delivery : message->deliveries) {
    if (!delivery.view.held) continue;
    bool busy = false;
    if (delivery.ref.ordering_key.has_value()) {
      PILLION_ASSIGN_OR_RETURN(const int64_t target, TargetNumber(delivery.ref.target));
      PILLION_ASSIGN_OR_RETURN(busy, KeyIsBusy(target, *delivery.ref.ordering_key));
    }
    if (busy) {
      PILLION_RETURN_IF_ERROR(
          Query(database_, statements_->wait_behind).Int(delivery.ref.row).Run());
      continue;
    }
    Query let_go(database_, statements_->let_go);
    PILLION_RETURN_IF_ERROR(let_go.Time(now).Int(delivery.ref.row).Run());
    due.push_back({delivery.ref.target, let_go.GetTime(0)});
  }
  return due;
}

absl::StatusOr<int64_t> SqliteStore::Discard(std::string_view message_id, absl::Time now) {
  PILLION_ASSIGN_OR_RETURN(const std::optional<StoredMessage> message, FindMessage(message_id));
  if (!message.has_value() || !IsHeld(*message)) return 0;
  const int64_t held = CountHeld(*message);
  const bool whole = held == static_cast<int64_t>(message->deliveries.size());
  Ending dropped;
  dropped.state = DeliveryState::kCanceled;
  for (const StoredDelivery& delivery : message->deliveries) {
    if (!delivery.view.held) continue;
    PILLION_RETURN_IF_ERROR(Finish(delivery.ref, dropped).status());
    PILLION_RETURN_IF_ERROR(
        Query(database_, statements_->delete_delivery).Int(delivery.ref.row).Run());
  }
  if (whole) {
    PILLION_RETURN_IF_ERROR(Query(database_, statements_->delete_message).Int(message->row).Run());
    return held;
  }
  // The others may have waited for these only.
  const MessageRange rest = {message->row, message->deliveries.back().ref.row};
  PILLION_ASSIGN_OR_RETURN(const bool needed, IsStillNeeded(rest, now));
  if (!needed) PILLION_RETURN_IF_ERROR(DeleteMessage(rest).status());
  return held;
}

absl::StatusOr<std::vector<std::string>> SqliteStore::HeldMessages() {
  std::vector<std::string> ids;
  Query query(database_, statements_->held_messages);
  for (;;) {
    PILLION_ASSIGN_OR_RETURN(const bool found, query.Next());
    if (!found) return ids;
    ids.push_back(query.GetText(0));
  }
}

}  // namespace pillion::delivery
