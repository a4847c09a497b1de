// The embedded store: one SQLite file, `deliveries.db`, in a directory of its own, and a journal
// before it.
//
// A commit of SQLite writes every page that has changed, of each table and index; for a few small
// messages that is many times their size. So a Commit() here writes the statements themselves to
// the journal (`deliveries.journal`) and syncs that. SQLite executes them later (they are
// *deferred*): before anything is read, or when the journal is *settled*, once a
// generation has a megabyte, or a second later. In SQLite everything since then is one long
// transaction. To settle is to commit that (synchronous=FULL); a thread of its own does it, and
// meanwhile the journal's next generation takes what is accepted. SQLite belongs to that thread
// then: who wants to read waits.
//
// After a crash the journal is done again on what was settled; the same happens if SQLite gives the
// long transaction up because of an error. What has no room in the journal, or meets an error of
// it, is settled at once: the journal makes commits cheaper, and nothing depends on it.
//
// One process at a time has the store (`deliveries.lock`, and SQLite's own exclusive lock); anyone
// may look into a copy with `sqlite3`: it shows what is settled. sqlite_schema.cc says what the
// tables mean.
#ifndef PILLION_SIDECAR_DELIVERY_SQLITE_STORE_H_
#define PILLION_SIDECAR_DELIVERY_SQLITE_STORE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "sidecar/delivery/background_call.h"
#include "sidecar/delivery/file_lock.h"
#include "sidecar/delivery/journal.h"
#include "sidecar/delivery/sqlite.h"
#include "sidecar/delivery/statement_log.h"
#include "sidecar/delivery/store.h"

namespace pillion::delivery {

struct SqliteStatements;

// A file that is in use, to be known again by its name.
struct NamedFile {
  std::string path;
  uint64_t device = 0;
  uint64_t inode = 0;
};

class SqliteStore : public Store {
 public:
  // What SQLite can keep in one row.
  static constexpr int kMaxRowBytes = 1'000'000'000;

  // What one generation of the journal can have.
  static constexpr size_t kJournalBytes = 4 << 20;
  // With so much it is settled at once. What comes meanwhile has the rest of the room.
  static constexpr size_t kSettleBytes = kJournalBytes / 4;

  // Opens the store in `directory`, which is created if it does not exist. Errors name the file,
  // the cause and what to do: in use or locked (Unavailable), of a newer version or another
  // program, or without its journal (FailedPrecondition), damaged (DataLoss), not writable
  // (PermissionDenied), disk full (ResourceExhausted). `max_row_bytes` is what a message or an
  // answer may have; beyond it OutOfRange.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const std::string& directory,
                                                           int max_row_bytes = kMaxRowBytes);
  ~SqliteStore() override;

  absl::Status Begin() override;
  absl::Status Commit(Durability durability, absl::Time now) override;
  void Rollback() override;
  absl::Time NextUpkeep() const override;
  absl::Status Upkeep(absl::Time now) override;

  absl::StatusOr<std::optional<IdempotencyRecord>> FindIdempotent(std::string_view scope,
                                                                  std::string_view key) override;
  absl::StatusOr<RowId> InsertMessage(const Message& message, const Idempotency* idempotency,
                                      size_t deliveries) override;
  absl::StatusOr<InsertedDelivery> InsertDelivery(RowId message_row, size_t index,
                                                  const Message& message,
                                                  const NewDelivery& delivery, std::string_view id,
                                                  const Lease* lease, bool held) override;
  absl::StatusOr<Backlog> BacklogOf(const Target& target) override;
  std::vector<TargetBacklog> TakeChangedBacklogs() override;
  absl::Status CheckFiles(absl::Time now) override;
  absl::StatusOr<int64_t> UsedBytes() override;

  absl::StatusOr<std::optional<std::vector<TargetDue>>> Release(std::string_view message_id,
                                                                std::string_view attributes,
                                                                absl::Time now) override;
  absl::StatusOr<int64_t> Discard(std::string_view message_id, absl::Time now) override;

  absl::Status Recover(absl::Time now) override;
  absl::StatusOr<std::vector<TargetDue>> PendingTargets() override;
  absl::StatusOr<std::optional<DueDelivery>> NextDue(const Target& target) override;
  absl::StatusOr<std::optional<ClaimedDelivery>> Claim(RowId row, absl::Time now,
                                                       const Lease& lease) override;
  absl::Status Reschedule(RowId row, const Rest& rest, bool counts, int last_status,
                          std::string_view last_error) override;
  absl::Status SetResume(RowId row, std::string_view resume) override;
  absl::Status SetProgress(RowId row, int percent_complete) override;
  absl::StatusOr<std::vector<Target>> MakeDue(std::string_view cluster, absl::Time now,
                                              RestCursor& after, size_t limit) override;
  absl::StatusOr<std::optional<absl::Time>> Finish(const DeliveryRef& delivery,
                                                   const Ending& ending) override;
  absl::Status SetCallback(RowId row, std::string_view message_id) override;
  absl::StatusOr<Placement> Replay(const DeliveryRef& delivery, absl::Time now) override;
  absl::StatusOr<Deleted> Drop(RowId row, absl::Time now) override;

