#include "core/config/kept_file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/config/sources.h"
#include "tests/integration/harness/deadline.h"

namespace pillion::config {
namespace {

namespace fs = std::filesystem;
using harness::Eventually;

class KeptFileTest : public testing::Test {
 protected:
  KeptFileTest() {
    std::string name = fs::path(testing::TempDir()) / "keptXXXXXX";
    root_ = mkdtemp(name.data());
    path_ = root_ / "file";
  }
  ~KeptFileTest() override { fs::remove_all(root_); }

  // What no file can replace.
  void Obstruct() {
    Clear();
    fs::create_directories(path_ / "in the way");
  }
  void Clear() { fs::remove_all(path_); }
  std::string Content() const { return ReadFile(path_).value_or("(none)"); }

  fs::path root_, path_;
};

TEST_F(KeptFileTest, WritesAtOnce) {
  KeptFile file(path_);
  EXPECT_TRUE(file.Write("one").ok());
  EXPECT_TRUE(file.Write("two").ok());
  EXPECT_EQ(Content(), "two");
  EXPECT_EQ(file.error(), "");
}

TEST_F(KeptFileTest, TriesAgainUntilTheNewestContentIsWritten) {
  Obstruct();
  KeptFile file(path_, absl::Milliseconds(1));
  EXPECT_FALSE(file.Write("one").ok());
  const absl::Status status = file.Write("two");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(file.error(), status.message());
  Clear();
  EXPECT_TRUE(Eventually([&] { return file.error().empty(); }));
  EXPECT_EQ(Content(), "two");

  Obstruct();  // once is not enough
  EXPECT_FALSE(file.Write("three").ok());
  Clear();
  EXPECT_TRUE(Eventually([&] { return Content() == "three"; }));
}

TEST_F(KeptFileTest, TriesALastTimeAtTheEnd) {
  Obstruct();
  {
    KeptFile file(path_, absl::Hours(1));
    EXPECT_FALSE(file.Write("one").ok());
    Clear();
  }
  EXPECT_EQ(Content(), "one");
}

}  // namespace
}  // namespace pillion::config
