#include "sidecar/delivery/sqlite_store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sidecar/delivery/sqlite_repeat.h"
#include "sidecar/delivery/sqlite_rows.h"
#include "sidecar/delivery/sqlite_schema.h"
#include "sidecar/delivery/sqlite_statements.h"
#include "sidecar/delivery/status_macros.h"

namespace pillion::delivery {
namespace {

// So long a file that is gone may go unnoticed, but the journal.
constexpr absl::Duration kCheckFilesAfter = absl::Milliseconds(100);

// Without this a power cut could take new files and directories away, and all that was confirmed
// inside them.
void SyncDirectory(const std::filesystem::path& directory) {
  const int descriptor = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  fsync(descriptor);
  close(descriptor);
}

// With its parents.
absl::Status MakeDirectory(const std::filesystem::path& directory, mode_t mode) {
  std::error_code error;
  if (std::filesystem::is_directory(directory, error)) return absl::OkStatus();
  if (directory.has_relative_path()) {
    PILLION_RETURN_IF_ERROR(MakeDirectory(directory.parent_path(), 0777));
  }
  if (mkdir(directory.c_str(), mode) != 0) {
    if (errno == EEXIST) {
      return absl::FailedPreconditionError(
          absl::StrCat(directory.native(), " is a file; move it away, or set another store.path"));
    }
    return absl::PermissionDeniedError(absl::StrCat("the directory ", directory.native(),
                                                    " cannot be created (", std::strerror(errno),
                                                    "); create it, or set another store.path"));
  }
  SyncDirectory(directory.parent_path());
  return absl::OkStatus();
}

absl::Status CreateDirectory(const std::string& name) {
  std::error_code error;
  std::filesystem::path directory = std::filesystem::absolute(name, error).lexically_normal();
  if (!directory.has_filename()) directory = directory.parent_path();  // "store/"
  // What is stored is what callers sent: for this user only.
  const absl::Status made = MakeDirectory(directory, 0700);
  return made.ok() ? made
                   : absl::Status(made.code(), absl::StrCat("store ", name, ": ", made.message()));
}

// Fills in what is there now, without its times, as in Journal::deleted(). False if nothing is, or
// nobody can tell what.
bool Identify(NamedFile& file) {
  struct statx status = {};
  if (statx(AT_FDCWD, file.path.c_str(), 0, STATX_INO, &status) != 0) return false;
  file.device = uint64_t{status.stx_dev_major} << 32 | status.stx_dev_minor;
  file.inode = status.stx_ino;
  return true;
}

bool IsGone(const NamedFile& file) {
  NamedFile now = {file.path};
  if (!Identify(now)) return errno == ENOENT || errno == ENOTDIR;
  return now.device != file.device || now.inode != file.inode;
}

absl::Status NoDatabase(const std::string& path) {
  return absl::FailedPreconditionError(absl::StrCat(
      "store ", path,
      ": is of a database that is missing, empty, or without its log; put deliveries.db and "
      "deliveries.db-wal back, or move all files deliveries.* away to start with an empty store"));
}

// Before SQLite opens it, which would write a new database in the place of one that is missing or
// damaged, and delete the log of the one that was there.
absl::Status CheckDatabase(const std::string& path, const Journal& journal,
                           const std::string& journal_path) {
  const std::string log = absl::StrCat(path, "-wal");
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  if (error || bytes == 0) {
    PILLION_ASSIGN_OR_RETURN(const bool has_records, journal.HasRecords());
    if (has_records) return NoDatabase(journal_path);
    const auto log_bytes = std::filesystem::file_size(log, error);
    return !error && log_bytes > 0 ? NoDatabase(log) : absl::OkStatus();
  }
  constexpr std::string_view kMagic("SQLite format 3\0", 16);
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) return absl::OkStatus();  // whoever opens it says why
  char magic[16] = {};
  file.read(magic, sizeof magic);
  if (std::string_view(magic, sizeof magic) == kMagic) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("store ", path,
                   ": not an intact SQLite database (it does not begin as one does); restore all "
                   "files of the store from a copy, or move them away to start with an empty one"));
}

absl::Status NoJournal(const std::string& path) {
  return absl::FailedPreconditionError(absl::StrCat(
      "store ", path,
      ": is missing, and the database is there; what was accepted last may be in it only: put it "
      "back, or, if it is gone, create an empty file of that name to go on without"));
}

}  // namespace

