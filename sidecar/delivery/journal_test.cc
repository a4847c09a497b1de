#include "sidecar/delivery/journal.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sidecar/delivery/child_process.h"

namespace pillion::delivery {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr size_t kMaxBytes = 1 << 20;

std::string NewPath() {
  std::string directory = testing::TempDir() + "/journal-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) std::abort();
  return directory + "/deliveries.journal";
}

Journal Open(const std::string& path) {
  absl::StatusOr<Journal> journal = Journal::Open(path, kMaxBytes);
  if (!journal.ok()) {
    ADD_FAILURE() << journal.status();
    std::abort();
  }
  return *std::move(journal);
}

std::vector<std::string> Read(Journal& journal, uint64_t generation) {
  std::vector<std::string> records;
  const absl::Status status = journal.Read(generation, [&](std::string_view record) {
    records.emplace_back(record);
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  return records;
}

std::string Bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

TEST(Journal, GivesBackTheRecordsOfAGenerationAndGoesOnBehindThem) {
  const std::string path = NewPath();
  {
    Journal journal = Open(path);
    EXPECT_THAT(Read(journal, 5), IsEmpty());
    ASSERT_TRUE(journal.Append("one, ", "in two parts", true).ok());
    ASSERT_TRUE(journal.Append("", "", false).ok());
    EXPECT_FALSE(journal.synced());
    ASSERT_TRUE(journal.Sync().ok());
    EXPECT_TRUE(journal.synced());
    EXPECT_EQ(journal.records(), 2u);
  }
  {
    Journal journal = Open(path);
    EXPECT_THAT(Read(journal, 5), ElementsAre("one, in two parts", ""));
    ASSERT_TRUE(journal.Append("three", "", true).ok());
  }
  Journal journal = Open(path);
  EXPECT_THAT(Read(journal, 6), IsEmpty());
  EXPECT_THAT(Read(journal, 5), ElementsAre("one, in two parts", "", "three"));
  struct stat info;
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(Journal, ANewGenerationOverwritesTheOneBefore) {
  const std::string path = NewPath();
  Journal journal = Open(path);
  journal.Start(1);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(journal.Append("first", "", false).ok());
  const size_t size = Bytes(path).size();
  journal.Start(2);
  ASSERT_TRUE(journal.Append("second", "", true).ok());
  EXPECT_EQ(Bytes(path).size(), size);
  Journal again = Open(path);
  EXPECT_THAT(Read(again, 2), ElementsAre("second"));
}

TEST(Journal, HasTwoGenerationsUntilTheFirstIsSettled) {
  const std::string path = NewPath();
  {
    Journal journal = Open(path);
    journal.Start(1);
    ASSERT_TRUE(journal.Append("one", "", true).ok());
    ASSERT_TRUE(journal.Append("two", "", true).ok());
    journal.StartNext();
    ASSERT_TRUE(journal.Append("three", "", true).ok());
    EXPECT_EQ(journal.records(), 3u);
    EXPECT_EQ(journal.present_bytes(), 32u + 5u);
    std::vector<std::string> again;
    ASSERT_TRUE(journal
                    .ReadAgain([&](std::string_view record) {
                      again.emplace_back(record);
                      return absl::OkStatus();
                    })
                    .ok());
    EXPECT_THAT(again, ElementsAre("one", "two", "three"));
  }
  {
    Journal journal = Open(path);
    EXPECT_THAT(Read(journal, 1), ElementsAre("one", "two", "three"));
    EXPECT_EQ(journal.generation(), 2u);
    EXPECT_THAT(Read(journal, 2), ElementsAre("three"));
    EXPECT_EQ(journal.generation(), 2u);
    journal.SettledBefore();
    journal.StartNext();
    ASSERT_TRUE(journal.Append("four", "", true).ok());
  }
  Journal journal = Open(path);
  EXPECT_THAT(Read(journal, 2), ElementsAre("three", "four"));
  EXPECT_THAT(Read(journal, 3), ElementsAre("four"));
}

TEST(Journal, ATornRecordEndsIt) {
  const std::string path = NewPath();
  {
    Journal journal = Open(path);
    journal.Start(1);
    for (const char* record : {"first", "second", "third"})
      ASSERT_TRUE(journal.Append(record, "", false).ok());
  }
  const std::string whole = Bytes(path);
  const size_t second = 32 + 5;
  for (size_t at = second; at < second + 32 + 6; ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    std::ofstream(path, std::ios::binary) << damaged;
    Journal journal = Open(path);
    EXPECT_THAT(Read(journal, 1), ElementsAre("first")) << "byte " << at;
    // The next one takes the damaged one's place.
    ASSERT_TRUE(journal.Append("new", "", true).ok());
    EXPECT_THAT(Read(journal, 1), ElementsAre("first", "new")) << "byte " << at;
  }
  for (size_t size = 0; size < second + 38; ++size) {
    std::ofstream(path, std::ios::binary) << whole.substr(0, size);
    Journal journal = Open(path);
    EXPECT_EQ(Read(journal, 1).size(), size < second ? 0u : 1u) << size << " bytes";
  }
}

// The last bytes of a generation that is not synced may be torn in any order.
TEST(Journal, TellsWhatWasTornFromWhatIsDamaged) {
  for (const bool synced : {false, true}) {
    const std::string path = NewPath();
    {
      Journal journal = Open(path);
      journal.Start(1);
      ASSERT_TRUE(journal.Append("first", "", true).ok());
      ASSERT_TRUE(journal.Append("second", "", synced).ok());
      ASSERT_TRUE(journal.Append("third", "", false).ok());
    }
    std::string bytes = Bytes(path);
    bytes[32 + 5 + 32] ^= 1;
    std::ofstream(path, std::ios::binary) << bytes;
    Journal journal = Open(path);
    std::vector<std::string> records;
    const absl::Status read = journal.Read(1, [&](std::string_view record) {
      records.emplace_back(record);
      return absl::OkStatus();
    });
    EXPECT_THAT(records, ElementsAre("first"));
    EXPECT_EQ(read.code(), synced ? absl::StatusCode::kDataLoss : absl::StatusCode::kOk) << read;
    EXPECT_EQ(std::string(read.message()).find("is damaged at byte 37") != std::string::npos,
              synced);
  }
}

TEST(Journal, OfTwoGenerationsDamageToAnythingSyncedIsSeen) {
  const std::string path = NewPath();
  {
    Journal journal = Open(path);
    journal.Start(1);
    for (const char* record : {"one", "two"}) ASSERT_TRUE(journal.Append(record, "", true).ok());
    journal.StartNext();
    for (const char* record : {"three", "four"}) ASSERT_TRUE(journal.Append(record, "", true).ok());
  }
  const std::string whole = Bytes(path);
  const auto read = [&](std::string bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
    Journal journal = Open(path);
    return journal.Read(1, [](std::string_view) { return absl::OkStatus(); });
  };
  EXPECT_TRUE(read(whole).ok());
  for (size_t at = 0; at < whole.size(); ++at) {
    // "four", the last one, may be torn; the rest of each half is empty.
    const bool in_first = at < 2 * 35;
    const bool in_second = at >= kMaxBytes && at < kMaxBytes + 37;
    if (!in_first && !in_second) continue;
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    EXPECT_FALSE(read(damaged).ok()) << "byte " << at;
  }
}

TEST(Journal, IsNotReadAsAnEarlierGeneration) {
  const std::string path = NewPath();
  Journal journal = Open(path);
  const absl::StatusOr<bool> empty = journal.HasRecords();
  ASSERT_TRUE(empty.ok());
  EXPECT_FALSE(*empty);
  journal.Start(7);
  ASSERT_TRUE(journal.Append("record", "", true).ok());
  const absl::Status later = journal.Read(5, [](std::string_view) { return absl::OkStatus(); });
  EXPECT_EQ(later.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(later.message()), HasSubstr("newer than the database"));
  EXPECT_THAT(Read(journal, 8), IsEmpty());
  const absl::StatusOr<bool> has_records = journal.HasRecords();
  ASSERT_TRUE(has_records.ok());
  EXPECT_TRUE(*has_records);
}

TEST(Journal, HasRoomUpToItsSizeAndDoesNotGrowBeyondIt) {
  const std::string path = NewPath();
  Journal journal = Open(path);
  journal.Start(1);
  const std::string record(1000, 'x');
  EXPECT_FALSE(journal.HasRoomFor(kMaxBytes));
  size_t count = 0;
  for (; journal.HasRoomFor(record.size()); ++count)
    ASSERT_TRUE(journal.Append(record, "", false).ok());
  EXPECT_EQ(count, kMaxBytes / 1032);
  EXPECT_EQ(Bytes(path).size(), kMaxBytes);
  uint64_t read = 0;
  ASSERT_TRUE(journal
                  .ReadAgain([&](std::string_view) {
                    ++read;
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(read, count);
}

TEST(Journal, SaysWhatIsWrongWithTheFile) {
  const absl::Status missing = Journal::Open("/nowhere/deliveries.journal", kMaxBytes).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(missing.message()),
              AllOf(HasSubstr("/nowhere/deliveries.journal"), HasSubstr("No such file")));
  const std::string path = NewPath();
  Journal journal = Open(path);
  journal.Start(1);
  ASSERT_TRUE(journal.Append("lost", "", true).ok());
  ASSERT_EQ(truncate(path.c_str(), 0), 0);
  const absl::Status lost = journal.ReadAgain([](std::string_view) { return absl::OkStatus(); });
  EXPECT_EQ(lost.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(lost.message()), HasSubstr("0 of 1 records"));
}

// In a process of its own, as the limit is the whole process's.
TEST(Journal, WhatTheDiskHasNoRoomForIsNotARecord) {
  const std::string path = NewPath();
  ChildProcess child([&](int) {
    Journal journal = Open(path);
    journal.Start(1);
    ASSERT_TRUE(journal.Append("kept", "", true).ok());
    signal(SIGXFSZ, SIG_IGN);
    rlimit limit{64, RLIM_INFINITY};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    const absl::Status full = journal.Append("not kept", "", true);
    limit.rlim_cur = RLIM_INFINITY;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
    EXPECT_THAT(std::string(full.message()), HasSubstr("free space on its volume"));
    EXPECT_EQ(journal.records(), 1u);
    EXPECT_THAT(Read(journal, 1), ElementsAre("kept"));
  });
  EXPECT_EQ(child.Wait(), 0);
}

}  // namespace
}  // namespace pillion::delivery
