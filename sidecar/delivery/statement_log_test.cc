#include "sidecar/delivery/statement_log.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace pillion::delivery {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string RecordOf(StatementLog& log) {
  return std::string(log.Statements()) + std::string(log.executions());
}

// Each execution as "SQL: value, value".
std::vector<std::string> Read(std::string_view record, absl::Status* status = nullptr) {
  std::vector<std::string> read;
  const absl::Status end = ReadRecord(record, [&](const LoggedStatement& logged) {
    std::string line = std::string(logged.sql) + ":";
    for (const LoggedValue& value : logged.values) {
      line += value.tag == StatementLog::kNull   ? " null"
              : value.tag == StatementLog::kInt  ? " " + std::to_string(value.number)
              : value.tag == StatementLog::kText ? " '" + std::string(value.bytes) + "'"
                                                 : " x'" + std::string(value.bytes) + "'";
    }
    read.push_back(line);
    return absl::OkStatus();
  });
  if (status != nullptr) {
    *status = end;
  } else {
    EXPECT_TRUE(end.ok()) << end;
  }
  return read;
}

TEST(StatementLog, GivesBackWhatWasExecutedInItsOrder) {
  const char* insert = "INSERT";
  const char* update = "UPDATE";
  StatementLog log(1000);
  EXPECT_TRUE(log.empty());
  log.Begin(insert, nullptr);
  log.Int(7);
  log.Text("text");
  log.Blob(std::string_view("\0\4", 2));
  log.Null();
  log.Keep(/*executed=*/true);
  log.Begin(update, nullptr);
  log.Int(std::numeric_limits<int64_t>::min());
  log.Keep(/*executed=*/true);
  log.Begin(insert, nullptr);
  log.Int(-1);
  log.Text("");
  log.Keep(/*executed=*/true);
  EXPECT_FALSE(log.empty());
  EXPECT_THAT(Read(RecordOf(log)), ElementsAre(std::string("INSERT: 7 'text' x'\0\4' null", 27),
                                               "UPDATE: -9223372036854775808", "INSERT: -1 ''"));
  log.Clear();
  EXPECT_TRUE(log.empty());
  EXPECT_THAT(Read(RecordOf(log)), IsEmpty());
}

TEST(StatementLog, LeavesOutWhatWasNotExecuted) {
  StatementLog log(1000);
  log.Begin("INSERT", nullptr);
  log.Int(1);
  log.Drop();
  EXPECT_TRUE(log.empty());
  log.Begin("UPDATE", nullptr);
  log.Keep(/*executed=*/true);
  log.Begin("DELETE", nullptr);
  log.Text("x");
  log.Drop();
  EXPECT_THAT(Read(RecordOf(log)), ElementsAre("UPDATE:"));
}

TEST(StatementLog, KeepsNothingThatIsLongerThanItMayBe) {
  StatementLog log(100);
  log.Begin("INSERT", nullptr);
  log.Text("short");
  log.Keep(/*executed=*/true);
  EXPECT_FALSE(log.overflowed());
  log.Begin("INSERT", nullptr);
  log.Int(1);
  log.Blob(std::string(100, 'x'));
  log.Int(2);
  log.Keep(/*executed=*/true);
  EXPECT_TRUE(log.overflowed());
  EXPECT_FALSE(log.empty());
  log.Begin("INSERT", nullptr);
  log.Drop();
  EXPECT_TRUE(log.overflowed());
  log.Clear();
  EXPECT_FALSE(log.overflowed());
}

// What is executed, each as "SQL: value".
std::vector<std::string> ExecuteDeferred(StatementLog& log) {
  std::vector<std::string> executed;
  EXPECT_TRUE(log.ExecuteDeferred([&](const LoggedStatement& logged) {
                   executed.push_back(std::string(logged.sql) + ": " +
                                      std::to_string(logged.values.at(0).number));
                   return absl::OkStatus();
                 })
                  .ok());
  return executed;
}

void Note(StatementLog& log, const char* sql, int64_t value, bool executed) {
  log.Begin(sql, nullptr);
  log.Int(value);
  log.Keep(executed);
}

