#include "sidecar/delivery/sqlite.h"

#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sidecar/delivery/statement_log.h"
#include "sidecar/delivery/status_macros.h"

namespace pillion::delivery {
namespace {

constexpr size_t kRowsTogether = 16;
constexpr size_t kSmallRowBytes = 4096;

bool MeansDiskFull(int code, int system_error) {
  if ((code & 0xff) == SQLITE_FULL) return true;
  return (code & 0xff) == SQLITE_IOERR &&
         (system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG);
}

// The system's own error behind an input/output error: sqlite3_system_errno() knows only some of
// them, and each file the last one of its own.
int SystemError(sqlite3* handle, int code) {
  if ((code & 0xff) == SQLITE_CANTOPEN) return sqlite3_system_errno(handle);
  if ((code & 0xff) != SQLITE_IOERR) return 0;
  int error = 0;
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) == SQLITE_OK &&
      file != nullptr && file->pMethods != nullptr) {
    file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error);
  }
  if (error == 0) sqlite3_file_control(handle, "main", SQLITE_FCNTL_LAST_ERRNO, &error);
  return error != 0 ? error : sqlite3_system_errno(handle);
}

}  // namespace

void Database::Close::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }

absl::StatusOr<Database> Database::Open(std::string path) {
  // Counting all memory would take a lock with every allocation. Once a process, before SQLite is
  // first used; if somebody else was faster, it stays as slow as it was.
  static const int uncounted = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  (void)uncounted;
  Database database(std::move(path));
  sqlite3* handle = nullptr;
  const int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(database.path_.c_str(), &handle, flags, nullptr);
  database.handle_.reset(handle);
  if (code != SQLITE_OK) return database.Error(code);
  return database;
}

absl::Status Database::Execute(const std::string& sql) {
  const int code = sqlite3_exec(handle(), sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Error(code);
}

absl::StatusOr<std::string> Database::QueryText(const std::string& sql) {
  Statement statement;
  PILLION_RETURN_IF_ERROR(statement.Prepare(*this, sql));
  Query query(*this, statement);
  PILLION_ASSIGN_OR_RETURN(const bool found, query.Next());
  if (!found)
    return absl::InternalError(absl::StrCat("store ", path_, ": no answer to '", sql, "'"));
  return query.GetText(0);
}

absl::StatusOr<int64_t> Database::QueryInt(const std::string& sql) {
  Statement statement;
  PILLION_RETURN_IF_ERROR(statement.Prepare(*this, sql));
  Query query(*this, statement);
  PILLION_ASSIGN_OR_RETURN(const bool found, query.Next());
  if (!found)
    return absl::InternalError(absl::StrCat("store ", path_, ": no answer to '", sql, "'"));
  return query.GetInt(0);
}

bool Database::in_transaction() const { return sqlite3_get_autocommit(handle()) == 0; }

absl::Status Database::Error(int code) const {
  const int system_error = handle_ == nullptr ? 0 : SystemError(handle(), code);
  std::string cause = handle_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle());
  if (system_error != 0) absl::StrAppend(&cause, ", ", std::strerror(system_error));
  const std::string where = absl::StrCat("store ", path_, ": ");
  if (MeansDiskFull(code, system_error)) {
    return absl::ResourceExhaustedError(absl::StrCat(
        where, "the disk is full (", cause, "); free space on its volume, or raise the quota"));
  }
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(
          absl::StrCat(where,
                       "locked by another process (an open sqlite3 shell, a backup?); end it, or "
                       "give this process a "
                       "store path of its own"));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(absl::StrCat(where, "not an intact SQLite database (", cause,
                                              "); restore all files of the store from a copy, or "
                                              "move them away to start with an empty one"));
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return absl::PermissionDeniedError(
          absl::StrCat(where, "cannot be opened for writing (", cause,
                       "); check the owner and the mode of the file and of its directory"));
    case SQLITE_TOOBIG:
      return absl::OutOfRangeError(absl::StrCat(where, "too large to be stored"));
    case SQLITE_IOERR:
      return absl::UnavailableError(absl::StrCat(where, "input/output error (", cause,
                                                 "); check the volume and the kernel's log"));
    default:
      return absl::InternalError(absl::StrCat(where, cause, " (SQLite result ", code, ")"));
  }
}

// Executes what is deferred, and the rows of equal insertions together: to begin and end a
// statement costs SQLite more than to insert a small row.
class DeferredExecutions {
 public:
  explicit DeferredExecutions(Database& database) : database_(database) {}

