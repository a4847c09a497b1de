#include "sidecar/delivery/sqlite_schema.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sidecar/delivery/status_macros.h"

namespace pillion::delivery {
namespace {

// "Piln" in PRAGMA application_id: tells our files from those of other programs.
constexpr int kApplicationId = 0x50696c6e;

// The version is also that of the journal's layout, as there is none without a database. Nothing
// was released yet, so an older version's file is refused. Once something was, these stay as they
// are, and what is new becomes a step that brings the older version's file to the newer.
//
// Instants are milliseconds since 1970, durations milliseconds. A message and its deliveries are
// numbered from one sequence: a message with the number s has deliveries s+1 ... last_delivery, an
// asynchronous call's single delivery has the number s itself, and `ordinal` is the difference. So
// neither needs an index on the other.
//
// target.pending, pending_bytes: of its deliveries that are not final, so that nobody has to count
// them.
//
// delivery.id: NULL of an asynchronous call's, which has its message's. state: -1 held, 0 pending
// behind an earlier one of its key, 1 pending, 2 running, 3 succeeded, 4 failed, 5 canceled,
// 6 expired. deadline_at: if not final, when it expires; if final, when it may be forgotten; 0 when
// that time is over but other deliveries of the message are still needed; NULL for never.
// not_before: whatever happens, it is not due earlier; NULL: it rests after an attempt and may be
// hurried, those are what delivery_rest holds. bytes: what it adds to pending_bytes, as its message
// had when it was accepted. callback: the id of the message that announces the end of the
// operation; '' if it has not ended, NULL if it is not to be announced. resume: what the next
// attempt continues from; NULL: from the beginning.
//
// journal.generation: the last one whose records are in this file. It begins anywhere, so that the
// journal of another file is not taken for this one's.
constexpr char kTables[] = R"sql(
CREATE TABLE target(
  id INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,
  name TEXT NOT NULL,
  pending INTEGER NOT NULL DEFAULT 0,
  pending_bytes INTEGER NOT NULL DEFAULT 0,
  UNIQUE(kind, name)
) STRICT;

CREATE TABLE message(
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind INTEGER NOT NULL,
  last_delivery INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  forget_at INTEGER,
  forgotten INTEGER NOT NULL,
  idempotency_scope TEXT,
  idempotency_key TEXT,
  fingerprint BLOB,
  topic TEXT NOT NULL,
  method TEXT NOT NULL,
  path TEXT NOT NULL,
  authority TEXT NOT NULL,
  attributes BLOB NOT NULL,
  headers BLOB NOT NULL,
  body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX message_idempotency ON message(idempotency_scope, idempotency_key)
  WHERE idempotency_key IS NOT NULL;
CREATE INDEX message_forget ON message(forget_at) WHERE forget_at IS NOT NULL;

CREATE TABLE delivery(
  seq INTEGER PRIMARY KEY,
  ordinal INTEGER NOT NULL,
  id TEXT,
  target INTEGER NOT NULL,
  cluster TEXT NOT NULL,
  ordering_key TEXT,
  state INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  due_at INTEGER,
  deadline_at INTEGER,
  started_at INTEGER,
  finished_at INTEGER,
  reason INTEGER NOT NULL,
  last_status INTEGER NOT NULL,
  last_error TEXT NOT NULL,
  lease_owner TEXT,
  lease_until INTEGER,
  num_retries INTEGER NOT NULL,
  base_interval INTEGER NOT NULL,
  max_interval INTEGER NOT NULL,
  attempt_timeout INTEGER NOT NULL,
  retention INTEGER NOT NULL,
  dead_letter_retention INTEGER NOT NULL,
  concurrency INTEGER NOT NULL,
  extra BLOB NOT NULL,
  not_before INTEGER,
  bytes INTEGER NOT NULL,
  callback TEXT,
  resume BLOB,
  percent_complete INTEGER
) STRICT;
CREATE UNIQUE INDEX delivery_id ON delivery(id) WHERE id IS NOT NULL;
CREATE INDEX delivery_active ON delivery(state, target, due_at) WHERE state <= 2;
CREATE INDEX delivery_key ON delivery(target, ordering_key) WHERE ordering_key IS NOT NULL AND state <= 2;
CREATE INDEX delivery_dead ON delivery(state) WHERE state >= 4;
CREATE INDEX delivery_deadline ON delivery(deadline_at) WHERE deadline_at > 0;
CREATE INDEX delivery_rest ON delivery(cluster, due_at) WHERE state = 1 AND not_before IS NULL;

CREATE TABLE result(
  seq INTEGER PRIMARY KEY,
  status INTEGER NOT NULL,
  headers BLOB NOT NULL,
  body BLOB NOT NULL
) STRICT;

CREATE TABLE journal(generation INTEGER NOT NULL) STRICT;
INSERT INTO journal VALUES(random() & 0x3fffffffffffffff);
)sql";

// SQLite gives the -wal file the mode of the database file: stored requests are nobody else's to
// read.
absl::Status CreatePrivately(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("store ", path, ": cannot be opened for writing (", std::strerror(errno),
                     "); check the owner and the mode of the file and of its directory"));
  }
  close(descriptor);
  return absl::OkStatus();
}

