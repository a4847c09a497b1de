// Looking up what is stored: by id, and page by page.
#include <algorithm>
#include <utility>
#include <vector>

#include "sidecar/delivery/sqlite_rows.h"
#include "sidecar/delivery/sqlite_statements.h"
#include "sidecar/delivery/sqlite_store.h"
#include "sidecar/delivery/status_macros.h"

namespace pillion::delivery {
namespace {

// Where a scan's rows have what a filter looks at: see PILLION_DELIVERY_COLUMNS and
// PILLION_SUMMARY_COLUMNS.
enum Column {
  kTargetKind = 2,
  kTargetName = 3,
  kCluster = 4,
  kOrderingKey = 5,
  kState = 6,
  kReason = 11,
  kLastStatus = 12,
  kMessageKind = kDeliveryColumns + 2,
  kTopic = kDeliveryColumns + 3,
  kCreatedAt = kDeliveryColumns + 7,
};

template <typename Number>
bool Is(const Query& row, Column column, const std::optional<Number>& wanted) {
  return !wanted.has_value() || row.GetInt(column) == static_cast<int64_t>(*wanted);
}

bool Is(const Query& row, Column column, const std::optional<std::string>& wanted) {
  return !wanted.has_value() || row.GetText(column) == *wanted;
}

// Of no delivery.
constexpr int64_t kNoState = 99;

bool Contains(const std::vector<DeliveryState>& states, DeliveryState state) {
  return std::find(states.begin(), states.end(), state) != states.end();
}

bool IsInState(const Query& row, const std::vector<DeliveryState>& states) {
  if (states.empty()) return true;
  const int64_t number = row.GetInt(kState);
  const bool waits = number == kBehindKeyState || number == kHeldState;
  return Contains(states, waits ? DeliveryState::kPending : static_cast<DeliveryState>(number));
}

bool IsOfRoute(const Query& row, const std::optional<std::string>& route) {
  if (!route.has_value()) return true;
  switch (static_cast<TargetKind>(row.GetInt(kTargetKind))) {
    case TargetKind::kRoute:
      return row.GetText(kTargetName) == *route;
    case TargetKind::kCallback:
      return row.GetText(kTargetName) == CallbackTarget(*route, row.GetText(kCluster)).name;
    case TargetKind::kSubscription:
      break;
  }
  return false;
}

// Most rows of a scan do not match: numbers first.
bool Matches(const Query& row, const DeliveryFilter& filter) {
  const absl::Time created_at = row.GetTime(kCreatedAt);
  return IsInState(row, filter.states) && Is(row, kMessageKind, filter.kind) &&
         Is(row, kReason, filter.reason) && Is(row, kLastStatus, filter.last_status) &&
         created_at >= filter.created_after.value_or(absl::InfinitePast()) &&
         created_at < filter.created_before.value_or(absl::InfiniteFuture()) &&
         (!filter.target.has_value() ||
          (row.GetInt(kTargetKind) == static_cast<int64_t>(filter.target->kind) &&
           row.GetText(kTargetName) == filter.target->name)) &&
         IsOfRoute(row, filter.route) && Is(row, kCluster, filter.cluster) &&
         Is(row, kTopic, filter.topic) && Is(row, kOrderingKey, filter.ordering_key);
}

constexpr DeliveryState kDead[] = {DeliveryState::kFailed, DeliveryState::kCanceled,
                                   DeliveryState::kExpired};

// Few of many, as a rule: they have an index.
bool AreDead(const std::vector<DeliveryState>& states) {
  return !states.empty() && std::all_of(states.begin(), states.end(), [](DeliveryState state) {
    return state >= DeliveryState::kFailed;
  });
}

}  // namespace

absl::StatusOr<std::optional<StoredMessage>> SqliteStore::Find(std::string_view id) {
  PILLION_ASSIGN_OR_RETURN(std::optional<StoredMessage> message, FindMessage(id));
  if (message.has_value()) return message;
  return FindDelivery(id);
}

absl::StatusOr<std::optional<StoredMessage>> SqliteStore::FindMessage(std::string_view id) {
  StoredMessage message;
  RowId last_delivery = 0;
  {
    Query query(database_, statements_->find_message);
    PILLION_ASSIGN_OR_RETURN(const bool found, query.Text(id).Next());
    if (!found) return std::nullopt;
    message.row = query.GetInt(0);
    message.summary = ReadSummary(query, 0);
    last_delivery = query.GetInt(kSummaryColumns);
  }
  Query query(database_, statements_->find_deliveries);
  query.Int(message.row).Int(last_delivery);
  for (;;) {
    PILLION_ASSIGN_OR_RETURN(const bool found, query.Next());
    if (!found) return message;
    message.deliveries.push_back(ReadDelivery(query, 0));
  }
}

absl::StatusOr<std::optional<StoredMessage>> SqliteStore::FindDelivery(std::string_view id) {
  Query query(database_, statements_->find_delivery);
  PILLION_ASSIGN_OR_RETURN(const bool found, query.Text(id).Next());
  if (!found) return std::nullopt;
  StoredMessage message;
  message.row = query.GetInt(kDeliveryColumns);
  message.summary = ReadSummary(query, kDeliveryColumns);
  message.deliveries.push_back(ReadDelivery(query, 0));
  return message;
}

absl::StatusOr<std::optional<StoredResult>> SqliteStore::FindResult(std::string_view id) {
  PILLION_ASSIGN_OR_RETURN(std::optional<StoredMessage> message, Find(id));
  // A message with several deliveries has several results, each under its delivery's id.
  if (!message.has_value() || message->deliveries.size() != 1) return std::nullopt;
  StoredResult result;
  PILLION_ASSIGN_OR_RETURN(result.answer, ReadAnswer(message->deliveries[0].ref.row));
  result.message = *std::move(message);
  return result;
}

absl::StatusOr<std::optional<Answer>> SqliteStore::ReadAnswer(RowId delivery) {
  Query query(database_, statements_->read_result);
  PILLION_ASSIGN_OR_RETURN(const bool found, query.Int(delivery).Next());
  if (!found) return std::nullopt;
  return Answer{static_cast<int>(query.GetInt(0)), query.GetText(1), query.GetText(2)};
}

absl::StatusOr<std::optional<Content>> SqliteStore::ReadContent(RowId message, size_t max_body) {
  Query query(database_, statements_->read_content);
  query.Int(message).Int(static_cast<int64_t>(max_body));
  PILLION_ASSIGN_OR_RETURN(const bool found, query.Next());
  if (!found) return std::nullopt;
  return Content{query.GetText(0), query.GetText(1), query.GetText(2),
                 static_cast<size_t>(query.GetInt(3))};
}

absl::StatusOr<ScanPage> SqliteStore::Scan(const DeliveryFilter& filter, RowId after, size_t limit,
                                           size_t scan_limit) {
  const bool dead = AreDead(filter.states);
  Query query(database_, dead ? statements_->scan_dead : statements_->scan_all);
  if (dead) {
    for (const DeliveryState state : kDead) {
      query.Int(Contains(filter.states, state) ? static_cast<int64_t>(state) : kNoState);
    }
  }
  query.Int(after).Int(static_cast<int64_t>(scan_limit));
  ScanPage page;
  page.scanned_to = after;
  size_t scanned = 0;
  while (page.found.size() < limit) {
    PILLION_ASSIGN_OR_RETURN(const bool found, query.Next());
    if (!found) {
      page.end = scanned < scan_limit;
      break;
    }
    ++scanned;
    page.scanned_to = query.GetInt(0);
    if (!Matches(query, filter)) continue;
    StoredMessage message;
    message.row = query.GetInt(kDeliveryColumns);
    message.summary = ReadSummary(query, kDeliveryColumns);
    message.deliveries.push_back(ReadDelivery(query, 0));
    page.found.push_back(std::move(message));
  }
  return page;
}

absl::StatusOr<StoreCounts> SqliteStore::Counts() {
  StoreCounts counts;
  Query unfinished(database_, statements_->count_unfinished);
  PILLION_RETURN_IF_ERROR(unfinished.Run());
  counts.unfinished = unfinished.GetInt(0);
  Query dead(database_, statements_->counts_dead);
  PILLION_RETURN_IF_ERROR(dead.Run());
  counts.failed = dead.GetInt(0);
  return counts;
}

}  // namespace pillion::delivery
