#include "sidecar/delivery/statement_log.h"

#include <algorithm>
#include <cassert>

#include "sidecar/delivery/status_macros.h"
#include "sidecar/delivery/varint.h"

namespace pillion::delivery {
namespace {

absl::Status NotARecord() {
  return absl::DataLossError("the journal has a record that makes no sense");
}

bool ConsumeValue(std::string_view& record, LoggedValue& value) {
  uint64_t number = 0;
  switch (value.tag) {
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

bool ConsumeValues(std::string_view& record, std::vector<LoggedValue>& values) {
  values.clear();
  while (!record.empty()) {
    LoggedValue value;
    value.tag = static_cast<StatementLog::Tag>(record.front());
    record.remove_prefix(1);
    if (value.tag == StatementLog::kEnd) return true;
    if (!ConsumeValue(record, value)) return false;
    values.push_back(value);
  }
  return false;
}

}  // namespace

void StatementLog::Begin(const char* sql) {
  assert(executions_.size() == kept_);
  if (overflowed_) return;
  const auto known = std::find(statements_.begin(), statements_.end(), sql);
  const auto number = known - statements_.begin();
  if (known == statements_.end()) statements_.push_back(sql);
  AppendVarint(executions_, static_cast<uint64_t>(number));
}

void StatementLog::Null() {
  if (!overflowed_) executions_.push_back(kNull);
}

void StatementLog::Int(int64_t value) {
  if (overflowed_) return;
  executions_.push_back(kInt);
  AppendVarint(executions_, static_cast<uint64_t>(value));
}

void StatementLog::Text(std::string_view value) { Bytes(kText, value); }

void StatementLog::Blob(std::string_view value) { Bytes(kBlob, value); }

void StatementLog::Bytes(Tag tag, std::string_view value) {
  if (overflowed_) return;
  if (executions_.size() + value.size() > max_bytes_) {
    Clear();
    overflowed_ = true;
    return;
  }
  executions_.push_back(tag);
  AppendCounted(executions_, value);
}

void StatementLog::Keep() {
  if (!overflowed_) executions_.push_back(kEnd);
  kept_ = executions_.size();
}

void StatementLog::Drop() { executions_.resize(kept_); }

std::string_view StatementLog::Statements() {
  assert(!overflowed_);
  encoded_statements_.clear();
  AppendVarint(encoded_statements_, statements_.size());
  for (const char* sql : statements_) AppendCounted(encoded_statements_, sql);
  return encoded_statements_;
}

void StatementLog::Clear() {
  overflowed_ = false;
  statements_.clear();
  executions_.clear();
  kept_ = 0;
}

absl::Status ReadRecord(std::string_view record,
                        absl::FunctionRef<absl::Status(const LoggedStatement&)> execute) {
  uint64_t count = 0;
  if (!ConsumeVarint(record, count)) return NotARecord();
  std::vector<std::string_view> statements;
  for (; count > 0; --count) {
    if (!ConsumeCounted(record, statements.emplace_back())) return NotARecord();
  }
  LoggedStatement logged;
  while (!record.empty()) {
    uint64_t number = 0;
    if (!ConsumeVarint(record, number) || number >= statements.size()) return NotARecord();
    logged.sql = statements[number];
    if (!ConsumeValues(record, logged.values)) return NotARecord();
    PILLION_RETURN_IF_ERROR(execute(logged));
  }
  return absl::OkStatus();
}

}  // namespace pillion::delivery
