// The targets, and how much is on its way to each.
//
// The backlogs are counted in memory and written with each commit, one row for each target that it
// concerns: so they are as durable as what they count, and nothing has to be counted at the start.
#include <utility>

#include "sidecar/delivery/sqlite_statements.h"
#include "sidecar/delivery/sqlite_store.h"
#include "sidecar/delivery/status_macros.h"

namespace pillion::delivery {

absl::StatusOr<SqliteStore::KnownTarget*> SqliteStore::Know(const Target& target) {
  if (const auto known = targets_.find(target); known != targets_.end()) return &known->second;
  const auto kind = static_cast<int64_t>(target.kind);
  KnownTarget read;
  Query find(database_, statements_->find_target);
  PILLION_ASSIGN_OR_RETURN(const bool found, find.Int(kind).Text(target.name).Next());
  if (found) {
    read.number = find.GetInt(0);
    read.backlog = {find.GetInt(1), find.GetInt(2)};
  } else {
    Query insert(database_, statements_->insert_target);
    PILLION_RETURN_IF_ERROR(insert.Int(kind).Text(target.name).Run());
    read.number = insert.GetInt(0);
  }
  return &targets_.emplace(target, read).first->second;
}

absl::StatusOr<int64_t> SqliteStore::TargetNumber(const Target& target) {
  PILLION_ASSIGN_OR_RETURN(const KnownTarget* known, Know(target));
  return known->number;
}

absl::Status SqliteStore::ChangeBacklog(const Target& target, int deliveries, int64_t bytes) {
  PILLION_ASSIGN_OR_RETURN(KnownTarget * known, Know(target));
  known->backlog.deliveries += deliveries;
  known->backlog.bytes += deliveries * bytes;
  if (!known->changed) changed_.push_back(target);
  known->changed = true;
  return absl::OkStatus();
}

absl::StatusOr<Backlog> SqliteStore::BacklogOf(const Target& target) {
  PILLION_ASSIGN_OR_RETURN(const KnownTarget* known, Know(target));
  return known->backlog;
}

absl::Status SqliteStore::ReadBacklogs() {
  Query query(database_, statements_->all_backlogs);
  for (;;) {
    PILLION_ASSIGN_OR_RETURN(const bool found, query.Next());
    if (!found) return absl::OkStatus();
    const Target target = {static_cast<TargetKind>(query.GetInt(0)), query.GetText(1)};
    changed_backlogs_[target] = {query.GetInt(2), query.GetInt(3)};
  }
}

absl::Status SqliteStore::WriteBacklogs() {
  for (const Target& target : changed_) {
    const KnownTarget& known = targets_[target];
    PILLION_RETURN_IF_ERROR(Query(database_, statements_->set_backlog)
                                .Int(known.backlog.deliveries)
                                .Int(known.backlog.bytes)
                                .Int(known.number)
                                .Run());
  }
  return absl::OkStatus();
}

std::vector<TargetBacklog> SqliteStore::TakeChangedBacklogs() {
  std::vector<TargetBacklog> changed;
  changed.reserve(changed_backlogs_.size());
  for (const auto& [target, backlog] : changed_backlogs_) changed.push_back({target, backlog});
  changed_backlogs_.clear();
  return changed;
}

absl::StatusOr<int64_t> SqliteStore::UsedBytes() {
  if (!settling_.started()) {
    Query pages = Query::AsItIs(database_, statements_->page_count);
    PILLION_RETURN_IF_ERROR(pages.Run());
    Query free = Query::AsItIs(database_, statements_->free_page_count);
    PILLION_RETURN_IF_ERROR(free.Run());
    used_pages_ = pages.GetInt(0) - free.GetInt(0);
  }
  return used_pages_ * page_size_ + static_cast<int64_t>(settling_bytes_ + log_.deferred_bytes());
}

}  // namespace pillion::delivery
