// Opening the store: what is found there, and what the operator is told.
#include "sidecar/delivery/sqlite_store.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sidecar/delivery/child_process.h"

namespace pillion::delivery {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string NewDirectory() {
  std::string name = testing::TempDir() + "/store-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) std::abort();
  return name;
}

std::string DatabaseIn(const std::string& directory) { return directory + "/deliveries.db"; }

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

void Execute(const std::string& path, const std::string& sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(database);
  sqlite3_close(database);
}

Message SomeMessage(const std::string& id) {
  Message message;
  message.id = id;
  message.created_at = absl::FromUnixSeconds(1000);
  message.body = "body";
  return message;
}

NewDelivery SomeDelivery() {
  NewDelivery delivery;
  delivery.target = {TargetKind::kRoute, "reports"};
  delivery.cluster = "orders";
  return delivery;
}

TEST(SqliteStore, CreatesItsDirectoryForItsUserOnly) {
  const std::string directory = NewDirectory() + "/a/b";
  const auto store = SqliteStore::Open(directory);
  ASSERT_TRUE(store.ok()) << store.status();
  struct stat info;
  ASSERT_EQ(stat(directory.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  EXPECT_TRUE(SqliteStore::Open(NewDirectory() + "/with/slash/").ok());
  ASSERT_EQ(stat(DatabaseIn(directory).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(stat((DatabaseIn(directory) + "-wal").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(SqliteStore, KeepsWhatWasCommittedAndNothingElse) {
  const std::string directory = NewDirectory();
  {
    auto store = SqliteStore::Open(directory);
    ASSERT_TRUE(store.ok()) << store.status();
    ASSERT_TRUE((*store)->Begin().ok());
    const auto row = (*store)->InsertMessage(SomeMessage("kept"), nullptr, 1);
    ASSERT_TRUE(row.ok()) << row.status();
    ASSERT_TRUE(
        (*store)
            ->InsertDelivery(*row, 0, SomeMessage("kept"), SomeDelivery(), "kept", nullptr, false)
            .ok());
    ASSERT_TRUE((*store)->Commit(Durability::kNow, absl::FromUnixSeconds(1000)).ok());
    ASSERT_TRUE((*store)->Begin().ok());
    ASSERT_TRUE((*store)->InsertMessage(SomeMessage("undone"), nullptr, 0).ok());
    (*store)->Rollback();
    ASSERT_TRUE((*store)->Begin().ok());
    ASSERT_TRUE((*store)->InsertMessage(SomeMessage("unfinished"), nullptr, 0).ok());
  }
  auto store = SqliteStore::Open(directory);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_TRUE((*store)->Find("kept")->has_value());
  EXPECT_FALSE((*store)->Find("undone")->has_value());
  EXPECT_FALSE((*store)->Find("unfinished")->has_value());
  const auto due = (*store)->NextDue({TargetKind::kRoute, "reports"});
  ASSERT_TRUE(due->has_value());
  EXPECT_EQ((*due)->entry.id, "kept");
  EXPECT_EQ((*due)->due_at, absl::FromUnixSeconds(1000));
}

TEST(SqliteStore, AClaimRecordsWhoHoldsItAndUntilWhen) {
  const std::string directory = NewDirectory();
  {
    auto store = SqliteStore::Open(directory);
    ASSERT_TRUE(store.ok());
    ASSERT_TRUE((*store)->Begin().ok());
    const auto row = (*store)->InsertMessage(SomeMessage("m"), nullptr, 1);
    const auto delivery =
        (*store)->InsertDelivery(*row, 0, SomeMessage("m"), SomeDelivery(), "m", nullptr, false);
    const Lease lease = {"web-1", absl::Seconds(30)};
    EXPECT_TRUE(
        (*store)->Claim(delivery->ref.row, absl::FromUnixSeconds(2000), lease)->has_value());
    // It is not pending any more.
    EXPECT_FALSE(
        (*store)->Claim(delivery->ref.row, absl::FromUnixSeconds(2000), lease)->has_value());
    ASSERT_TRUE((*store)->Commit(Durability::kNow, absl::FromUnixSeconds(1000)).ok());
  }
  sqlite3* database = nullptr;
  sqlite3_stmt* statement = nullptr;
  ASSERT_EQ(sqlite3_open(DatabaseIn(directory).c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_prepare_v2(database, "SELECT lease_owner, lease_until FROM delivery", -1,
                               &statement, nullptr),
            SQLITE_OK);
  ASSERT_EQ(sqlite3_step(statement), SQLITE_ROW);
  EXPECT_STREQ(reinterpret_cast<const char*>(sqlite3_column_text(statement, 0)), "web-1");
  EXPECT_EQ(sqlite3_column_int64(statement, 1), (2000 + 600 + 30) * 1000);
  sqlite3_finalize(statement);
  sqlite3_close(database);
}

TEST(SqliteStore, RefusesAFileThatIsNoDatabase) {
  const std::string directory = NewDirectory();
  WriteFile(DatabaseIn(directory), std::string(8192, 'x'));
  const auto store = SqliteStore::Open(directory);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(store.status().message()),
              AllOf(HasSubstr(DatabaseIn(directory)), HasSubstr("not an intact SQLite database"),
                    HasSubstr("move them away")));
  EXPECT_EQ(ReadFile(DatabaseIn(directory)), std::string(8192, 'x'));
}

TEST(SqliteStore, SaysSoWhenPagesAreDamaged) {
  const std::string directory = NewDirectory();
  ASSERT_TRUE(SqliteStore::Open(directory).ok());
  std::string bytes = ReadFile(DatabaseIn(directory));
  ASSERT_GT(bytes.size(), 8192u);
  // The header is as it was; the tables' definitions are not.
  for (size_t i = 100; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31);
  WriteFile(DatabaseIn(directory), bytes);
  const auto store = SqliteStore::Open(directory);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kDataLoss) << store.status();
  EXPECT_THAT(std::string(store.status().message()), HasSubstr(DatabaseIn(directory)));
}

TEST(SqliteStore, RefusesTheSchemaOfAnotherVersion) {
  const std::string directory = NewDirectory();
  ASSERT_TRUE(SqliteStore::Open(directory).ok());
  for (const auto& [version, advice] :
       {std::pair(99, "start the newer program"),
        std::pair(7, "let the older program that wrote it deliver what is in there, then move")}) {
    Execute(DatabaseIn(directory), "PRAGMA user_version = " + std::to_string(version));
    const auto store = SqliteStore::Open(directory);
    EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(store.status().message()),
                AllOf(HasSubstr(DatabaseIn(directory)),
                      HasSubstr("schema version " + std::to_string(version)),
                      HasSubstr("knows version 8"), HasSubstr(advice)));
  }
  Execute(DatabaseIn(directory), "PRAGMA user_version = 8");
  EXPECT_TRUE(SqliteStore::Open(directory).ok());
}

TEST(SqliteStore, RefusesAnotherProgramsDatabaseAndLeavesItAlone) {
  const std::string directory = NewDirectory();
  Execute(DatabaseIn(directory), "CREATE TABLE theirs(x); INSERT INTO theirs VALUES(1)");
  const std::string before = ReadFile(DatabaseIn(directory));
  const auto store = SqliteStore::Open(directory);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(store.status().message()),
              AllOf(HasSubstr(DatabaseIn(directory)), HasSubstr("another program")));
  EXPECT_EQ(ReadFile(DatabaseIn(directory)), before);
}

TEST(SqliteStore, NamesTheProcessThatHasTheStore) {
  const std::string directory = NewDirectory();
  ChildProcess holder([&](int output) {
    const auto store = SqliteStore::Open(directory);
    const std::string line = store.ok() ? "open\n" : store.status().ToString() + "\n";
    if (write(output, line.data(), line.size()) > 0) pause();
  });
  ASSERT_EQ(holder.ReadLine(), "open");
  const auto store = SqliteStore::Open(directory);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(
      std::string(store.status().message()),
      AllOf(HasSubstr(directory), HasSubstr("in use by process " + std::to_string(holder.pid())),
            HasSubstr("a store path of its own")));
  holder.Kill();
  holder.Wait();
  EXPECT_TRUE(SqliteStore::Open(directory).ok());
}

TEST(SqliteStore, IsOpenOnceInOneProcess) {
  const std::string directory = NewDirectory();
  const auto first = SqliteStore::Open(directory);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(SqliteStore::Open(directory).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE((*first)->Begin().ok());
  EXPECT_TRUE((*first)->Commit(Durability::kNow, absl::FromUnixSeconds(1000)).ok());
}

TEST(SqliteStore, SaysSoWhenAnSqliteShellHasLockedIt) {
  const std::string directory = NewDirectory();
  ASSERT_TRUE(SqliteStore::Open(directory).ok());
  ChildProcess holder([&](int output) {
    sqlite3* database = nullptr;
    sqlite3_open(DatabaseIn(directory).c_str(), &database);
    const bool locked =
        sqlite3_exec(database, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK;
    const std::string line = locked ? "locked\n" : "not locked\n";
    if (write(output, line.data(), line.size()) > 0) pause();
  });
  ASSERT_EQ(holder.ReadLine(), "locked");
  const auto store = SqliteStore::Open(directory);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kUnavailable) << store.status();
  EXPECT_THAT(std::string(store.status().message()),
              AllOf(HasSubstr(DatabaseIn(directory)), HasSubstr("locked by another process")));
}

TEST(SqliteStore, SaysSoWhenAFileIsInItsPlace) {
  const std::string file = NewDirectory() + "/file";
  WriteFile(file, "x");
  for (const std::string& directory : {file, file + "/store"}) {
    const auto store = SqliteStore::Open(directory);
    EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(store.status().message()),
                AllOf(HasSubstr("store " + directory), HasSubstr("/file is a file"),
                      HasSubstr("set another store.path")));
  }
}

TEST(SqliteStore, SaysSoWhenTheDirectoryCannotBeMade) {
  const auto store = SqliteStore::Open("/proc/store");
  EXPECT_EQ(store.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(store.status().message()),
              AllOf(HasSubstr("/proc/store"), HasSubstr("set another store.path")));
}

}  // namespace
}  // namespace pillion::delivery
