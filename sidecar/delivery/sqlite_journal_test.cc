// The journal before the database: what was committed is there after any end of the process, and
// while SQLite fails.
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <system_error>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sidecar/delivery/child_process.h"
#include "sidecar/delivery/sqlite_store.h"

namespace pillion::delivery {
namespace {

// What the store's calls meet, besides the real thing. Of files whose names end so; null: none.
std::atomic<const char*> fail_syncs_of = nullptr;
std::atomic<bool> hold_those_syncs = false;  // before they fail
std::atomic<const char*> fail_reads_of = nullptr;
std::atomic<int> read_error = EIO;
std::atomic<int> yields = 0;

bool NameEnds(int fd, const char* end) {
  if (end == nullptr) return false;
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  char path[4096];
  const ssize_t size = readlink(link.c_str(), path, sizeof path);
  return std::string_view(path, size < 0 ? 0 : static_cast<size_t>(size)).ends_with(end);
}

const absl::Time kNow = absl::FromUnixSeconds(1000);

std::string NewDirectory() {
  std::string name = testing::TempDir() + "/store-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) std::abort();
  return name;
}

std::unique_ptr<SqliteStore> Open(const std::string& directory) {
  absl::StatusOr<std::unique_ptr<SqliteStore>> store = SqliteStore::Open(directory);
  if (!store.ok()) {
    ADD_FAILURE() << store.status();
    std::abort();
  }
  return *std::move(store);
}

// An operation with one delivery, in the transaction that is under way.
absl::Status Insert(SqliteStore& store, const std::string& id, const std::string& body = "body") {
  Message message;
  message.id = id;
  message.created_at = kNow;
  message.body = body;
  NewDelivery delivery;
  delivery.target = {TargetKind::kRoute, "reports"};
  delivery.cluster = "orders";
  const absl::StatusOr<RowId> row = store.InsertMessage(message, nullptr, 1);
  if (!row.ok()) return row.status();
  return store.InsertDelivery(*row, 0, message, delivery, id, nullptr, false).status();
}

absl::Status Accept(SqliteStore& store, const std::string& id,
                    Durability durability = Durability::kNow, const std::string& body = "body") {
  absl::Status status = store.Begin();
  if (status.ok()) status = Insert(store, id, body);
  if (status.ok()) status = store.Commit(durability, kNow);
  if (!status.ok()) store.Rollback();
  return status;
}

// Whoever reads waits for it.
void WaitForSettling(SqliteStore& store) { EXPECT_TRUE(store.Counts().ok()); }

bool Has(SqliteStore& store, const std::string& id) {
  const auto found = store.Find(id);
  EXPECT_TRUE(found.ok()) << found.status();
  return found.ok() && found->has_value();
}

// How many messages the database's own files have, as another program sees them.
int64_t Settled(const std::string& directory) {
  const std::string copy = NewDirectory();
  for (const char* file : {"/deliveries.db", "/deliveries.db-wal"}) {
    std::error_code gone;  // the log is, once the store is closed
    std::filesystem::copy_file(directory + file, copy + file, gone);
  }
  sqlite3* database = nullptr;
  sqlite3_stmt* statement = nullptr;
  EXPECT_EQ(sqlite3_open((copy + "/deliveries.db").c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_prepare_v2(database, "SELECT count(*) FROM message", -1, &statement, nullptr),
            SQLITE_OK);
  EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW);
  const int64_t count = sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  sqlite3_close(database);
  return count;
}

// Runs `body` in a process that then ends as if it was killed; a store that is destroyed before
// ends in order.
void InKilledProcess(const std::function<void()>& body) {
  ChildProcess child([&](int) {
    body();
    if (!testing::Test::HasFailure()) raise(SIGKILL);
  });
  EXPECT_EQ(child.Wait(), 128 + SIGKILL);
}

void LimitFiles(rlim_t bytes) {
  signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{bytes, RLIM_INFINITY};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

TEST(SqliteJournal, WhatIsInTheJournalOnlyIsThereAfterAKill) {
  const std::string directory = NewDirectory();
  InKilledProcess([&] {
    SqliteStore* const store = Open(directory).release();
    ASSERT_TRUE(Accept(*store, "one").ok());
    ASSERT_TRUE(Accept(*store, "two", Durability::kSoon).ok());
    ASSERT_TRUE(store->Begin().ok());
    ASSERT_TRUE(Insert(*store, "undone").ok());
    store->Rollback();
    ASSERT_TRUE(Accept(*store, "three").ok());
    ASSERT_TRUE(store->Begin().ok());
    ASSERT_TRUE(Insert(*store, "unfinished").ok());
    EXPECT_EQ(Settled(directory), 0);
  });
  const auto store = Open(directory);
  EXPECT_EQ(Settled(directory), 3);
  for (const char* id : {"one", "two", "three"}) EXPECT_TRUE(Has(*store, id)) << id;
  EXPECT_FALSE(Has(*store, "undone"));
  EXPECT_FALSE(Has(*store, "unfinished"));
  EXPECT_EQ(store->BacklogOf({TargetKind::kRoute, "reports"})->deliveries, 3);
  // New rows do not meet the old ones.
  ASSERT_TRUE(Accept(*store, "four").ok());
  EXPECT_EQ(store->BacklogOf({TargetKind::kRoute, "reports"})->deliveries, 4);
}

TEST(SqliteJournal, IsDoneAgainOnceHoweverOftenTheProcessIsKilled) {
  const std::string directory = NewDirectory();
  for (int i = 0; i < 5; ++i) {
    InKilledProcess([&] {
      SqliteStore* const store = Open(directory).release();
      for (int before = 0; before < i; ++before) {
        EXPECT_TRUE(Has(*store, std::to_string(before)));
      }
      ASSERT_TRUE(Accept(*store, std::to_string(i)).ok());
    });
  }
  EXPECT_EQ(Open(directory)->BacklogOf({TargetKind::kRoute, "reports"})->deliveries, 5);
}

TEST(SqliteJournal, IsSettledASecondLaterOrWhenItIsFullOrAtTheEnd) {
  const std::string directory = NewDirectory();
  {
    const auto store = Open(directory);
    EXPECT_EQ(store->NextUpkeep(), absl::InfiniteFuture());
    ASSERT_TRUE(Accept(*store, "one").ok());
    EXPECT_EQ(store->NextUpkeep(), kNow + absl::Seconds(1));
    ASSERT_TRUE(store->Upkeep(kNow).ok());
    EXPECT_EQ(Settled(directory), 0);
    ASSERT_TRUE(store->Upkeep(kNow + absl::Seconds(1)).ok());
    WaitForSettling(*store);
    EXPECT_EQ(Settled(directory), 1);
    EXPECT_EQ(store->NextUpkeep(), absl::InfiniteFuture());
    // Too large for the journal, and with it what was there.
    ASSERT_TRUE(Accept(*store, "two").ok());
    const std::string large(SqliteStore::kJournalBytes, 'x');
    ASSERT_TRUE(Accept(*store, "large", Durability::kNow, large).ok());
    EXPECT_EQ(Settled(directory), 3);
    // Half of it is full with the fifth.
    const std::string tenth(SqliteStore::kJournalBytes / 10, 'x');
    for (int i = 0; i < 4; ++i)
      ASSERT_TRUE(Accept(*store, std::to_string(i), Durability::kNow, tenth).ok());
    EXPECT_EQ(store->NextUpkeep(), kNow + absl::Seconds(1));
    ASSERT_TRUE(Accept(*store, "fifth", Durability::kNow, tenth).ok());
    EXPECT_EQ(store->NextUpkeep(), kNow);
    ASSERT_TRUE(store->Upkeep(kNow).ok());
    ASSERT_TRUE(Accept(*store, "meanwhile").ok());
    WaitForSettling(*store);
    EXPECT_EQ(Settled(directory), 8);
    // Nobody called Upkeep().
    for (int i = 0; i < 12; ++i)
      ASSERT_TRUE(Accept(*store, "more" + std::to_string(i), Durability::kNow, tenth).ok());
    WaitForSettling(*store);
    EXPECT_GE(Settled(directory), 17);
    ASSERT_TRUE(Accept(*store, "last").ok());
  }
  EXPECT_EQ(Settled(directory), 22);
}

TEST(SqliteJournal, WhatNobodyWaitsForIsSyncedALittleLater) {
  const auto store = Open(NewDirectory());
  ASSERT_TRUE(Accept(*store, "one", Durability::kSoon).ok());
  EXPECT_EQ(store->NextUpkeep(), kNow + absl::Milliseconds(5));
  ASSERT_TRUE(store->Upkeep(kNow + absl::Milliseconds(5)).ok());
  EXPECT_EQ(store->NextUpkeep(), kNow + absl::Seconds(1));
  ASSERT_TRUE(Accept(*store, "two", Durability::kSoon).ok());
  EXPECT_EQ(store->NextUpkeep(), kNow + absl::Milliseconds(5));
  ASSERT_TRUE(Accept(*store, "three").ok());
  EXPECT_EQ(store->NextUpkeep(), kNow + absl::Seconds(1));
}

void ExpectRefused(const std::string& directory, absl::StatusCode code, const std::string& why) {
  for (int start = 0; start < 2; ++start) {
    const absl::Status refused = SqliteStore::Open(directory).status();
    EXPECT_EQ(refused.code(), code);
    EXPECT_THAT(std::string(refused.message()),
                testing::AllOf(testing::HasSubstr(directory + "/deliveries.journal"),
                               testing::HasSubstr(why)));
  }
}

TEST(SqliteJournal, MissesItsDatabase) {
  const std::string directory = NewDirectory();
  InKilledProcess([&] { ASSERT_TRUE(Accept(*Open(directory).release(), "old").ok()); });
  std::filesystem::remove(directory + "/deliveries.db");
  std::filesystem::remove(directory + "/deliveries.db-wal");
  ExpectRefused(directory, absl::StatusCode::kFailedPrecondition, "there is no database");
  std::filesystem::remove(directory + "/deliveries.journal");
  EXPECT_FALSE(Has(*Open(directory), "old"));
}

TEST(SqliteJournal, MissesWhatTheDatabaseHadBefore) {
  const std::string directory = NewDirectory();
  Open(directory).reset();
  InKilledProcess([&] {
    SqliteStore* const store = Open(directory).release();
    ASSERT_TRUE(Accept(*store, "settled").ok());
    ASSERT_TRUE(store->Upkeep(kNow + absl::Seconds(1)).ok());
    WaitForSettling(*store);
    ASSERT_TRUE(Accept(*store, "later").ok());
  });
  const std::string log = directory + "/deliveries.db-wal";
  std::filesystem::rename(log, log + ".elsewhere");
  ExpectRefused(directory, absl::StatusCode::kFailedPrecondition, "deliveries.db-wal is missing");
  std::filesystem::rename(log + ".elsewhere", log);
  const auto store = Open(directory);
  EXPECT_TRUE(Has(*store, "settled"));
  EXPECT_TRUE(Has(*store, "later"));
}

TEST(SqliteJournal, SaysSoWhenItIsDamagedBeforeWhatIsWhole) {
  const std::string directory = NewDirectory();
  InKilledProcess([&] {
    SqliteStore* const store = Open(directory).release();
    ASSERT_TRUE(Accept(*store, "one").ok());
    ASSERT_TRUE(Accept(*store, "two").ok());
  });
  std::fstream file(directory + "/deliveries.journal", std::ios::in | std::ios::out);
  file.seekp(100);
  file.put('!');
  file.close();
  ExpectRefused(directory, absl::StatusCode::kDataLoss, "is damaged at byte 0");
  std::ofstream(directory + "/deliveries.journal").close();
  EXPECT_FALSE(Has(*Open(directory), "two"));
}

TEST(SqliteJournal, IsMissed) {
  const std::string directory = NewDirectory();
  const std::string journal = directory + "/deliveries.journal";
  InKilledProcess([&] { ASSERT_TRUE(Accept(*Open(directory).release(), "one").ok()); });
  std::filesystem::rename(journal, journal + ".elsewhere");
  ExpectRefused(directory, absl::StatusCode::kFailedPrecondition, "put it back");
  std::filesystem::rename(journal + ".elsewhere", journal);
  EXPECT_TRUE(Has(*Open(directory), "one"));
}

// Of a disk that is full only the store's process knows.
TEST(SqliteJournal, AFullDiskLosesNothingThatWasCommitted) {
  const std::string directory = NewDirectory();
  ChildProcess child([&](int) {
    const auto store = Open(directory);
    ASSERT_TRUE(Accept(*store, "before").ok());
    LimitFiles(0);
    for (int i = 0; i < 3; ++i) {
      const absl::Status full = Accept(*store, "refused");
      EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
      EXPECT_FALSE(store->Upkeep(kNow + absl::Seconds(i + 1)).ok());
      // Even what SQLite has given up can be read.
      EXPECT_TRUE(Has(*store, "before"));
      EXPECT_FALSE(Has(*store, "refused"));
    }
    LimitFiles(RLIM_INFINITY);
    EXPECT_TRUE(Accept(*store, "after").ok());
    EXPECT_TRUE(store->Upkeep(kNow + absl::Hours(1)).ok());
  });
  EXPECT_EQ(child.Wait(), 0);
  const auto store = Open(directory);
  EXPECT_TRUE(Has(*store, "before"));
  EXPECT_TRUE(Has(*store, "after"));
  EXPECT_FALSE(Has(*store, "refused"));
  EXPECT_EQ(store->BacklogOf({TargetKind::kRoute, "reports"})->deliveries, 2);
}

// What the journal has of these is not in the database's files, and SQLite gives up what it had.
TEST(SqliteJournal, AReadThatFailsLosesNothing) {
  for (const int error : {EIO, ESTALE, ETIMEDOUT}) {
    SCOPED_TRACE(error);
    const std::string directory = NewDirectory();
    // More than SQLite keeps in memory.
    const std::string large(SqliteStore::kJournalBytes, 'x');
    {
      const auto store = Open(directory);
      for (int i = 0; i < 20; ++i)
        ASSERT_TRUE(Accept(*store, std::to_string(i), Durability::kNow, large).ok());
    }
    InKilledProcess([&] {
      SqliteStore* const store = Open(directory).release();
      ASSERT_TRUE(Accept(*store, "before").ok());
      read_error = error;
      fail_reads_of = ".db";
      EXPECT_FALSE(store->Find("3").ok());
      fail_reads_of = nullptr;
      EXPECT_TRUE(Has(*store, "before"));
      ASSERT_TRUE(Accept(*store, "after").ok());
      EXPECT_TRUE(Has(*store, "before"));
      EXPECT_EQ(store->BacklogOf({TargetKind::kRoute, "reports"})->deliveries, 22);
      ASSERT_TRUE(store->Upkeep(kNow + absl::Seconds(1)).ok());
      ASSERT_TRUE(Accept(*store, "last").ok());
    });
    const auto store = Open(directory);
    for (const char* id : {"0", "19", "before", "after", "last"})
      EXPECT_TRUE(Has(*store, id)) << id;
    EXPECT_EQ(store->BacklogOf({TargetKind::kRoute, "reports"})->deliveries, 23);
  }
}

TEST(SqliteJournal, ASettlingWhoseSyncFailsTakesNothingAwayThatComesLater) {
  const std::string directory = NewDirectory();
  InKilledProcess([&] {
    SqliteStore* const store = Open(directory).release();
    ASSERT_TRUE(Accept(*store, "before").ok());
    fail_syncs_of = ".db-wal";
    hold_those_syncs = true;
    ASSERT_TRUE(store->Upkeep(kNow + absl::Seconds(1)).ok());
    ASSERT_TRUE(Accept(*store, "meanwhile").ok());
    hold_those_syncs = false;
    EXPECT_EQ(store->Find("before").status().code(), absl::StatusCode::kUnavailable);
    EXPECT_TRUE(Has(*store, "before"));
    EXPECT_TRUE(Has(*store, "meanwhile"));
    EXPECT_FALSE(Accept(*store, "refused").ok());
    fail_syncs_of = nullptr;
    ASSERT_TRUE(Accept(*store, "after").ok());
    EXPECT_FALSE(Has(*store, "refused"));
  });
  const auto store = Open(directory);
  for (const char* id : {"before", "meanwhile", "after"}) EXPECT_TRUE(Has(*store, id)) << id;
  EXPECT_FALSE(Has(*store, "refused"));
  EXPECT_EQ(store->BacklogOf({TargetKind::kRoute, "reports"})->deliveries, 3);
}

// As long as nobody waits for it.
TEST(SqliteJournal, SettlingGivesWayToOtherThreads) {
  const auto store = Open(NewDirectory());
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Accept(*store, std::to_string(i)).ok());
  yields = 0;
  absl::Time now = kNow + absl::Seconds(1);
  ASSERT_TRUE(store->Upkeep(now).ok());
  while (store->NextUpkeep() != absl::InfiniteFuture()) {
    now += absl::Milliseconds(100);
    ASSERT_TRUE(store->Upkeep(now).ok());
  }
  EXPECT_GT(yields, 0);
}

// Nobody reads, and nobody accepts.
TEST(SqliteJournal, ASettlingThatFailsIsNoticedAndTriedAgain) {
  const std::string directory = NewDirectory();
  const auto store = Open(directory);
  ASSERT_TRUE(Accept(*store, "one").ok());
  fail_syncs_of = ".db-wal";
  ASSERT_TRUE(store->Upkeep(kNow + absl::Seconds(1)).ok());
  absl::Time now = kNow + absl::Seconds(1);
  absl::Status noticed;
  while (noticed.ok()) {
    ASSERT_LE(store->NextUpkeep(), now + absl::Milliseconds(100));
    now += absl::Milliseconds(100);
    noticed = store->Upkeep(now);
  }
  EXPECT_EQ(noticed.code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(store->Upkeep(now).ok());
  EXPECT_EQ(store->NextUpkeep(), now + absl::Seconds(1));
  fail_syncs_of = nullptr;
  EXPECT_TRUE(store->Upkeep(now + absl::Seconds(1)).ok());
  EXPECT_EQ(store->NextUpkeep(), absl::InfiniteFuture());
  EXPECT_EQ(Settled(directory), 1);
}

TEST(SqliteJournal, ALargeMessageThatMeetsAFailedSettlingIsRefused) {
  const auto store = Open(NewDirectory());
  ASSERT_TRUE(Accept(*store, "one").ok());
  fail_syncs_of = ".db-wal";
  hold_those_syncs = true;
  ASSERT_TRUE(store->Upkeep(kNow + absl::Seconds(1)).ok());
  ASSERT_TRUE(Accept(*store, "meanwhile").ok());
  hold_those_syncs = false;
  const std::string large(SqliteStore::kJournalBytes, 'x');
  EXPECT_FALSE(Accept(*store, "large", Durability::kNow, large).ok());
  fail_syncs_of = nullptr;
  EXPECT_TRUE(Accept(*store, "large", Durability::kNow, large).ok());
  EXPECT_TRUE(Has(*store, "one"));
  EXPECT_TRUE(Has(*store, "large"));
}

TEST(SqliteJournal, WhatCannotBeSettledIsTriedOnceASecond) {
  const auto store = Open(NewDirectory());
  const std::string fifth(SqliteStore::kJournalBytes / 5, 'x');
  for (const char* id : {"1", "2", "3"})
    ASSERT_TRUE(Accept(*store, id, Durability::kNow, fifth).ok());
  fail_syncs_of = ".db-wal";
  hold_those_syncs = true;
  ASSERT_TRUE(store->Upkeep(kNow).ok());
  for (const char* id : {"4", "5", "6"})
    ASSERT_TRUE(Accept(*store, id, Durability::kNow, fifth).ok());
  hold_those_syncs = false;
  EXPECT_FALSE(store->Counts().ok());
  EXPECT_FALSE(store->Upkeep(kNow).ok());
  EXPECT_EQ(store->NextUpkeep(), kNow + absl::Seconds(1));
  fail_syncs_of = nullptr;
  EXPECT_TRUE(store->Upkeep(kNow + absl::Seconds(1)).ok());
  EXPECT_EQ(store->NextUpkeep(), absl::InfiniteFuture());
}

// The system says it once.
TEST(SqliteJournal, ASyncThatHasFailedIsNotBelievedLater) {
  const auto store = Open(NewDirectory());
  ASSERT_TRUE(Accept(*store, "soon", Durability::kSoon).ok());
  fail_syncs_of = "";
  ASSERT_TRUE(store->Begin().ok());
  EXPECT_FALSE(store->Commit(Durability::kNow, kNow).ok());
  store->Rollback();
  fail_syncs_of = ".db-wal";
  ASSERT_TRUE(store->Begin().ok());
  EXPECT_FALSE(store->Commit(Durability::kNow, kNow).ok());
  store->Rollback();
  fail_syncs_of = nullptr;
  ASSERT_TRUE(store->Begin().ok());
  EXPECT_TRUE(store->Commit(Durability::kNow, kNow).ok());
  EXPECT_TRUE(Has(*store, "soon"));
}

TEST(SqliteJournal, WhatTheStoreUsesIsKnownFromItsStart) {
  const std::string directory = NewDirectory();
  const std::string large(SqliteStore::kJournalBytes, 'x');
  ASSERT_TRUE(Accept(*Open(directory), "large", Durability::kNow, large).ok());
  const auto store = Open(directory);
  ASSERT_TRUE(Accept(*store, "one").ok());
  ASSERT_TRUE(store->Upkeep(kNow + absl::Seconds(1)).ok());
  EXPECT_GT(*store->UsedBytes(), 1'000'000);
}

// A power cut may take the first record that was being written to the other half, and what is
// accepted after the restart must not be taken for that.
TEST(SqliteJournal, ATornNextGenerationIsNotBegunAgain) {
  const std::string directory = NewDirectory();
  const std::string log = directory + "/deliveries.db-wal";
  const std::string journal = directory + "/deliveries.journal";
  InKilledProcess([&] {
    SqliteStore* const store = Open(directory).release();
    ASSERT_TRUE(Accept(*store, "settled").ok());
    std::filesystem::copy_file(log, log + ".before");
    ASSERT_TRUE(store->Upkeep(kNow + absl::Seconds(1)).ok());
    ASSERT_TRUE(Accept(*store, "torn", Durability::kNow, std::string(10'000, 'x')).ok());
    WaitForSettling(*store);
  });
  // As if the settling had not taken place yet, and of "torn" only the first page was written.
  std::filesystem::rename(log + ".before", log);
  std::fstream file(journal, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(SqliteStore::kJournalBytes) + 4096);
  file << std::string(4096, '\0');
  file.close();
  InKilledProcess([&] {
    SqliteStore* const store = Open(directory).release();
    EXPECT_TRUE(Has(*store, "settled"));
    EXPECT_FALSE(Has(*store, "torn"));
    ASSERT_TRUE(Accept(*store, "acknowledged").ok());
  });
  const auto store = Open(directory);
  EXPECT_TRUE(Has(*store, "settled"));
  EXPECT_TRUE(Has(*store, "acknowledged"));
}

// What the journal has then: the generation that is being settled, and the next.
TEST(SqliteJournal, AKillWhileItIsSettledLosesNothing) {
  for (int round = 0; round < 20; ++round) {
    const std::string directory = NewDirectory();
    InKilledProcess([&] {
      SqliteStore* const store = Open(directory).release();
      for (int i = 0; i < 50; ++i) ASSERT_TRUE(Accept(*store, std::to_string(i)).ok());
      ASSERT_TRUE(store->Upkeep(kNow + absl::Seconds(1)).ok());
      for (int i = 50; i < 50 + round; ++i) ASSERT_TRUE(Accept(*store, std::to_string(i)).ok());
    });
    const auto store = Open(directory);
    for (int i = 0; i < 50 + round; ++i) EXPECT_TRUE(Has(*store, std::to_string(i))) << i;
    EXPECT_EQ(store->BacklogOf({TargetKind::kRoute, "reports"})->deliveries, 50 + round);
  }
}

TEST(SqliteJournal, WhatCouldNotBeSyncedIsNotThereAfterAKill) {
  const std::string directory = NewDirectory();
  InKilledProcess([&] {
    SqliteStore* const store = Open(directory).release();
    ASSERT_TRUE(Accept(*store, "before").ok());
    fail_syncs_of = "";  // of all
    EXPECT_EQ(Accept(*store, "refused").code(), absl::StatusCode::kUnavailable);
    EXPECT_FALSE(Has(*store, "refused"));
    fail_syncs_of = nullptr;
    ASSERT_TRUE(Accept(*store, "after").ok());
  });
  const auto store = Open(directory);
  EXPECT_TRUE(Has(*store, "before"));
  EXPECT_TRUE(Has(*store, "after"));
  EXPECT_FALSE(Has(*store, "refused"));
}

TEST(SqliteJournal, WhoIsToldSomethingNowMayRelyOnWhatNobodyWaitedFor) {
  const auto store = Open(NewDirectory());
  ASSERT_TRUE(Accept(*store, "one", Durability::kSoon).ok());
  ASSERT_TRUE(store->Begin().ok());
  ASSERT_TRUE(store->Commit(Durability::kNow, kNow).ok());
  EXPECT_EQ(store->NextUpkeep(), kNow + absl::Seconds(1));
}

TEST(SqliteJournal, GoesOnWithoutAJournalThatCannotBeWritten) {
  const std::string directory = NewDirectory();
  std::filesystem::create_symlink("/dev/full", directory + "/deliveries.journal");
  const auto store = Open(directory);
  ASSERT_TRUE(Accept(*store, "one").ok());
  EXPECT_EQ(Settled(directory), 1);
  ASSERT_TRUE(Accept(*store, "two", Durability::kSoon).ok());
  EXPECT_EQ(Settled(directory), 2);
  ASSERT_TRUE(store->Begin().ok());
  ASSERT_TRUE(Insert(*store, "undone").ok());
  store->Rollback();
  EXPECT_FALSE(Has(*store, "undone"));
  EXPECT_TRUE(Has(*store, "two"));
}

}  // namespace
}  // namespace pillion::delivery

// In place of the C library's, for SQLite, too.
extern "C" {

int fdatasync(int fd) {
  if (pillion::delivery::NameEnds(fd, pillion::delivery::fail_syncs_of)) {
    while (pillion::delivery::hold_those_syncs) usleep(100);
    errno = EIO;
    return -1;
  }
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}

int sched_yield() noexcept {
  ++pillion::delivery::yields;
  return 0;
}

ssize_t pread64(int fd, void* bytes, size_t size, off64_t offset) {
  if (pillion::delivery::NameEnds(fd, pillion::delivery::fail_reads_of)) {
    errno = pillion::delivery::read_error;
    return -1;
  }
  return syscall(SYS_pread64, fd, bytes, size, offset);
}

}  // extern "C"