// For this connection only: changes nothing in the file.
absl::Status ConfigureConnection(Database& database) {
  // The exclusive lock comes before the first access in WAL mode: then the WAL's index is in our
  // memory, and there is no -shm file. secure_delete, on in Debian's build, would write every
  // deleted page once more.
  sqlite3_busy_timeout(database.handle(), 2000);
  return database.Execute(
      "PRAGMA locking_mode = EXCLUSIVE; PRAGMA secure_delete = OFF; PRAGMA temp_store = MEMORY;"
      "PRAGMA cache_size = -8192;");
}

absl::Status UseWriteAheadLog(Database& database) {
  PILLION_ASSIGN_OR_RETURN(const std::string mode, database.QueryText("PRAGMA journal_mode = WAL"));
  if (mode != "wal") {
    return absl::FailedPreconditionError(absl::StrCat(
        "store ", database.path(),
        ": the file system does not support SQLite's write-ahead log; use a local disk"));
  }
  // The log is written from its beginning again after each checkpoint, and shortened only if a
  // burst made it large: overwriting what exists makes fdatasync cheaper than growing does. Whoever
  // wants something accepted waits while a checkpoint runs, so it is a small one.
  return database.Execute(
      "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 500; PRAGMA journal_size_limit = "
      "67108864;");
}

absl::Status CreateTables(Database& database) {
  PILLION_RETURN_IF_ERROR(database.Execute(kTables));
  return database.Execute(absl::StrCat("PRAGMA application_id = ", kApplicationId,
                                       "; PRAGMA user_version = ", kSchemaVersion, ";"));
}

absl::Status ReplayJournal(Database& database, Replay replay) {
  PILLION_ASSIGN_OR_RETURN(const uint64_t generation, JournalGeneration(database));
  PILLION_ASSIGN_OR_RETURN(const uint64_t last, replay(database, generation));
  // The one after it may be in the journal, torn, and is never begun again.
  return database.Execute(absl::StrCat("UPDATE journal SET generation = ", last + 1));
}

absl::Status CheckSchema(Database& database, MayCreate may_create, Replay replay) {
  PILLION_ASSIGN_OR_RETURN(const int64_t tables,
                           database.QueryInt("SELECT count(*) FROM sqlite_schema"));
  PILLION_ASSIGN_OR_RETURN(const int64_t application, database.QueryInt("PRAGMA application_id"));
  PILLION_ASSIGN_OR_RETURN(const int64_t version, database.QueryInt("PRAGMA user_version"));
  if (tables == 0 && application == 0 && version == 0) {
    PILLION_RETURN_IF_ERROR(may_create());
    return CreateTables(database);
  }
  if (application != kApplicationId) {
    return absl::FailedPreconditionError(absl::StrCat(
        "store ", database.path(),
        ": is the database of another program; move it away, or set another store path"));
  }
  if (version != kSchemaVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        "store ", database.path(), ": has schema version ", version,
        ", and this program knows version ", kSchemaVersion, " only; ",
        version > kSchemaVersion
            ? "start the newer program that wrote it, or set another store path"
            : "let the older program that wrote it deliver what is in there, then move all files "
              "deliveries.* away (the results and dead letters in them are not taken over)"));
  }
  return ReplayJournal(database, replay);
}

}  // namespace

absl::StatusOr<uint64_t> JournalGeneration(Database& database) {
  PILLION_ASSIGN_OR_RETURN(const int64_t last, database.QueryInt("SELECT generation FROM journal"));
  return static_cast<uint64_t>(last) + 1;
}

absl::StatusOr<Database> OpenDeliveryDatabase(std::string path, MayCreate may_create,
                                              Replay replay) {
  PILLION_RETURN_IF_ERROR(CreatePrivately(path));
  PILLION_ASSIGN_OR_RETURN(Database database, Database::Open(std::move(path)));
  PILLION_RETURN_IF_ERROR(ConfigureConnection(database));
  // A file that is not ours must not even be changed to WAL mode, so it is looked at first.
  PILLION_ASSIGN_OR_RETURN(const int64_t application, database.QueryInt("PRAGMA application_id"));
  PILLION_ASSIGN_OR_RETURN(const int64_t tables,
                           database.QueryInt("SELECT count(*) FROM sqlite_schema"));
  if (application == kApplicationId || tables == 0) {
    PILLION_RETURN_IF_ERROR(UseWriteAheadLog(database));
  }
  PILLION_RETURN_IF_ERROR(database.Execute("BEGIN IMMEDIATE"));
  const absl::Status schema = CheckSchema(database, may_create, replay);
  if (!schema.ok()) {
    if (database.in_transaction()) database.Execute("ROLLBACK").IgnoreError();
    return schema;
  }
  PILLION_RETURN_IF_ERROR(database.Execute("COMMIT"));
  return database;
}

}  // namespace pillion::delivery