SqliteStore::SqliteStore(FileLock lock, Journal journal, Database database, size_t max_log_bytes)
    : lock_(std::move(lock)),
      journal_(std::move(journal)),
      log_(max_log_bytes),
      database_(std::move(database)),
      statements_(std::make_unique<SqliteStatements>()),
      settling_log_(max_log_bytes) {
  database_.set_before_use([this] { return CatchUp(); });
}

SqliteStore::~SqliteStore() {
  if (in_commit_) Rollback();
  // If it fails, the journal has it all the same.
  FinishSettling().IgnoreError();
  if (journal_.records() > 0) Settle().IgnoreError();
}

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(const std::string& directory,
                                                               int max_row_bytes) {
  PILLION_RETURN_IF_ERROR(CreateDirectory(directory));
  PILLION_ASSIGN_OR_RETURN(FileLock lock,
                           FileLock::Take(absl::StrCat(directory, "/deliveries.lock")));
  const std::string journal_path = absl::StrCat(directory, "/deliveries.journal");
  std::error_code error;
  const bool is_missing = !std::filesystem::exists(journal_path, error);
  PILLION_ASSIGN_OR_RETURN(Journal journal, Journal::Open(journal_path, kJournalBytes));
  const std::string database_path = absl::StrCat(directory, "/deliveries.db");
  PILLION_RETURN_IF_ERROR(CheckDatabase(database_path, journal, journal_path));
  // What has a journal had tables, too, perhaps in a log that is missing.
  const auto may_create = [&]() -> absl::Status {
    PILLION_ASSIGN_OR_RETURN(const bool has_records, journal.HasRecords());
    return has_records ? NoDatabase(journal_path) : absl::OkStatus();
  };
  const auto replay = [&](Database& database, uint64_t generation) -> absl::StatusOr<uint64_t> {
    if (is_missing) return NoJournal(journal_path);
    Repetition repetition(database);
    PILLION_RETURN_IF_ERROR(
        journal.Read(generation, [&](std::string_view record) { return repetition.Do(record); }));
    return journal.generation();
  };
  absl::StatusOr<Database> opened = OpenDeliveryDatabase(database_path, may_create, replay);
  if (!opened.ok()) {
    // Or the next start would not know that it was missing.
    if (is_missing) unlink(journal_path.c_str());
    return opened.status();
  }
  Database database = *std::move(opened);
  PILLION_ASSIGN_OR_RETURN(const uint64_t generation, JournalGeneration(database));
  SyncDirectory(directory);
  PILLION_ASSIGN_OR_RETURN(
      const int64_t last_row,
      database.QueryInt("SELECT max(coalesce((SELECT last_delivery FROM message ORDER BY seq DESC"
                        " LIMIT 1), 0), coalesce((SELECT max(seq) FROM delivery), 0))"));
  sqlite3_limit(database.handle(), SQLITE_LIMIT_LENGTH, max_row_bytes);
  journal.Start(generation);
  // What is too large for a row is not deferred: whoever wants it stored is told.
  const size_t max_log_bytes = std::min(kSettleBytes, static_cast<size_t>(max_row_bytes) / 2);
  auto store = std::unique_ptr<SqliteStore>(
      new SqliteStore(std::move(lock), std::move(journal), std::move(database), max_log_bytes));
  for (const std::string& path : {journal_path, database_path, database_path + "-wal"}) {
    if (NamedFile file = {path}; Identify(file)) store->files_.push_back(std::move(file));
  }
  PILLION_RETURN_IF_ERROR(store->settling_.Open());
  PILLION_RETURN_IF_ERROR(store->statements_->Prepare(store->database_));
  store->next_row_ = last_row + 1;
  PILLION_ASSIGN_OR_RETURN(store->page_size_, store->database_.QueryInt("PRAGMA page_size"));
  PILLION_RETURN_IF_ERROR(store->UsedBytes().status());
  PILLION_RETURN_IF_ERROR(store->ReadBacklogs());
  return store;
}

// To look at the names with each transaction would cost a twentieth of them.
absl::Status SqliteStore::CheckFiles(absl::Time now) {
  if (files_checked_.ok() && now < check_files_at_ && !journal_.deleted()) return files_checked_;
  check_files_at_ = now + kCheckFilesAfter;
  const auto gone = std::find_if(files_.begin(), files_.end(), IsGone);
  if (gone == files_.end()) return files_checked_ = absl::OkStatus();
  return files_checked_ = absl::UnavailableError(absl::StrCat(
             "store ", gone->path,
             ": was deleted, moved or replaced while it was in use; what is accepted now would be "
             "lost, so nothing is, and what is pending is still delivered: put the file back, or "
             "restart the sidecar once nothing is pending"));
}

