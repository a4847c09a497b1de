// What a transaction writes, statement by statement with its parameters, so that it can be done
// later, or again on a database that is as it was before: a *record*.
//
// An execution that is kept may have been executed, or not yet (it is *deferred*): those are in the
// log, beyond the end of their transaction, until ExecuteDeferred().
//
// A record carries the text of its statements, so it can be read by a later version of the program:
//
//   count of statements, the SQL of each (counted)
//   for each execution: number of the statement; its parameters, each a Tag and what that says;
//   kEnd
//
// Numbers are varints (varint.h). One thread at a time.
#ifndef PILLION_SIDECAR_DELIVERY_STATEMENT_LOG_H_
#define PILLION_SIDECAR_DELIVERY_STATEMENT_LOG_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace pillion::delivery {

class Statement;
struct LoggedValue;
struct LoggedStatement;

class StatementLog {
 public:
  enum Tag : char { kEnd = 0, kNull = 1, kInt = 2, kText = 3, kBlob = 4 };
  using Execute = absl::FunctionRef<absl::Status(const LoggedStatement&)>;

  // What is longer than `max_bytes` is not kept.
  explicit StatementLog(size_t max_bytes) : max_bytes_(max_bytes) {}

  // An execution of a statement: its parameters follow, then Keep() or Drop(). Another may begin
  // only then. `sql` and `statement` must live until Clear(): statements are told apart by where
  // their text is.
  void Begin(const char* sql, const Statement* statement);
  void Null();
  void Int(int64_t value);
  void Text(std::string_view value);
  void Blob(std::string_view value);
  // Whether a text or blob of so many bytes can be added.
  bool HasRoomFor(size_t bytes) const;
  // The values added so far to the execution that was begun.
  std::vector<LoggedValue> BegunValues() const;
  // REQUIRES, for what was executed: nothing before it is deferred.
  void Keep(bool executed);
  void Drop();

  bool has_deferred() const { return executed_ < kept_; }
  size_t deferred_bytes() const { return kept_ - executed_; }
  // Executes what is deferred, until that fails; then, too, nothing is deferred any more.
  absl::Status ExecuteDeferred(Execute execute);

  // Whether any of the transaction was executed.
  bool executed() const { return executed_ > transaction_ || overflowed_; }
  // Whether the transaction has nothing.
  bool empty() const { return kept_ == transaction_ && !overflowed_; }
  // Whether it is too long.
  bool overflowed() const { return overflowed_; }
  // The record is these two, one after the other; good until the next change. REQUIRES: it is not
  // too long.
  std::string_view Statements();
  std::string_view executions() const { return std::string_view(executions_).substr(transaction_); }
  // The transaction is over; the next one begins.
  void EndTransaction();
  // Forgets the transaction. REQUIRES: nothing of it was executed.
  void DropTransaction();
  // Forgets all of it, and what is deferred.
  void Clear();
  // What is deferred of transactions that are over, goes to `other`, which forgets what it had.
  // REQUIRES: nothing was executed in this one.
  void MoveDeferredTo(StatementLog& other);

 private:
  struct NotedStatement {
    const char* sql;
    const Statement* statement;
  };

  void Bytes(Tag tag, std::string_view value);

  size_t max_bytes_;
  bool overflowed_ = false;
  std::vector<NotedStatement> statements_;
  std::string encoded_statements_;
  std::string executions_;  // of this transaction, after those of which some are deferred
  // Bytes of executions_.
  size_t executed_ = 0;     // <= kept_
  size_t transaction_ = 0;  // <= kept_
  size_t kept_ = 0;
  size_t values_ = 0;  // where those of the execution that was begun are
};

struct LoggedValue {
  StatementLog::Tag tag = StatementLog::kNull;  // not kEnd
  int64_t number = 0;                           // kInt
  std::string_view bytes;                       // kText, kBlob; of the record
};

struct LoggedStatement {
  std::string_view sql;
  const Statement* statement = nullptr;  // as Begin() was told; null of a record
  std::vector<LoggedValue> values;
};

// Calls `execute` for each execution in the order of the record, until it fails. DataLoss: the
// bytes are not a record.
absl::Status ReadRecord(std::string_view record, StatementLog::Execute execute);

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_STATEMENT_LOG_H_
