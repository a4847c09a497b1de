#include "sidecar/delivery/statement_log.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "sidecar/delivery/status_macros.h"
#include "sidecar/delivery/varint.h"

namespace pillion::delivery {
namespace {

// Of a log without anything: as much comes again, likely, and new memory costs more than old.
constexpr size_t kMostSpareBytes = 4 << 20;

absl::Status NotARecord() {
  return absl::DataLossError("the journal has a record that makes no sense");
}

bool ConsumeValue(std::string_view& record, LoggedValue& value) {
  value.tag = static_cast<StatementLog::Tag>(record.front());
  record.remove_prefix(1);
  uint64_t number = 0;
  switch (value.tag) {
    case StatementLog::kEnd:
    case StatementLog::kNull:
      return true;
    case StatementLog::kInt:
      if (!ConsumeVarint(record, number)) return false;
      value.number = static_cast<int64_t>(number);
      return true;
    case StatementLog::kText:
    case StatementLog::kBlob:
      return ConsumeCounted(record, value.bytes);
    default:
      return false;
  }
}

// Up to kEnd.
bool ConsumeValues(std::string_view& record, std::vector<LoggedValue>& values) {
  values.clear();
  while (!record.empty()) {
    LoggedValue value;
    if (!ConsumeValue(record, value)) return false;
    if (value.tag == StatementLog::kEnd) return true;
    values.push_back(value);
  }
  return false;
}

// `statements`: what has a `sql` and a `statement`.
template <typename Statements>
absl::Status ReadExecutions(const Statements& statements, std::string_view executions,
                            StatementLog::Execute execute) {
  LoggedStatement logged;
  while (!executions.empty()) {
    uint64_t number = 0;
    if (!ConsumeVarint(executions, number) || number >= statements.size()) return NotARecord();
    logged.sql = statements[number].sql;
    logged.statement = statements[number].statement;
    if (!ConsumeValues(executions, logged.values)) return NotARecord();
    PILLION_RETURN_IF_ERROR(execute(logged));
  }
  return absl::OkStatus();
}

}  // namespace

void StatementLog::Begin(const char* sql, const Statement* statement) {
  assert(executions_.size() == kept_);
  if (overflowed_) return;
  const auto known = std::find_if(statements_.begin(), statements_.end(),
                                  [sql](const NotedStatement& noted) { return noted.sql == sql; });
  const auto number = known - statements_.begin();
  if (known == statements_.end()) statements_.push_back({sql, statement});
  AppendVarint(executions_, static_cast<uint64_t>(number));
  values_ = executions_.size();
}

void StatementLog::Null() {
  if (!overflowed_) executions_.push_back(kNull);
}

void StatementLog::Int(int64_t value) {
  if (overflowed_) return;
  char bytes[1 + kMaxVarintBytes] = {kInt};
  executions_.append(bytes, 1 + EncodeVarint(static_cast<uint64_t>(value), bytes + 1));
}

void StatementLog::Text(std::string_view value) { Bytes(kText, value); }

void StatementLog::Blob(std::string_view value) { Bytes(kBlob, value); }

bool StatementLog::HasRoomFor(size_t bytes) const {
  return !overflowed_ && executions_.size() - transaction_ + bytes <= max_bytes_;
}

void StatementLog::Bytes(Tag tag, std::string_view value) {
  if (overflowed_) return;
  if (!HasRoomFor(value.size())) {
    assert(!has_deferred());
    Clear();
    overflowed_ = true;
    return;
  }
  executions_.push_back(tag);
  AppendCounted(executions_, value);
}

std::vector<LoggedValue> StatementLog::BegunValues() const {
  std::vector<LoggedValue> values;
  std::string_view rest = std::string_view(executions_).substr(values_);
  while (!rest.empty()) ConsumeValue(rest, values.emplace_back());
  return values;
}

void StatementLog::Keep(bool executed) {
  assert(!executed || !has_deferred());
  if (!overflowed_) executions_.push_back(kEnd);
  kept_ = executions_.size();
  if (executed) executed_ = kept_;
}

void StatementLog::Drop() { executions_.resize(kept_); }

absl::Status StatementLog::ExecuteDeferred(Execute execute) {
  const std::string_view kept = std::string_view(executions_).substr(0, kept_);
  const size_t begin = std::exchange(executed_, kept_);
  return ReadExecutions(statements_, kept.substr(begin), execute);
}

std::string_view StatementLog::Statements() {
  assert(!overflowed_);
  encoded_statements_.clear();
  AppendVarint(encoded_statements_, statements_.size());
  for (const NotedStatement& noted : statements_) AppendCounted(encoded_statements_, noted.sql);
  return encoded_statements_;
}

void StatementLog::EndTransaction() {
  assert(executions_.size() == kept_);
  overflowed_ = false;
  transaction_ = kept_;
  if (!has_deferred()) Clear();
}

void StatementLog::DropTransaction() {
  assert(!executed());
  executions_.resize(transaction_);
  kept_ = transaction_;
}

void StatementLog::Clear() {
  overflowed_ = false;
  statements_.clear();
  executions_.clear();
  if (executions_.capacity() > kMostSpareBytes) executions_.shrink_to_fit();
  executed_ = 0;
  transaction_ = 0;
  kept_ = 0;
  values_ = 0;
}

void StatementLog::MoveDeferredTo(StatementLog& other) {
  assert(executed_ <= transaction_ && executions_.size() == kept_);
  other.Clear();
  other.statements_ = statements_;
  other.executions_.swap(executions_);
  executions_.assign(other.executions_, transaction_);
  other.executions_.resize(transaction_);
  other.executed_ = std::exchange(executed_, 0);
  other.kept_ = other.transaction_ = std::exchange(transaction_, 0);
  kept_ = executions_.size();
  if (kept_ == 0) Clear();
}

absl::Status ReadRecord(std::string_view record, StatementLog::Execute execute) {
  uint64_t count = 0;
  if (!ConsumeVarint(record, count)) return NotARecord();
  std::vector<LoggedStatement> statements;
  for (; count > 0; --count) {
    if (!ConsumeCounted(record, statements.emplace_back().sql)) return NotARecord();
  }
  return ReadExecutions(statements, record, execute);
}

}  // namespace pillion::delivery
