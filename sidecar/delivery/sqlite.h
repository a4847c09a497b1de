// A thin layer over the SQLite C interface: ownership, typed binding, errors as absl::Status.
//
// One thread at a time. A Statement must not outlive its Database, a Query neither of them.
#ifndef PILLION_SIDECAR_DELIVERY_SQLITE_H_
#define PILLION_SIDECAR_DELIVERY_SQLITE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace pillion::delivery {

class StatementLog;

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
  // Notes what writing statements are executed from now on, until it is null.
  void set_log(StatementLog* log) { log_ = log; }
  StatementLog* log() const { return log_; }
  // Whether a statement has failed since the last call, in another way than that something was too
  // large: SQLite may have given up the transaction then, or refuse to go on with it.
  bool TakeFailed() { return std::exchange(failed_, false); }
  sqlite3* handle() const { return handle_.get(); }
  const std::string& path() const { return path_; }

 private:
  friend class Query;
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  explicit Database(std::string path) : path_(std::move(path)) {}

  std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
  StatementLog* log_ = nullptr;
  bool failed_ = false;
};

// A prepared statement, kept for the store's life.
class Statement {
 public:
  Statement() = default;
  absl::Status Prepare(const Database& database, std::string_view sql);

 private:
  friend class Query;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  const char* sql_ = nullptr;  // null if it only reads
};

// One use of a Statement: bind in the order of the parameters, then Run() or Next(). The statement
// is free for the next use when the Query ends. Text and blobs are not copied: they must live as
// long as the Query.
class Query {
 public:
  Query(Database& database, const Statement& statement);
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  Query& Int(int64_t value);
  Query& Text(std::string_view value);
  Query& Blob(std::string_view value);
  Query& TextOrNull(const std::optional<std::string>& value);
  Query& Time(absl::Time value);  // in milliseconds; InfiniteFuture is NULL
  Query& Null();

  // For statements without rows.
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
  void Keep(int code);

  Database& database_;
  sqlite3_stmt* statement_;
  StatementLog* log_;  // null: not to be logged, or logged already
  int parameter_ = 0;
  int bind_error_ = 0;
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_SQLITE_H_
