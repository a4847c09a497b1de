// Transactions: the journal, SQLite's long transaction behind it, and what happens if either fails.
#include <algorithm>
#include <memory>
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
// With so much in the journal, what is being settled is in danger to end too late.
constexpr size_t kHurryBytes = SqliteStore::kSettleBytes * 3 / 2;
// So long nobody may know that settling has failed.
constexpr absl::Duration kLookAfter = absl::Milliseconds(100);

absl::Status AfterAnError() {
  return absl::AbortedError("an earlier statement of the transaction has failed");
}

}  // namespace

// Before SQLite is used.
absl::Status SqliteStore::CatchUp() {
  PILLION_RETURN_IF_ERROR(FinishSettling());
  if (in_commit_ && database_.failed()) {
    return AfterAnError();
  }
  if (in_commit_ || database_.failed() || must_repeat_ || log_.has_deferred()) {
    PILLION_RETURN_IF_ERROR(EnterTransaction());
  }
  return database_.ExecuteDeferred(log_);
}

// Has SQLite in its long transaction, with all that the journal has and is not deferred.
absl::Status SqliteStore::EnterTransaction() {
  if (database_.TakeFailed()) GiveUpTransaction();
  if (database_.in_transaction() && !must_repeat_) return absl::OkStatus();
  if (database_.in_transaction()) {  // it could not be given up
    PILLION_RETURN_IF_ERROR(Query::AsItIs(database_, statements_->rollback).Run());
  }
  PILLION_RETURN_IF_ERROR(Query::AsItIs(database_, statements_->begin).Run());
  if (!must_repeat_) return absl::OkStatus();
  Repetition repetition(database_);
  absl::Status repeated =
      journal_.ReadAgain([&](std::string_view record) { return repetition.Do(record); });
  if (!repeated.ok()) GiveUpTransaction();
  must_repeat_ = !repeated.ok();
  return repeated;
}

// Of the long transaction, and of what is deferred, the journal has all that was committed.
void SqliteStore::GiveUpTransaction() {
  if (database_.in_transaction()) {
    Query::AsItIs(database_, statements_->rollback).Run().IgnoreError();
  }
  database_.TakeFailed();
  must_repeat_ = true;
  log_.Clear();
  ForgetTargets();
}

// They may have what was just undone.
void SqliteStore::ForgetTargets() {
  targets_.clear();
  changed_.clear();
}

absl::Status SqliteStore::Begin() {
  if (!settling_.started() || settling_.done()) {
    PILLION_RETURN_IF_ERROR(FinishSettling());
    PILLION_RETURN_IF_ERROR(EnterTransaction());
  }
  in_commit_ = true;
  database_.StartLog(&log_);
  return absl::OkStatus();
}

absl::Status SqliteStore::Commit(Durability durability, absl::Time now) {
  if (!settling_.started() && database_.failed()) return AfterAnError();
  PILLION_RETURN_IF_ERROR(WriteBacklogs());
  database_.StopLog();
  PILLION_RETURN_IF_ERROR(log_.empty() ? SyncIf(durability) : WriteToJournal(durability, now));
  in_commit_ = false;
  log_.EndTransaction();
  NoteCommitted();
  return absl::OkStatus();
}

// What is told now may rest on what was committed before.
absl::Status SqliteStore::SyncIf(Durability durability) {
  return durability == Durability::kSoon || SyncJournal() ? absl::OkStatus() : Settle();
}

// If it fails, what is not synced must be settled instead.
bool SqliteStore::SyncJournal() {
  sync_at_ = absl::InfiniteFuture();
  // That it fails, the system says once only.
  if (journal_in_doubt_) return false;
  if (journal_.synced() || journal_.Sync().ok()) return true;
  journal_in_doubt_ = true;
  return false;
}

absl::Status SqliteStore::WriteToJournal(Durability durability, absl::Time now) {
  if (journal_in_doubt_ || log_.overflowed()) return Settle();
  const size_t size = log_.Statements().size() + log_.executions().size();
  if (!journal_.HasRoomFor(size) && journal_.present_bytes() > 0 && !log_.executed()) {
    if (!SyncJournal()) return Settle();
    PILLION_RETURN_IF_ERROR(StartSettling(now));
  }
  if (!journal_.HasRoomFor(size)) return Settle();
  if (!journal_.Append(log_.Statements(), log_.executions(), durability == Durability::kNow).ok()) {
    journal_in_doubt_ = true;
    return Settle();
  }
  sync_at_ = journal_.synced() ? absl::InfiniteFuture() : std::min(sync_at_, now + kSyncAfter);
  const size_t present = journal_.present_bytes();
  settle_at_ = std::min(settle_at_, present >= kSettleBytes ? now : now + kSettleAfter);
  if (present > kHurryBytes && settling_.started()) settling_.Hurry();
  return absl::OkStatus();
}

