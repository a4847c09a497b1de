// What a transaction has written, statement by statement with its parameters, so that it can be
// done again on a database that is as it was before: a *record*.
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

class StatementLog {
 public:
  enum Tag : char { kEnd = 0, kNull = 1, kInt = 2, kText = 3, kBlob = 4 };

  // What is longer than `max_bytes` is not kept.
  explicit StatementLog(size_t max_bytes) : max_bytes_(max_bytes) {}

  // An execution of a statement: its parameters follow, then Keep() if it was executed, or Drop().
  // Another may begin only then. `sql` must live until Clear(): statements are told apart by where
  // their text is.
  void Begin(const char* sql);
  void Null();
  void Int(int64_t value);
  void Text(std::string_view value);
  void Blob(std::string_view value);
  void Keep();
  void Drop();

  // Whether nothing was executed.
  bool empty() const { return executions_.empty() && !overflowed_; }
  // Whether it is too long.
  bool overflowed() const { return overflowed_; }
  // The record is these two, one after the other; good until the next change. REQUIRES: it is not
  // too long.
  std::string_view Statements();
  std::string_view executions() const { return executions_; }
  void Clear();

 private:
  void Bytes(Tag tag, std::string_view value);

  const size_t max_bytes_;
  bool overflowed_ = false;
  std::vector<const char*> statements_;
  std::string encoded_statements_;
  std::string executions_;
  size_t kept_ = 0;  // bytes of executions_
};

struct LoggedValue {
  StatementLog::Tag tag = StatementLog::kNull;  // not kEnd
  int64_t number = 0;                           // kInt
  std::string_view bytes;                       // kText, kBlob; of the record
};

struct LoggedStatement {
  std::string_view sql;
  std::vector<LoggedValue> values;
};

// Calls `execute` for each execution in the order of the record, until it fails. DataLoss: the
// bytes are not a record.
absl::Status ReadRecord(std::string_view record,
                        absl::FunctionRef<absl::Status(const LoggedStatement&)> execute);

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_STATEMENT_LOG_H_
