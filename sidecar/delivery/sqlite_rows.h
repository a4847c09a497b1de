// How rows of the delivery database become values: the column lists that statements select, and
// their readers. Internal to the SQLite store.
#ifndef PILLION_SIDECAR_DELIVERY_SQLITE_ROWS_H_
#define PILLION_SIDECAR_DELIVERY_SQLITE_ROWS_H_

#include <cstdint>

#include "absl/time/time.h"
#include "sidecar/delivery/sqlite.h"
#include "sidecar/delivery/store.h"

namespace pillion::delivery {

// delivery.state of a delivery that waits behind its key or is held; the other numbers are those of
// DeliveryState.
inline constexpr int kBehindKeyState = 0;
inline constexpr int kHeldState = -1;
int StateNumber(Placement placement);

// A delivery (as d) with its target (as t) and its message (as m), then that.
#define PILLION_DELIVERY_COLUMNS                                                                  \
  "d.seq, coalesce(d.id, m.id), t.kind, t.name, d.cluster, d.ordering_key, d.state, d.attempts, " \
  "d.due_at,"                                                                                     \
  " d.started_at, d.finished_at, d.reason, d.last_status, d.last_error, d.num_retries, "          \
  "d.base_interval,"                                                                              \
  " d.max_interval, d.attempt_timeout, d.retention, d.dead_letter_retention, d.concurrency, "     \
  "d.callback, d.resume IS NOT NULL, d.percent_complete, d.extra, d.bytes"
#define PILLION_SUMMARY_COLUMNS                                                               \
  "m.seq, m.id, m.kind, m.topic, m.method, m.path, m.authority, m.created_at, m.expires_at, " \
  "m.forgotten"
#define PILLION_ENTRY_COLUMNS PILLION_DELIVERY_COLUMNS ", m.id, m.kind"
inline constexpr int kDeliveryColumns = 26;
inline constexpr int kSummaryColumns = 10;
inline constexpr int kEntryColumns = kDeliveryColumns + 2;

// `first` is the number of the list's first column in the query.
StoredDelivery ReadDelivery(const Query& query, int first);
MessageSummary ReadSummary(const Query& query, int first);
DeliveryEntry ReadEntry(const Query& query);  // from the query's first column

// Durations are milliseconds, infinite ones -1.
int64_t EncodeDuration(absl::Duration duration);
absl::Duration DecodeDuration(int64_t millis);

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_SQLITE_ROWS_H_