// --- Accepting ---

absl::StatusOr<std::optional<IdempotencyRecord>> SqliteStore::FindIdempotent(std::string_view scope,
                                                                             std::string_view key) {
  Query query(database_, statements_->find_idempotent);
  PILLION_ASSIGN_OR_RETURN(const bool found, query.Text(scope).Text(key).Next());
  if (!found) return std::nullopt;
  return IdempotencyRecord{query.GetText(0), query.GetText(1)};
}

absl::StatusOr<RowId> SqliteStore::InsertMessage(const Message& message,
                                                 const Idempotency* idempotency,
                                                 size_t deliveries) {
  const RowId row = next_row_;
  const RowId last =
      message.kind == MessageKind::kAsync ? row : row + static_cast<RowId>(deliveries);
  next_row_ = last + 1;
  Query query(database_, statements_->insert_message);
  query.Int(row).Text(message.id).Int(static_cast<int64_t>(message.kind)).Int(last);
  query.Time(message.created_at).Time(message.expires_at);
  query.Time(deliveries == 0 ? message.created_at + message.retention : absl::InfiniteFuture());
  if (idempotency != nullptr) {
    query.Text(idempotency->scope).Text(idempotency->key).Blob(idempotency->fingerprint);
  } else {
    query.Null().Null().Null();
  }
  query.Text(message.topic)
      .Text(message.method)
      .Text(message.path_and_query)
      .Text(message.authority);
  query.Blob(message.attributes).Blob(message.headers).Blob(message.body);
  PILLION_RETURN_IF_ERROR(query.Run());
  return row;
}

absl::StatusOr<bool> SqliteStore::KeyIsBusy(int64_t target, std::string_view key) {
  return Query(database_, statements_->key_is_busy).Int(target).Text(key).Next();
}

absl::StatusOr<InsertedDelivery> SqliteStore::InsertDelivery(RowId message_row, size_t index,
                                                             const Message& message,
                                                             const NewDelivery& delivery,
                                                             std::string_view id,
                                                             const Lease* lease, bool held) {
  PILLION_ASSIGN_OR_RETURN(const int64_t target, TargetNumber(delivery.target));
  const int64_t bytes = SizeOf(message);
  InsertedDelivery inserted;
  inserted.placement = held               ? Placement::kHeld
                       : lease != nullptr ? Placement::kRunning
                                          : Placement::kDue;
  if (!held && delivery.ordering_key.has_value()) {
    PILLION_ASSIGN_OR_RETURN(const bool busy, KeyIsBusy(target, *delivery.ordering_key));
    if (busy) inserted.placement = Placement::kBehindKey;
  }
  const bool running = inserted.placement == Placement::kRunning;
  const bool due = inserted.placement == Placement::kDue;
  const int64_t ordinal = message.kind == MessageKind::kAsync ? 0 : static_cast<int64_t>(index) + 1;
  inserted.ref = {message_row + ordinal, delivery.target, delivery.ordering_key, bytes};
  const DeliverySpec& spec = delivery.spec;
  const absl::Time now = message.created_at;
  const absl::Time not_before = now + delivery.delay;

  Query query(database_, statements_->insert_delivery);
  query.Int(inserted.ref.row).Int(ordinal);
  if (ordinal == 0) {
    assert(id == message.id);
    query.Null();
  } else {
    query.Text(id);
  }
  query.Int(target).Text(delivery.cluster);
  query.TextOrNull(delivery.ordering_key).Int(StateNumber(inserted.placement)).Int(running ? 1 : 0);
  query.Time(due ? not_before : absl::InfiniteFuture()).Time(message.expires_at);
  query.Time(running ? now : absl::InfiniteFuture());
  if (running) {
    query.Text(lease->owner).Time(now + spec.attempt_timeout + lease->grace);
  } else {
    query.Null().Null();
  }
  query.Int(spec.retry.num_retries).Int(EncodeDuration(spec.retry.base_interval));
  query.Int(EncodeDuration(spec.retry.max_interval)).Int(EncodeDuration(spec.attempt_timeout));
  query.Int(EncodeDuration(spec.retention)).Int(EncodeDuration(spec.dead_letter_retention));
  query.Int(spec.concurrency);
  if (spec.callback) {
    query.Text("");
  } else {
    query.Null();
  }
  PILLION_RETURN_IF_ERROR(query.Blob(spec.extra).Time(not_before).Int(bytes).Run());
  PILLION_RETURN_IF_ERROR(ChangeBacklog(delivery.target, 1, bytes));
  return inserted;
}

// --- Scheduling ---

