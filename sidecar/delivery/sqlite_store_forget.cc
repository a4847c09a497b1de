// Expiry, retention and deletion.
#include <algorithm>
#include <utility>

#include "sidecar/delivery/sqlite_rows.h"
#include "sidecar/delivery/sqlite_statements.h"
#include "sidecar/delivery/sqlite_store.h"
#include "sidecar/delivery/status_macros.h"

namespace pillion::delivery {

absl::StatusOr<absl::Time> SqliteStore::NextDeadline() {
  Query deliveries(database_, statements_->next_deadline);
  PILLION_RETURN_IF_ERROR(deliveries.Run());
  Query undelivered(database_, statements_->next_undelivered_deadline);
  PILLION_RETURN_IF_ERROR(undelivered.Run());
  return std::min(deliveries.GetTime(0), undelivered.GetTime(0));
}

absl::StatusOr<std::vector<DeliveryEntry>> SqliteStore::Overdue(absl::Time now, size_t limit) {
  std::vector<DeliveryEntry> overdue;
  Query query(database_, statements_->overdue);
  query.Time(now).Int(static_cast<int64_t>(limit));
  for (;;) {
    PILLION_ASSIGN_OR_RETURN(const bool found, query.Next());
    if (!found) return overdue;
    overdue.push_back(ReadEntry(query));
  }
}

absl::StatusOr<std::optional<SqliteStore::MessageRange>> SqliteStore::RangeOf(RowId delivery) {
  Query query(database_, statements_->message_range);
  PILLION_ASSIGN_OR_RETURN(const bool found, query.Int(delivery).Next());
  if (!found) return std::nullopt;
  return MessageRange{query.GetInt(0), query.GetInt(1), static_cast<MessageKind>(query.GetInt(2)),
                      query.GetInt(3) != 0};
}

absl::StatusOr<bool> SqliteStore::IsStillNeeded(const MessageRange& range, absl::Time now) {
  return Query(database_, statements_->still_needed)
      .Int(range.message)
      .Int(range.last_delivery)
      .Time(now)
      .Next();
}

absl::StatusOr<int64_t> SqliteStore::DeleteMessage(const MessageRange& range) {
  int64_t failed = 0;
  {
    Query count(database_, statements_->count_failed);
    PILLION_RETURN_IF_ERROR(count.Int(range.message).Int(range.last_delivery).Run());
    failed = count.GetInt(0);
  }
  PILLION_RETURN_IF_ERROR(Query(database_, statements_->delete_results)
                              .Int(range.message)
                              .Int(range.last_delivery)
                              .Run());
  PILLION_RETURN_IF_ERROR(Query(database_, statements_->delete_deliveries)
                              .Int(range.message)
                              .Int(range.last_delivery)
                              .Run());
  PILLION_RETURN_IF_ERROR(Query(database_, statements_->delete_message).Int(range.message).Run());
  return failed;
}

absl::StatusOr<Deleted> SqliteStore::Forget(RowId row, absl::Time now, absl::Time status_until) {
  Deleted deleted;
  PILLION_ASSIGN_OR_RETURN(const std::optional<MessageRange> range, RangeOf(row));
  if (!range.has_value()) return deleted;
  {
    Query size(database_, statements_->size_of_content);
    PILLION_RETURN_IF_ERROR(size.Int(row).Run());
    deleted.bytes = size.GetInt(0);
  }
  if (range->kind == MessageKind::kAsync && !range->forgotten && status_until > now) {
    PILLION_RETURN_IF_ERROR(Query(database_, statements_->delete_result).Int(row).Run());
    PILLION_RETURN_IF_ERROR(
        Query(database_, statements_->forget_content).Int(range->message).Run());
    PILLION_RETURN_IF_ERROR(
        Query(database_, statements_->forget_delivery).Time(status_until).Int(row).Run());
    return deleted;
  }
  PILLION_ASSIGN_OR_RETURN(const bool needed, IsStillNeeded(*range, now));
  if (needed) {
    PILLION_RETURN_IF_ERROR(Query(database_, statements_->set_deadline).Int(0).Int(row).Run());
    return Deleted{};
  }
  PILLION_ASSIGN_OR_RETURN(deleted.failed, DeleteMessage(*range));
  return deleted;
}

absl::StatusOr<Deleted> SqliteStore::Drop(RowId row, absl::Time now) {
  Deleted deleted;
  PILLION_ASSIGN_OR_RETURN(const std::optional<MessageRange> range, RangeOf(row));
  if (!range.has_value()) return deleted;
  {
    Query count(database_, statements_->count_failed);
    PILLION_RETURN_IF_ERROR(count.Int(row).Int(row).Run());
    deleted.failed = count.GetInt(0);
  }
  PILLION_RETURN_IF_ERROR(Query(database_, statements_->delete_result).Int(row).Run());
  PILLION_RETURN_IF_ERROR(Query(database_, statements_->delete_delivery).Int(row).Run());
  // The others may have waited for this one only.
  PILLION_ASSIGN_OR_RETURN(const bool needed, IsStillNeeded(*range, now));
  if (needed) return deleted;
  PILLION_ASSIGN_OR_RETURN(const int64_t others, DeleteMessage(*range));
  deleted.failed += others;
  return deleted;
}

absl::StatusOr<size_t> SqliteStore::ForgetUndelivered(absl::Time now, size_t limit) {
  Query query(database_, statements_->forget_undelivered);
  query.Time(now).Int(static_cast<int64_t>(limit));
  for (size_t count = 0;; ++count) {
    PILLION_ASSIGN_OR_RETURN(const bool found, query.Next());
    if (!found) return count;
  }
}

}  // namespace pillion::delivery