// Settles, on another thread, what was committed so far. REQUIRES: the journal is synced and not in
// doubt, and of the present transaction nothing was executed.
absl::Status SqliteStore::StartSettling(absl::Time now) {
  PILLION_RETURN_IF_ERROR(FinishSettling());
  PILLION_RETURN_IF_ERROR(EnterTransaction());
  PILLION_RETURN_IF_ERROR(UsedBytes().status());  // the last time before it ends
  log_.MoveDeferredTo(settling_log_);
  const uint64_t generation = journal_.generation();
  journal_.StartNext();
  settle_at_ = absl::InfiniteFuture();
  look_at_ = now + kLookAfter;
  settling_bytes_ = settling_log_.deferred_bytes();
  settling_.Start([this, generation]() -> absl::Status {
    PILLION_RETURN_IF_ERROR(
        database_.ExecuteDeferred(settling_log_, [this] { settling_.GiveWay(); }));
    return CommitGeneration(generation);
  });
  return absl::OkStatus();
}

// If it fails, the commit may have taken place all the same, which only the next start would find:
// so what comes later must not be in this generation of the journal.
absl::Status SqliteStore::CommitGeneration(uint64_t generation) {
  Query query = Query::AsItIs(database_, statements_->set_generation);
  PILLION_RETURN_IF_ERROR(query.Int(static_cast<int64_t>(generation)).Run());
  return Query::AsItIs(database_, statements_->commit).Run();
}

// The end of what StartSettling() has begun. Until SQLite has taken what the journal has, in both
// generations, nothing is added to it.
absl::Status SqliteStore::FinishSettling() {
  if (!settling_.started()) return absl::OkStatus();
  look_at_ = absl::InfiniteFuture();
  settling_bytes_ = 0;
  absl::Status settled = settling_.Finish();
  if (settled.ok()) {
    journal_.SettledBefore();
    settling_log_.Clear();
    return settled;
  }
  journal_in_doubt_ = true;
  settle_at_ = absl::InfinitePast();
  GiveUpTransaction();
  return settled;
}

// Commits the long transaction, with what is not in the journal. If that fails, SQLite has what was
// settled before, and the journal the rest.
absl::Status SqliteStore::Settle() {
  PILLION_RETURN_IF_ERROR(FinishSettling());
  absl::Status settled = EnterTransaction();
  if (settled.ok()) settled = database_.ExecuteDeferred(log_);
  if (settled.ok()) {
    settled = CommitGeneration(journal_.generation());
    if (!settled.ok()) journal_in_doubt_ = true;
  }
  if (!settled.ok()) {
    GiveUpTransaction();
    return settled;
  }
  journal_.Start(journal_.generation() + 1);
  must_repeat_ = false;
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

// What SQLite has of the transaction, it gives up with everything: there is no lesser way back for
// some errors, and it will not go on after others. They are rare, and the journal is short.
void SqliteStore::Rollback() {
  database_.StopLog();
  in_commit_ = false;
  if (settling_.started() || (!database_.failed() && !log_.executed())) {
    log_.DropTransaction();
    ForgetTargets();
  } else {
    GiveUpTransaction();
  }
}

absl::Time SqliteStore::NextUpkeep() const {
  return std::min(sync_at_, settling_.started() ? look_at_ : settle_at_);
}

absl::Status SqliteStore::Upkeep(absl::Time now) {
  if (settling_.started() && look_at_ <= now) {
    look_at_ = now + kLookAfter;
    if (settling_.done()) PILLION_RETURN_IF_ERROR(FinishSettling());
  }
  const bool settle = !settling_.started() && settle_at_ <= now;
  const bool synced = (!settle && sync_at_ > now) || SyncJournal();
  if (!settle && synced) return absl::OkStatus();
  settle_at_ = now + kSettleAfter;
  return journal_in_doubt_ ? Settle() : StartSettling(now);
}

}  // namespace pillion::delivery