absl::Status SqliteStore::Recover(absl::Time now) {
  absl::Time last = now;
  {
    Query query(database_, statements_->last_created);
    PILLION_ASSIGN_OR_RETURN(const bool found, query.Next());
    if (found) last = query.GetTime(0);
  }
  if (last > now) {
    Query set_back(database_, statements_->set_back);
    PILLION_RETURN_IF_ERROR(set_back.Int(absl::ToInt64Milliseconds(last - now)).Run());
  }
  PILLION_RETURN_IF_ERROR(Query(database_, statements_->recover).Time(now).Run());
  PILLION_ASSIGN_OR_RETURN(const std::vector<std::string> held, HeldMessages());
  for (const std::string& id : held) PILLION_RETURN_IF_ERROR(Release(id, "", now).status());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<TargetDue>> SqliteStore::PendingTargets() {
  std::vector<TargetDue> targets;
  Query query(database_, statements_->all_targets);
  for (;;) {
    PILLION_ASSIGN_OR_RETURN(const bool found, query.Next());
    if (!found) return targets;
    if (query.IsNull(2)) continue;
    targets.push_back(
        {{static_cast<TargetKind>(query.GetInt(0)), query.GetText(1)}, query.GetTime(2)});
  }
}

absl::StatusOr<std::optional<DueDelivery>> SqliteStore::NextDue(const Target& target) {
  PILLION_ASSIGN_OR_RETURN(const int64_t number, TargetNumber(target));
  Query query(database_, statements_->next_due);
  PILLION_ASSIGN_OR_RETURN(const bool found, query.Int(number).Next());
  if (!found) return std::nullopt;
  return DueDelivery{ReadEntry(query), query.GetTime(kEntryColumns),
                     query.GetTime(kEntryColumns + 1)};
}

absl::StatusOr<std::optional<ClaimedDelivery>> SqliteStore::Claim(RowId row, absl::Time now,
                                                                  const Lease& lease) {
  {
    Query claim(database_, statements_->claim);
    claim.Time(now).Text(lease.owner).Int(EncodeDuration(lease.grace)).Int(row);
    PILLION_ASSIGN_OR_RETURN(const bool claimed, claim.Next());
    if (!claimed) return std::nullopt;
  }
  Query load(database_, statements_->load_claimed);
  PILLION_ASSIGN_OR_RETURN(const bool found, load.Int(row).Next());
  if (!found) return std::nullopt;
  StoredDelivery stored = ReadDelivery(load, 0);
  MessageSummary summary = ReadSummary(load, kDeliveryColumns);
  auto message = std::make_shared<Message>();
  message->id = std::move(summary.id);
  message->kind = summary.kind;
  message->topic = std::move(summary.topic);
  message->method = std::move(summary.method);
  message->path_and_query = std::move(summary.path_and_query);
  message->authority = std::move(summary.authority);
  message->created_at = summary.created_at;
  message->expires_at = summary.expires_at;
  message->attributes = load.GetText(kDeliveryColumns + kSummaryColumns);
  message->headers = load.GetText(kDeliveryColumns + kSummaryColumns + 1);
  message->body = load.GetText(kDeliveryColumns + kSummaryColumns + 2);

  ClaimedDelivery claimed;
  claimed.id = std::move(stored.view.id);
  claimed.message = std::move(message);
  claimed.target = std::move(stored.view.target);
  claimed.cluster = std::move(stored.view.cluster);
  claimed.ordering_key = std::move(stored.view.ordering_key);
  claimed.spec = std::move(stored.spec);
  claimed.attempt = stored.view.attempts;
  claimed.resume = load.GetText(kDeliveryColumns + kSummaryColumns + 3);
  return claimed;
}

absl::Status SqliteStore::Reschedule(RowId row, const Rest& rest, bool counts, int last_status,
                                     std::string_view last_error) {
  return Query(database_, statements_->reschedule)
      .Time(rest.until)
      .Time(rest.fixed ? rest.until : absl::InfiniteFuture())
      .Int(counts ? 0 : 1)
      .Int(last_status)
      .Text(last_error)
      .Int(row)
      .Run();
}

absl::Status SqliteStore::SetResume(RowId row, std::string_view resume) {
  return Query(database_, statements_->set_resume).Blob(resume).Int(row).Run();
}

absl::Status SqliteStore::SetProgress(RowId row, int percent_complete) {
  return Query(database_, statements_->set_progress).Int(percent_complete).Int(row).Run();
}

absl::StatusOr<std::vector<Target>> SqliteStore::MakeDue(std::string_view cluster, absl::Time now,
                                                         RestCursor& after, size_t limit) {
  std::vector<Target> targets;
  std::vector<RowId> rows;
  {
    Query query(database_, statements_->resting);
    query.Text(cluster).Time(after.due_at).Int(after.row).Int(static_cast<int64_t>(limit));
    for (;;) {
      PILLION_ASSIGN_OR_RETURN(const bool found, query.Next());
      if (!found) break;
      rows.push_back(query.GetInt(0));
      after = {query.GetTime(1), rows.back()};
      targets.push_back({static_cast<TargetKind>(query.GetInt(2)), query.GetText(3)});
    }
  }
  for (const RowId row : rows) {
    PILLION_RETURN_IF_ERROR(Query(database_, statements_->end_rest).Time(now).Int(row).Run());
  }
  return targets;
}

absl::Status SqliteStore::PutResult(RowId row, const Answer& answer) {
  return Query(database_, statements_->put_result)
      .Int(row)
      .Int(answer.status)
      .Blob(answer.headers)
      .Blob(answer.body)
      .Run();
}

absl::StatusOr<std::optional<absl::Time>> SqliteStore::Finish(const DeliveryRef& delivery,
                                                              const Ending& ending) {
  assert(IsFinal(ending.state));
  PILLION_ASSIGN_OR_RETURN(const bool holds_up_others, HoldsUpItsKey(delivery));
  // First: it may be too large.
  if (ending.answer != nullptr) PILLION_RETURN_IF_ERROR(PutResult(delivery.row, *ending.answer));
  {
    Query query(database_, statements_->finish);
    query.Int(static_cast<int64_t>(ending.state)).Int(static_cast<int64_t>(ending.reason));
    query.Time(ending.forget_at).Time(ending.at);
    if (ending.last_status.has_value()) {
      query.Int(*ending.last_status).Text(ending.last_error);
    } else {
      query.Null().Null();
    }
    PILLION_RETURN_IF_ERROR(query.Int(delivery.row).Run());
  }
  PILLION_RETURN_IF_ERROR(ChangeBacklog(delivery.target, -1, delivery.bytes));
  if (!holds_up_others) return std::nullopt;
  return LetNextOfKeyGo(delivery, ending.at);
}

absl::Status SqliteStore::SetCallback(RowId row, std::string_view message_id) {
  return Query(database_, statements_->set_callback).Text(message_id).Int(row).Run();
}

absl::StatusOr<bool> SqliteStore::HoldsUpItsKey(const DeliveryRef& delivery) {
  if (!delivery.ordering_key.has_value()) return false;
  Query query(database_, statements_->state_of);
  PILLION_ASSIGN_OR_RETURN(const bool found, query.Int(delivery.row).Next());
  return found && query.GetInt(0) > kBehindKeyState;
}

absl::StatusOr<std::optional<absl::Time>> SqliteStore::LetNextOfKeyGo(const DeliveryRef& finished,
                                                                      absl::Time now) {
  PILLION_ASSIGN_OR_RETURN(const int64_t target, TargetNumber(finished.target));
  RowId next = 0;
  {
    Query query(database_, statements_->first_of_key);
    PILLION_ASSIGN_OR_RETURN(const bool found,
                             query.Int(target).Text(*finished.ordering_key).Next());
    if (!found) return std::nullopt;
    next = query.GetInt(0);
  }
  Query query(database_, statements_->let_go);
  PILLION_RETURN_IF_ERROR(query.Time(now).Int(next).Run());
  return query.GetTime(0);
}

absl::StatusOr<Placement> SqliteStore::Replay(const DeliveryRef& delivery, absl::Time now) {
  Placement placement = Placement::kDue;
  if (delivery.ordering_key.has_value()) {
    PILLION_ASSIGN_OR_RETURN(const int64_t target, TargetNumber(delivery.target));
    PILLION_ASSIGN_OR_RETURN(const bool busy, KeyIsBusy(target, *delivery.ordering_key));
    if (busy) placement = Placement::kBehindKey;
  }
  PILLION_RETURN_IF_ERROR(Query(database_, statements_->delete_result).Int(delivery.row).Run());
  Query query(database_, statements_->replay);
  query.Int(StateNumber(placement));
  query.Time(placement == Placement::kDue ? now : absl::InfiniteFuture());
  PILLION_RETURN_IF_ERROR(query.Time(now).Int(delivery.row).Run());
  PILLION_RETURN_IF_ERROR(ChangeBacklog(delivery.target, 1, delivery.bytes));
  return placement;
}

}  // namespace pillion::delivery