TEST(StatementLog, WhatIsDeferredStaysInItBeyondItsTransaction) {
  const char* insert = "INSERT";
  const char* update = "UPDATE";
  StatementLog log(1000);
  Note(log, insert, 1, false);
  EXPECT_TRUE(log.has_deferred());
  EXPECT_FALSE(log.executed());
  log.EndTransaction();
  EXPECT_TRUE(log.empty());
  Note(log, update, 2, false);
  EXPECT_THAT(Read(RecordOf(log)), ElementsAre("UPDATE: 2"));
  EXPECT_THAT(ExecuteDeferred(log), ElementsAre("INSERT: 1", "UPDATE: 2"));
  EXPECT_TRUE(log.executed());
  EXPECT_THAT(ExecuteDeferred(log), IsEmpty());
  Note(log, insert, 3, true);
  Note(log, insert, 4, false);
  EXPECT_THAT(Read(RecordOf(log)), ElementsAre("UPDATE: 2", "INSERT: 3", "INSERT: 4"));
  EXPECT_THAT(ExecuteDeferred(log), ElementsAre("INSERT: 4"));
  log.EndTransaction();
  EXPECT_TRUE(log.empty());
  EXPECT_EQ(log.deferred_bytes(), 0u);
}

TEST(StatementLog, DropsATransactionOfWhichNothingWasExecuted) {
  const char* insert = "INSERT";
  StatementLog log(1000);
  Note(log, insert, 1, false);
  log.EndTransaction();
  Note(log, insert, 2, false);
  log.DropTransaction();
  EXPECT_TRUE(log.empty());
  EXPECT_THAT(ExecuteDeferred(log), ElementsAre("INSERT: 1"));
}

TEST(StatementLog, GivesAwayWhatIsDeferredButNotOfThisTransaction) {
  const char* insert = "INSERT";
  StatementLog log(1000);
  Note(log, insert, 1, false);
  Note(log, insert, 2, false);
  log.EndTransaction();
  Note(log, insert, 3, false);
  StatementLog taken(1000);
  Note(taken, insert, 9, false);
  log.MoveDeferredTo(taken);
  EXPECT_THAT(ExecuteDeferred(taken), ElementsAre("INSERT: 1", "INSERT: 2"));
  EXPECT_THAT(Read(RecordOf(log)), ElementsAre("INSERT: 3"));
  EXPECT_THAT(ExecuteDeferred(log), ElementsAre("INSERT: 3"));
}

TEST(StatementLog, AfterADeferredExecutionThatFailsNothingIsDeferred) {
  StatementLog log(1000);
  Note(log, "INSERT", 1, false);
  Note(log, "UPDATE", 2, false);
  const absl::Status failed = log.ExecuteDeferred(
      [](const LoggedStatement&) { return absl::ResourceExhaustedError("full"); });
  EXPECT_EQ(failed.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(log.has_deferred());
}

TEST(StatementLog, TellsTheValuesOfTheExecutionThatHasBegun) {
  StatementLog log(1000);
  Note(log, "INSERT", 1, false);
  log.Begin("UPDATE", nullptr);
  log.Null();
  log.Int(300);
  log.Text("text");
  const std::vector<LoggedValue> values = log.BegunValues();
  ASSERT_EQ(values.size(), 3u);
  EXPECT_EQ(values[0].tag, StatementLog::kNull);
  EXPECT_EQ(values[1].number, 300);
  EXPECT_EQ(values[2].bytes, "text");
  EXPECT_TRUE(log.HasRoomFor(900));
  EXPECT_FALSE(log.HasRoomFor(1000));
}

TEST(StatementLog, ARecordThatIsCutOffOrMakesNoSenseIsAnError) {
  StatementLog log(1000);
  log.Begin("INSERT", nullptr);
  log.Int(1000);
  log.Text("text");
  log.Keep(/*executed=*/true);
  const std::string record = RecordOf(log);
  const size_t statements = log.Statements().size();
  for (size_t size = 0; size < record.size(); ++size) {
    absl::Status status;
    EXPECT_THAT(Read(record.substr(0, size), &status), IsEmpty());
    // What has only statements executes none of them.
    EXPECT_EQ(status.ok(), size == statements) << size;
  }
  absl::Status status;
  Read(record + '\5', &status);  // a statement that it does not have
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  Read(record + std::string("\0\7\0", 3), &status);  // a value of no known kind
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
}

TEST(StatementLog, StopsAtAnExecutionThatFails) {
  StatementLog log(1000);
  log.Begin("INSERT", nullptr);
  log.Keep(/*executed=*/true);
  log.Begin("INSERT", nullptr);
  log.Keep(/*executed=*/true);
  int executed = 0;
  const absl::Status status = ReadRecord(RecordOf(log), [&](const LoggedStatement&) {
    ++executed;
    return absl::ResourceExhaustedError("full");
  });
  EXPECT_EQ(executed, 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace pillion::delivery
