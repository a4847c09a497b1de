// Transactions: the journal, SQLite's long transaction behind it, and what happens if either fails.
#include <algorithm>
#include <utility>

#include "sidecar/delivery/sqlite_repeat.h"
#include "sidecar/delivery/sqlite_statements.h"
#include "sidecar/delivery/sqlite_store.h"
#include "sidecar/delivery/status_macros.h"

namespace pillion::delivery {
namespace {

// What Durability::kSoon means: long enough that the next commit of a busy store makes it
// unnecessary.
constexpr absl::Duration kSyncAfter = absl::Milliseconds(5);
constexpr absl::Duration kSettleAfter = absl::Seconds(1);

}  // namespace

// Has SQLite in its long transaction, with all that the journal has.
absl::Status SqliteStore::EnterTransaction() {
  if (database_.TakeFailed()) GiveUpTransaction();
  if (database_.in_transaction()) return absl::OkStatus();
  PILLION_RETURN_IF_ERROR(Query(database_, statements_->begin).Run());
  absl::Status repeated =
      journal_.ReadAgain([this](std::string_view record) { return Repeat(database_, record); });
  if (!repeated.ok()) GiveUpTransaction();
  return repeated;
}

// Of the long transaction, the journal has all that was committed.
void SqliteStore::GiveUpTransaction() {
  if (database_.in_transaction()) Query(database_, statements_->rollback).Run().IgnoreError();
  database_.TakeFailed();
  // May hold what was just undone.
  targets_.clear();
  changed_.clear();
}

absl::Status SqliteStore::CatchUp() {
  if (in_commit_) return absl::OkStatus();  // it is for the caller to roll back
  if (database_.TakeFailed()) GiveUpTransaction();
  const bool lost = !database_.in_transaction() && journal_.records() > 0;
  return lost ? EnterTransaction() : absl::OkStatus();
}

absl::Status SqliteStore::Begin() {
  PILLION_RETURN_IF_ERROR(EnterTransaction());
  in_commit_ = true;
  database_.set_log(&log_);
  return absl::OkStatus();
}

absl::Status SqliteStore::Commit(Durability durability, absl::Time now) {
  PILLION_RETURN_IF_ERROR(WriteBacklogs());
  database_.set_log(nullptr);
  PILLION_RETURN_IF_ERROR(log_.empty() ? SyncIf(durability) : WriteToJournal(durability, now));
  in_commit_ = false;
  log_.Clear();
  NoteCommitted();
  return absl::OkStatus();
}

// What is told now may rest on what was committed before.
absl::Status SqliteStore::SyncIf(Durability durability) {
  if (durability == Durability::kSoon || journal_.synced()) return absl::OkStatus();
  sync_at_ = absl::InfiniteFuture();
  if (journal_.Sync().ok()) return absl::OkStatus();
  journal_in_doubt_ = true;
  return Settle();
}

absl::Status SqliteStore::WriteToJournal(Durability durability, absl::Time now) {
  const std::string_view statements = log_.overflowed() ? "" : log_.Statements();
  const bool fits =
      !log_.overflowed() && journal_.HasRoomFor(statements.size() + log_.executions().size());
  if (fits && !journal_in_doubt_) {
    if (journal_.Append(statements, log_.executions(), durability == Durability::kNow).ok()) {
      sync_at_ = journal_.synced() ? absl::InfiniteFuture() : std::min(sync_at_, now + kSyncAfter);
      settle_at_ = std::min(settle_at_, now + kSettleAfter);
      return absl::OkStatus();
    }
    journal_in_doubt_ = true;
  }
  return Settle();
}

// Commits the long transaction, with what is not in the journal. If that fails, SQLite has what was
// settled before, and the journal the rest; or the commit has taken place all the same, which only
// the next start would find: so what comes later must not be in this generation of the journal.
absl::Status SqliteStore::Settle() {
  absl::Status settled = EnterTransaction();
  if (settled.ok()) {
    Query query(database_, statements_->set_generation);
    settled = query.Int(static_cast<int64_t>(generation_)).Run();
  }
  if (settled.ok()) {
    settled = Query(database_, statements_->commit).Run();
    if (!settled.ok()) journal_in_doubt_ = true;
  }
  if (!settled.ok()) {
    GiveUpTransaction();
    return settled;
  }
  journal_.Start(++generation_);
  journal_in_doubt_ = false;
  sync_at_ = absl::InfiniteFuture();
  settle_at_ = absl::InfiniteFuture();
  return absl::OkStatus();
}

void SqliteStore::NoteCommitted() {
  for (const Target& target : changed_) {
    KnownTarget& known = targets_[target];
    known.changed = false;
    changed_backlogs_[target] = known.backlog;
  }
  changed_.clear();
}

// There is no lesser way back: SQLite has given up everything for some errors, and will not go on
// after others. They are rare, and the journal is short.
void SqliteStore::Rollback() {
  database_.set_log(nullptr);
  log_.Clear();
  in_commit_ = false;
  GiveUpTransaction();
}

absl::Time SqliteStore::NextUpkeep() const { return std::min(sync_at_, settle_at_); }

absl::Status SqliteStore::Upkeep(absl::Time now) {
  if (settle_at_ <= now) {
    settle_at_ = now + kSettleAfter;
    return Settle();
  }
  return sync_at_ > now ? absl::OkStatus() : SyncIf(Durability::kNow);
}

}  // namespace pillion::delivery