  absl::Status Execute(const LoggedStatement& logged) {
    const Statement& statement = *logged.statement;
    if (statement.order_ == Statement::Order::kRowsTogether) return AddRow(statement, logged);
    if (statement.order_ == Statement::Order::kKept) PILLION_RETURN_IF_ERROR(InsertRows());
    return Run(statement.statement_, logged.values);
  }

  // Those that wait for others.
  absl::Status InsertRows() {
    for (Rows& rows : waiting_) {
      const size_t width = rows.count == 0 ? 0 : rows.values.size() / rows.count;
      for (size_t row = 0; row < rows.count; ++row) {
        PILLION_RETURN_IF_ERROR(Run(rows.statement->statement_,
                                    absl::MakeConstSpan(rows.values).subspan(row * width, width)));
      }
      rows.count = 0;
      rows.values.clear();
    }
    return absl::OkStatus();
  }

 private:
  struct Rows {
    const Statement* statement;
    size_t count = 0;
    std::vector<LoggedValue> values;  // of one after the other
  };

  absl::Status AddRow(const Statement& statement, const LoggedStatement& logged) {
    size_t bytes = 0;
    for (const LoggedValue& value : logged.values) bytes += value.bytes.size();
    // Nothing is gained then, and whoever waits for the processor would wait for all of them.
    if (bytes > kSmallRowBytes) return Run(statement.statement_, logged.values);
    auto rows = std::find_if(waiting_.begin(), waiting_.end(), [&statement](const Rows& waiting) {
      return waiting.statement == &statement;
    });
    if (rows == waiting_.end()) rows = waiting_.insert(rows, Rows{&statement, 0, {}});
    rows->values.insert(rows->values.end(), logged.values.begin(), logged.values.end());
    if (++rows->count < kRowsTogether) return absl::OkStatus();
    absl::Status inserted = Run(statement.with_rows_together_, rows->values);
    rows->count = 0;
    rows->values.clear();
    return inserted;
  }

  absl::Status Run(const Statement::Prepared& prepared, absl::Span<const LoggedValue> values) {
    Query query = Query::AsItIs(database_, prepared.get());
    query.BindAll(values, /*copy=*/false);
    return query.Run();
  }

  Database& database_;
  std::vector<Rows> waiting_;
};

