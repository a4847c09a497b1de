// A thin layer over the SQLite C interface: ownership, typed binding, errors as absl::Status; and
// *deferred* writing: while a log is on, statements that write and give no rows are only noted
// there. The owner of the log has them executed before any other statement is (set_before_use), so
// whoever reads sees everything, and their errors appear there.
//
// One thread at a time. A Statement must not outlive its Database, a Query neither of them.
#ifndef PILLION_SIDECAR_DELIVERY_SQLITE_H_
#define PILLION_SIDECAR_DELIVERY_SQLITE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

struct sqlite3;
struct sqlite3_stmt;

namespace pillion::delivery {

class StatementLog;
struct LoggedValue;

class Database {
 public:
  // Opens the file, or creates it. Nothing is read yet.
  static absl::StatusOr<Database> Open(std::string path);

  absl::Status Execute(const std::string& sql);
  // The first column of the first row; fails if there is none.
  absl::StatusOr<std::string> QueryText(const std::string& sql);
  absl::StatusOr<int64_t> QueryInt(const std::string& sql);

  bool in_transaction() const;
  // What the result code `code` of the last call means for the one who operates this store.
  absl::Status Error(int code) const;
  // From now on statements that write are noted, and those of them that give no rows deferred,
  // until StopLog(). What is deferred then, stays so.
  void StartLog(StatementLog* log) { log_ = log; }
  void StopLog() { log_ = nullptr; }
  bool logging() const { return log_ != nullptr; }
  // What the log has; calls `after_each` of it. After an error it has nothing of it any more:
  // TakeFailed().
  absl::Status ExecuteDeferred(
      StatementLog& log, absl::FunctionRef<void()> after_each = [] {});
  // Called before a statement is used that is not deferred; if it fails, so does that.
  void set_before_use(std::function<absl::Status()> call) { before_use_ = std::move(call); }
  bool failed() const { return failed_; }
  // Whether a statement has failed since the last call, in another way than that something was too
  // large: SQLite may have given up the transaction then, or refuse to go on with it.
  bool TakeFailed() { return std::exchange(failed_, false); }
  sqlite3* handle() const { return handle_.get(); }
  const std::string& path() const { return path_; }

 private:
  friend class Query;
  friend class DeferredExecutions;
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  explicit Database(std::string path) : path_(std::move(path)) {}

  std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
  StatementLog* log_ = nullptr;
  std::function<absl::Status()> before_use_;
  bool failed_ = false;
};

// A prepared statement, kept for the store's life.
class Statement {
 public:
  // When it is executed, if it is deferred.
  enum class Order {
    kKept,          // after all that came before it
    kFree,          // before or after insertions with kRowsTogether: no table of theirs is in it
    kRowsTogether,  // inserts a row; with those of other executions, as no other one with this
                    // order has its table
  };

  Statement() = default;
  absl::Status Prepare(const Database& database, std::string_view sql, Order order = Order::kKept);

 private:
  friend class Query;
  friend class DeferredExecutions;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  using Prepared = std::unique_ptr<sqlite3_stmt, Finalize>;

  static absl::StatusOr<Prepared> PrepareOne(const Database& database, std::string_view sql);

  Prepared statement_;
  const char* sql_ = nullptr;  // null if it only reads
  bool has_rows_ = false;
  Order order_ = Order::kKept;
  Prepared with_rows_together_;
};

// One use of a Statement: bind in the order of the parameters, then Run() or Next(). The statement
// is free for the next use when the Query ends. Text and blobs are not copied: they must live as
// long as the Query.
class Query {
 public:
  Query(Database& database, const Statement& statement);
  // Neither noted nor deferred, and what is deferred does not matter.
  static Query AsItIs(Database& database, const Statement& statement);
  static Query AsItIs(Database& database, sqlite3_stmt* prepared);
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  Query& Int(int64_t value);
  Query& Text(std::string_view value);
  Query& Blob(std::string_view value);
  Query& TextOrNull(const std::optional<std::string>& value);
  Query& Time(absl::Time value);  // in milliseconds; InfiniteFuture is NULL
  Query& Null();
  // As a StatementLog has them; a copy, if they do not live as long.
  void BindAll(absl::Span<const LoggedValue> values, bool copy);

  // For statements of which no row is needed, or only the first.
  absl::Status Run();
  // True if there is a row; its columns are read by the functions below, numbered from 0.
  absl::StatusOr<bool> Next();

  int64_t GetInt(int column) const;
  std::string GetText(int column) const;  // text or blob; NULL is ""
  std::optional<std::string> GetOptionalText(int column) const;
  absl::Time GetTime(int column) const;  // NULL is InfiniteFuture
  std::optional<absl::Time> GetOptionalTime(int column) const;
  bool IsNull(int column) const;

 private:
  Query(Database& database, sqlite3_stmt* prepared);

  void Bind(std::string_view value, bool is_text, bool copy);
  void Keep(int code);
  void StopDeferring();

  Database& database_;
  sqlite3_stmt* statement_;
  StatementLog* log_ = nullptr;  // null: not to be logged, or logged already
  bool deferred_ = false;        // nothing is bound
  absl::Status before_use_;
  int parameter_ = 0;
  int bind_error_ = 0;
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_SQLITE_H_
