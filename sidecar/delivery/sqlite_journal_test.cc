// The journal before the database: what was committed is there after any end of the process, and
// while SQLite fails.
#include <signal.h>
#include <sys/resource.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sidecar/delivery/child_process.h"
#include "sidecar/delivery/sqlite_harness.h"
#include "sidecar/delivery/sqlite_store.h"

namespace pillion::delivery {
namespace {

using testing::AllOf;
using testing::HasSubstr;

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
                testing::AllOf(HasSubstr(directory + "/deliveries.journal"), HasSubstr(why)));
  }
}

TEST(SqliteJournal, MissesItsDatabase) {
  for (const bool killed : {true, false}) {
    const std::string directory = NewDirectory();
    if (killed) {
      InKilledProcess([&] { ASSERT_TRUE(Accept(*Open(directory).release(), "old").ok()); });
    } else {
      ASSERT_TRUE(Accept(*Open(directory), "old").ok());
    }
    std::filesystem::resize_file(directory + "/deliveries.db", 0);
    ExpectRefused(directory, absl::StatusCode::kFailedPrecondition, "missing, empty");
    std::filesystem::remove(directory + "/deliveries.db");
    std::filesystem::remove(directory + "/deliveries.db-wal");
    ExpectRefused(directory, absl::StatusCode::kFailedPrecondition, "missing, empty");
    std::filesystem::remove(directory + "/deliveries.journal");
    EXPECT_FALSE(Has(*Open(directory), "old"));
  }
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

TEST(SqliteJournal, SaysIfItsFilesAreGone) {
  for (const char* name : {"/deliveries.journal", "/deliveries.db", "/deliveries.db-wal"}) {
    SCOPED_TRACE(name);
    const std::string directory = NewDirectory();
    const auto store = Open(directory);
    ASSERT_TRUE(Accept(*store, "before").ok());
    absl::Time now = kNow;
    EXPECT_TRUE(store->CheckFiles(now).ok());
    const std::string path = directory + name;
    std::filesystem::rename(path, path + ".moved");
    now += absl::Seconds(1);
    const absl::Status gone = store->CheckFiles(now);
    EXPECT_EQ(gone.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(gone.message()),
                AllOf(HasSubstr(path), HasSubstr("was deleted, moved or replaced"),
                      HasSubstr("put the file back, or restart the sidecar")));
    std::ofstream(path) << "another";
    // What is pending is delivered all the same.
    EXPECT_TRUE(Accept(*store, "outcome").ok());
    EXPECT_FALSE(store->CheckFiles(now).ok());
    std::filesystem::rename(path + ".moved", path);
    EXPECT_TRUE(store->CheckFiles(now).ok());
    std::filesystem::remove_all(directory);
    EXPECT_FALSE(store->CheckFiles(now).ok());
  }
}

// What SQLite opens, it changes: it would delete the log, and put a new database there.
TEST(SqliteJournal, ADatabaseThatIsMissingOrDamagedLeavesTheOtherFilesAsTheyAre) {
  for (const bool with_journal : {true, false}) {
    for (const char* database : {"", "no database"}) {
      SCOPED_TRACE(testing::Message() << with_journal << " '" << database << "'");
      const std::string directory = NewDirectory();
      const std::string path = directory + "/deliveries.db";
      const std::string journal = directory + "/deliveries.journal";
      InKilledProcess([&] {
        SqliteStore* const store = Open(directory).release();
        ASSERT_TRUE(Accept(*store, "settled").ok());
        ASSERT_TRUE(store->Upkeep(kNow + absl::Seconds(1)).ok());
        ASSERT_TRUE(Has(*store, "settled"));
        ASSERT_TRUE(Accept(*store, "in the journal").ok());
      });
      std::filesystem::rename(path, path + ".moved");
      if (*database != '\0') std::ofstream(path) << database;
      if (!with_journal) std::filesystem::rename(journal, journal + ".moved");
      EXPECT_FALSE(SqliteStore::Open(directory).ok());
      EXPECT_FALSE(SqliteStore::Open(directory).ok());
      std::filesystem::rename(path + ".moved", path);
      if (!with_journal) std::filesystem::rename(journal + ".moved", journal);
      const auto store = Open(directory);
      EXPECT_TRUE(Has(*store, "settled"));
      EXPECT_TRUE(Has(*store, "in the journal"));
    }
  }
}

// Its tables may still be in the log alone.
TEST(SqliteJournal, RefusesADatabaseWithoutItsLog) {
  const std::string directory = NewDirectory();
  InKilledProcess([&] {
    SqliteStore* const store = Open(directory).release();
    ASSERT_TRUE(Accept(*store, "before").ok());
    std::filesystem::remove(directory + "/deliveries.db-wal");
    ASSERT_TRUE(Accept(*store, "after").ok());
  });
  const auto store = SqliteStore::Open(directory);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition) << store.status();
  EXPECT_THAT(std::string(store.status().message()),
              AllOf(HasSubstr("deliveries.journal"), HasSubstr("deliveries.db-wal back")));
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
