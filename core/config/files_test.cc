#include <fcntl.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/config/atomic_file.h"
#include "core/config/content_hash.h"
#include "core/config/sources.h"

namespace pillion::config {
namespace {

namespace fs = std::filesystem;

class FilesTest : public testing::Test {
 protected:
  FilesTest() {
    std::string name = fs::path(testing::TempDir()) / "filesXXXXXX";
    root_ = mkdtemp(name.data());
  }
  ~FilesTest() override { fs::remove_all(root_); }
  fs::path root_;
};

TEST_F(FilesTest, ReadsFilesInTheOrderGiven) {
  std::ofstream(root_ / "b.yaml") << "b";
  std::ofstream(root_ / "a.txt") << "a";
  auto files = ReadSources({root_ / "b.yaml", root_ / "a.txt"});
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_EQ(files->size(), 2u);
  EXPECT_EQ((*files)[0].text, "b");
  EXPECT_EQ((*files)[1].name, (root_ / "a.txt").string());
}

TEST_F(FilesTest, RefusesAFifoInsteadOfHangingOnIt) {
  ASSERT_EQ(mkfifo((root_ / "a.yaml").c_str(), 0600), 0);
  auto files = ReadSources({root_});
  EXPECT_TRUE(absl::StrContains(files.status().message(), "a.yaml: not a regular file"))
      << files.status();
}

TEST_F(FilesTest, NamesAFileWhoseNameIsNotText) {
  std::ofstream(root_ / "a\xff.yaml") << "x";
  const absl::Status status = ReadSources({root_}).status();
  EXPECT_TRUE(absl::StrContains(status.message(), "not UTF-8: 'a\\xff.yaml'; rename it")) << status;
}

TEST_F(FilesTest, RefusesAFileAboveTheLimit) {
  std::ofstream(root_ / "a.yaml");
  fs::resize_file(root_ / "a.yaml", (16 << 20) + 1);
  EXPECT_EQ(ReadSources({root_}).status().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(FilesTest, ReplacesAFileAndMakesItsDirectories) {
  const std::string path = root_ / "new/state.json";
  ASSERT_TRUE(WriteFileAtomically(path, "one").ok());
  ASSERT_TRUE(WriteFileAtomically(path, "two").ok());
  EXPECT_EQ(ReadFile(path).value(), "two");
  EXPECT_FALSE(fs::exists(path + ".new"));
}

TEST_F(FilesTest, KeepsTheOldContentWhenReplacingFails) {
  const std::string path = root_ / "state.json";
  ASSERT_TRUE(WriteFileAtomically(path, "old").ok());
  fs::create_directory(path + ".new");  // in the way of the temporary file
  absl::Status status = WriteFileAtomically(path, "new");
  EXPECT_TRUE(absl::StrContains(status.message(), "state.json.new: cannot create")) << status;
  EXPECT_EQ(ReadFile(path).value(), "old");
}

TEST_F(FilesTest, NamesTheDirectoryThatCannotBeMade) {
  std::ofstream(root_ / "file") << "x";
  absl::Status status = WriteFileAtomically(root_ / "file/state.json", "x");
  EXPECT_TRUE(absl::StrContains(status.message(), "file: cannot create the directory")) << status;
}

TEST(ContentHash, TellsWhereOneStringEndsAndTheNextBegins) {
  EXPECT_EQ(ContentHash().Add("ab").Add("c").Hex(), ContentHash().Add("ab").Add("c").Hex());
  EXPECT_NE(ContentHash().Add("ab").Add("c").Hex(), ContentHash().Add("a").Add("bc").Hex());
  EXPECT_EQ(ContentHash().Add("ab").Hex().size(), 16u);
}

TEST(ContentHash, OfAMessageDoesNotDependOnTheOrderOfItsMaps) {
  // Read from JSON: with the thread sanitizer, protobuf's headers give a map another layout than
  // Debian's library, so none can be touched here.
  std::string up, down;
  for (int i = 0; i < 50; ++i) {
    const std::string field = absl::StrCat("\"", i, "\": true");
    up = absl::StrCat(up, up.empty() ? "" : ", ", field);
    down = absl::StrCat(field, down.empty() ? "" : ", ", down);
  }
  google::protobuf::Struct forward, backward;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage("{" + up + "}", &forward).ok());
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage("{" + down + "}", &backward).ok());
  EXPECT_GT(DeterministicBytes(forward).size(), 50u);
  EXPECT_EQ(DeterministicBytes(forward), DeterministicBytes(backward));
}

}  // namespace
}  // namespace pillion::config