absl::Status Database::ExecuteDeferred(StatementLog& log, absl::FunctionRef<void()> after_each) {
  DeferredExecutions executions(*this);
  absl::Status status = log.ExecuteDeferred([&](const LoggedStatement& logged) {
    absl::Status executed = executions.Execute(logged);
    after_each();
    return executed;
  });
  if (status.ok()) status = executions.InsertRows();
  failed_ = failed_ || !status.ok();
  // To be told of what is too large, its caller would have to be here yet.
  return absl::IsOutOfRange(status) ? absl::InternalError(status.message()) : status;
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

absl::StatusOr<Statement::Prepared> Statement::PrepareOne(const Database& database,
                                                          std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(database.handle(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  Prepared prepared(statement);
  if (code != SQLITE_OK) return database.Error(code);
  return prepared;
}

absl::Status Statement::Prepare(const Database& database, std::string_view sql, Order order) {
  PILLION_ASSIGN_OR_RETURN(statement_, PrepareOne(database, sql));
  if (sqlite3_stmt_readonly(statement_.get()) == 0) sql_ = sqlite3_sql(statement_.get());
  has_rows_ = sqlite3_column_count(statement_.get()) > 0;
  order_ = order;
  if (order != Order::kRowsTogether) return absl::OkStatus();
  constexpr std::string_view kValues = " VALUES";
  const std::string_view row = sql.substr(sql.find(kValues) + kValues.size());
  std::string together(sql);
  for (size_t rows = 1; rows < kRowsTogether; ++rows) together.append(", ").append(row);
  PILLION_ASSIGN_OR_RETURN(with_rows_together_, PrepareOne(database, together));
  return absl::OkStatus();
}

Query::Query(Database& database, const Statement& statement)
    : Query(database, statement.statement_.get()) {
  if (statement.sql_ != nullptr) log_ = database.log_;
  deferred_ = log_ != nullptr && !statement.has_rows_ && !log_->overflowed();
  if (!deferred_ && database.before_use_) before_use_ = database.before_use_();
  if (!before_use_.ok()) log_ = nullptr;
  if (log_ != nullptr) log_->Begin(statement.sql_, &statement);
}

Query::Query(Database& database, sqlite3_stmt* prepared)
    : database_(database), statement_(prepared) {}

Query Query::AsItIs(Database& database, const Statement& statement) {
  return {database, statement.statement_.get()};
}

Query Query::AsItIs(Database& database, sqlite3_stmt* prepared) { return {database, prepared}; }

Query::~Query() {
  if (log_ != nullptr) log_->Drop();
  if (deferred_) return;
  sqlite3_reset(statement_);
  // Bound text belongs to the caller and must not be looked at again.
  sqlite3_clear_bindings(statement_);
}

// The log cannot take what comes: what it has of this execution is bound.
void Query::StopDeferring() {
  deferred_ = false;
  if (database_.before_use_) before_use_ = database_.before_use_();
  if (before_use_.ok()) {
    BindAll(log_->BegunValues(), /*copy=*/true);
  } else {
    std::exchange(log_, nullptr)->Drop();
  }
}

void Query::BindAll(absl::Span<const LoggedValue> values, bool copy) {
  for (const LoggedValue& value : values) {
    switch (value.tag) {
      case StatementLog::kInt:
        Keep(sqlite3_bind_int64(statement_, ++parameter_, value.number));
        break;
      case StatementLog::kText:
      case StatementLog::kBlob:
        Bind(value.bytes, value.tag == StatementLog::kText, copy);
        break;
      default:
        ++parameter_;  // NULL, as nothing is bound
    }
  }
}

void Query::Keep(int code) {
  if (bind_error_ == SQLITE_OK) bind_error_ = code;
}

void Query::Bind(std::string_view value, bool is_text, bool copy) {
  // A null pointer would bind NULL.
  const char* data = value.data() == nullptr ? "" : value.data();
  const auto release = copy ? SQLITE_TRANSIENT : SQLITE_STATIC;
  Keep(is_text
           ? sqlite3_bind_text64(statement_, ++parameter_, data, value.size(), release, SQLITE_UTF8)
           : sqlite3_bind_blob64(statement_, ++parameter_, data, value.size(), release));
}

Query& Query::Int(int64_t value) {
  if (log_ != nullptr) log_->Int(value);
  if (!deferred_) Keep(sqlite3_bind_int64(statement_, ++parameter_, value));
  return *this;
}

Query& Query::Text(std::string_view value) {
  if (deferred_ && !log_->HasRoomFor(value.size())) StopDeferring();
  if (log_ != nullptr) log_->Text(value);
  if (!deferred_) Bind(value, /*is_text=*/true, /*copy=*/false);
  return *this;
}

Query& Query::Blob(std::string_view value) {
  if (deferred_ && !log_->HasRoomFor(value.size())) StopDeferring();
  if (log_ != nullptr) log_->Blob(value);
  if (!deferred_) Bind(value, /*is_text=*/false, /*copy=*/false);
  return *this;
}

Query& Query::TextOrNull(const std::optional<std::string>& value) {
  return value.has_value() ? Text(std::string_view(*value)) : Null();
}

Query& Query::Time(absl::Time value) {
  return value == absl::InfiniteFuture() ? Null() : Int(absl::ToUnixMillis(value));
}

Query& Query::Null() {
  if (log_ != nullptr) log_->Null();
  if (!deferred_) ++parameter_;  // NULL, as nothing is bound
  return *this;
}

absl::Status Query::Run() { return Next().status(); }

absl::StatusOr<bool> Query::Next() {
  if (deferred_) {
    std::exchange(log_, nullptr)->Keep(/*executed=*/false);
    return false;
  }
  PILLION_RETURN_IF_ERROR(before_use_);
  if (bind_error_ != SQLITE_OK) return database_.Error(bind_error_);
  const int code = sqlite3_step(statement_);
  if (code != SQLITE_ROW && code != SQLITE_DONE) {
    database_.failed_ = database_.failed_ || (code & 0xff) != SQLITE_TOOBIG;
    return database_.Error(code);
  }
  if (log_ != nullptr) std::exchange(log_, nullptr)->Keep(/*executed=*/true);
  return code == SQLITE_ROW;
}

int64_t Query::GetInt(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Query::GetText(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::string()
                         : std::string(static_cast<const char*>(data), static_cast<size_t>(size));
}

std::optional<std::string> Query::GetOptionalText(int column) const {
  return IsNull(column) ? std::nullopt : std::optional<std::string>(GetText(column));
}

absl::Time Query::GetTime(int column) const {
  return IsNull(column) ? absl::InfiniteFuture() : absl::FromUnixMillis(GetInt(column));
}

std::optional<absl::Time> Query::GetOptionalTime(int column) const {
  return IsNull(column) ? std::nullopt : std::optional<absl::Time>(GetTime(column));
}

bool Query::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

}  // namespace pillion::delivery
