// How what the journal has is put into the database, on another thread: when, and what happens if
// it fails or the process ends meanwhile.
#include <filesystem>
#include <fstream>
#include <string>

#include "gtest/gtest.h"
#include "sidecar/delivery/sqlite_harness.h"
#include "sidecar/delivery/sqlite_store.h"

namespace pillion::delivery {
namespace {

TEST(SqliteSettling, IsSettledASecondLaterOrWhenItIsFullOrAtTheEnd) {
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
    const std::string fifth(SqliteStore::kSettleBytes / 5, 'x');
    for (int i = 0; i < 4; ++i)
      ASSERT_TRUE(Accept(*store, std::to_string(i), Durability::kNow, fifth).ok());
    EXPECT_EQ(store->NextUpkeep(), kNow + absl::Seconds(1));
    ASSERT_TRUE(Accept(*store, "fifth", Durability::kNow, fifth).ok());
    EXPECT_EQ(store->NextUpkeep(), kNow);
    ASSERT_TRUE(store->Upkeep(kNow).ok());
    ASSERT_TRUE(Accept(*store, "meanwhile").ok());
    WaitForSettling(*store);
    EXPECT_EQ(Settled(directory), 8);
    // Nobody called Upkeep().
    const std::string tenth(SqliteStore::kJournalBytes / 10, 'x');
    for (int i = 0; i < 12; ++i)
      ASSERT_TRUE(Accept(*store, "more" + std::to_string(i), Durability::kNow, tenth).ok());
    WaitForSettling(*store);
    EXPECT_GE(Settled(directory), 17);
    ASSERT_TRUE(Accept(*store, "last").ok());
  }
  EXPECT_EQ(Settled(directory), 22);
}

TEST(SqliteSettling, ASettlingWhoseSyncFailsTakesNothingAwayThatComesLater) {
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

TEST(SqliteSettling, SettlingGivesWayToOtherThreads) {
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

TEST(SqliteSettling, ASettlingThatFailsIsNoticedAndTriedAgain) {
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

TEST(SqliteSettling, ALargeMessageThatMeetsAFailedSettlingIsRefused) {
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

TEST(SqliteSettling, WhatCannotBeSettledIsTriedOnceASecond) {
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

// A power cut may take the first record that was being written to the other half, and what is
// accepted after the restart must not be taken for that.
TEST(SqliteSettling, ATornNextGenerationIsNotBegunAgain) {
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

// A duplicate cannot be; it stands for whatever SQLite may say against one of the rows.
TEST(SqliteSettling, ARowThatCannotBeInsertedIsToldWhoReads) {
  for (const int count : {3, 16}) {
    SCOPED_TRACE(count);
    const auto store = Open(NewDirectory());
    for (int i = 0; i < count; ++i)
      ASSERT_TRUE(Accept(*store, i == 1 ? "0" : std::to_string(i)).ok());
    EXPECT_EQ(store->Counts().status().code(), absl::StatusCode::kInternal);
  }
}

// Rows are inserted together if there are enough, and what changes them comes after them.
TEST(SqliteSettling, ManyOrFewRowsAreThereAndAsTheyWereChanged) {
  for (const int count : {1, 15, 16, 17, 40}) {
    SCOPED_TRACE(count);
    const auto store = Open(NewDirectory());
    for (int i = 0; i < count; ++i) ASSERT_TRUE(Accept(*store, std::to_string(i)).ok());
    ASSERT_TRUE(store->Begin().ok());
    ASSERT_TRUE(store->SetProgress(/*row=*/count, 50).ok());
    ASSERT_TRUE(store->Commit(Durability::kNow, kNow).ok());
    ASSERT_TRUE(Accept(*store, "last").ok());
    for (int i = 0; i < count; ++i) EXPECT_TRUE(Has(*store, std::to_string(i))) << i;
    EXPECT_TRUE(Has(*store, "last"));
    const auto changed = store->Find(std::to_string(count - 1));
    ASSERT_TRUE(changed.ok() && changed->has_value());
    EXPECT_EQ((*changed)->deliveries[0].view.percent_complete, 50);
  }
}

TEST(SqliteSettling, AKillWhileItIsSettledLosesNothing) {
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

}  // namespace
}  // namespace pillion::delivery
