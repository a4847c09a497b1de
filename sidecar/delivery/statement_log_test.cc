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
  log.Begin(insert);
  log.Int(7);
  log.Text("text");
  log.Blob(std::string_view("\0\4", 2));
  log.Null();
  log.Keep();
  log.Begin(update);
  log.Int(std::numeric_limits<int64_t>::min());
  log.Keep();
  log.Begin(insert);
  log.Int(-1);
  log.Text("");
  log.Keep();
  EXPECT_FALSE(log.empty());
  EXPECT_THAT(Read(RecordOf(log)), ElementsAre(std::string("INSERT: 7 'text' x'\0\4' null", 27),
                                               "UPDATE: -9223372036854775808", "INSERT: -1 ''"));
  log.Clear();
  EXPECT_TRUE(log.empty());
  EXPECT_THAT(Read(RecordOf(log)), IsEmpty());
}

TEST(StatementLog, LeavesOutWhatWasNotExecuted) {
  StatementLog log(1000);
  log.Begin("INSERT");
  log.Int(1);
  log.Drop();
  EXPECT_TRUE(log.empty());
  log.Begin("UPDATE");
  log.Keep();
  log.Begin("DELETE");
  log.Text("x");
  log.Drop();
  EXPECT_THAT(Read(RecordOf(log)), ElementsAre("UPDATE:"));
}

TEST(StatementLog, KeepsNothingThatIsLongerThanItMayBe) {
  StatementLog log(100);
  log.Begin("INSERT");
  log.Text("short");
  log.Keep();
  EXPECT_FALSE(log.overflowed());
  log.Begin("INSERT");
  log.Int(1);
  log.Blob(std::string(100, 'x'));
  log.Int(2);
  log.Keep();
  EXPECT_TRUE(log.overflowed());
  EXPECT_FALSE(log.empty());
  log.Begin("INSERT");
  log.Drop();
  EXPECT_TRUE(log.overflowed());
  log.Clear();
  EXPECT_FALSE(log.overflowed());
}

TEST(StatementLog, ARecordThatIsCutOffOrMakesNoSenseIsAnError) {
  StatementLog log(1000);
  log.Begin("INSERT");
  log.Int(1000);
  log.Text("text");
  log.Keep();
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
  log.Begin("INSERT");
  log.Keep();
  log.Begin("INSERT");
  log.Keep();
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