  absl::StatusOr<absl::Time> NextDeadline() override;
  absl::StatusOr<std::vector<DeliveryEntry>> Overdue(absl::Time now, size_t limit) override;
  absl::StatusOr<Deleted> Forget(RowId row, absl::Time now, absl::Time status_until) override;
  absl::StatusOr<size_t> ForgetUndelivered(absl::Time now, size_t limit) override;

  absl::StatusOr<std::optional<StoredMessage>> Find(std::string_view id) override;
  absl::StatusOr<std::optional<StoredResult>> FindResult(std::string_view id) override;
  absl::StatusOr<std::optional<Answer>> ReadAnswer(RowId delivery) override;
  absl::StatusOr<std::optional<Content>> ReadContent(RowId message, size_t max_body) override;
  absl::StatusOr<ScanPage> Scan(const DeliveryFilter& filter, RowId after, size_t limit,
                                size_t scan_limit) override;
  absl::StatusOr<StoreCounts> Counts() override;

 private:
  // Where a message's rows are.
  struct MessageRange {
    RowId message = 0;
    RowId last_delivery = 0;
    MessageKind kind = MessageKind::kAsync;
    bool forgotten = false;
  };

  // A row of the table `target`. The backlog is written with the commit.
  struct KnownTarget {
    int64_t number = 0;
    Backlog backlog;
    bool changed = false;  // in this transaction
  };

  SqliteStore(FileLock lock, Journal journal, Database database, size_t max_log_bytes);

  // sqlite_store_commit.cc
  absl::Status CatchUp();
  absl::Status EnterTransaction();
  void GiveUpTransaction();
  void ForgetTargets();
  absl::Status SyncIf(Durability durability);
  bool SyncJournal();
  absl::Status WriteToJournal(Durability durability, absl::Time now);
  absl::Status StartSettling(absl::Time now);
  absl::Status FinishSettling();
  absl::Status Settle();
  absl::Status CommitGeneration(uint64_t generation);
  void NoteCommitted();

  absl::Status ReadBacklogs();
  absl::Status WriteBacklogs();
  absl::StatusOr<KnownTarget*> Know(const Target& target);
  absl::StatusOr<int64_t> TargetNumber(const Target& target);
  // By -1 or 1 delivery with so many bytes.
  absl::Status ChangeBacklog(const Target& target, int deliveries, int64_t bytes);
  absl::StatusOr<bool> KeyIsBusy(int64_t target, std::string_view key);
  absl::StatusOr<std::vector<std::string>> HeldMessages();
  absl::StatusOr<bool> HoldsUpItsKey(const DeliveryRef& delivery);
  absl::StatusOr<std::optional<absl::Time>> LetNextOfKeyGo(const DeliveryRef& finished,
                                                           absl::Time now);
  absl::Status PutResult(RowId row, const Answer& answer);
  absl::StatusOr<std::optional<MessageRange>> RangeOf(RowId delivery);
  // Returns how many of its deliveries were failed.
  absl::StatusOr<int64_t> DeleteMessage(const MessageRange& range);
  absl::StatusOr<bool> IsStillNeeded(const MessageRange& range, absl::Time now);
  absl::StatusOr<std::optional<StoredMessage>> FindMessage(std::string_view id);
  absl::StatusOr<std::optional<StoredMessage>> FindDelivery(std::string_view id);

  FileLock lock_;
  std::vector<NamedFile> files_;
  absl::Status files_checked_;
  absl::Time check_files_at_ = absl::InfinitePast();
  Journal journal_;
  StatementLog log_;   // of this transaction, and what is deferred
  Database database_;  // not while settling_
  std::unique_ptr<SqliteStatements> statements_;
  // Since an error: of what the journal and SQLite's files have, one may be what nobody was told
  // of. Until the next generation nothing is written to the journal.
  bool journal_in_doubt_ = false;
  // Since an error: SQLite has nothing of what the journal has.
  bool must_repeat_ = false;
  bool in_commit_ = false;  // between Begin and its end
  absl::Time sync_at_ = absl::InfiniteFuture();
  absl::Time settle_at_ = absl::InfiniteFuture();
  absl::Time look_at_ = absl::InfiniteFuture();  // whether settling has come to its end
  // Those seen so far: as many as the policy has routes and subscriptions.
  absl::node_hash_map<Target, KnownTarget> targets_;
  std::vector<Target> changed_;                            // of this transaction
  absl::flat_hash_map<Target, Backlog> changed_backlogs_;  // committed, and not taken yet
  RowId next_row_ = 1;
  int64_t page_size_ = 0;      // bytes
  int64_t used_pages_ = 0;     // when they were last counted
  size_t settling_bytes_ = 0;  // that settling_ executes
  StatementLog settling_log_;
  BackgroundCall settling_;
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_SQLITE_STORE_H_
