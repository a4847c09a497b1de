#include "core/config/watch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace pillion::config {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kDeadline(20'000);

void Write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::trunc) << text;
}

// What the watcher said so far.
class Reports {
 public:
  FileWatcher::Callback Callback() {
    return [this](absl::StatusOr<std::vector<SourceFile>> files) {
      std::lock_guard lock(mutex_);
      reports_.push_back(files.ok() ? Join(*files) : std::string(files.status().message()));
      changed_.notify_all();
    };
  }

  // Waits until the latest report is `text` or, for an error, contains it.
  bool Latest(const std::string& text, std::chrono::milliseconds deadline = kDeadline) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, deadline, [&] {
      if (reports_.empty()) return false;
      return text[0] == '[' ? reports_.back() == text : absl::StrContains(reports_.back(), text);
    });
  }

  std::vector<std::string> all() {
    std::lock_guard lock(mutex_);
    return reports_;
  }

 private:
  static std::string Join(const std::vector<SourceFile>& files) {
    std::string joined;
    for (const SourceFile& file : files) {
      joined += "[" + fs::path(file.name).filename().string() + "=" + file.text + "]";
    }
    return joined;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> reports_;
};

class FileWatcherTest : public testing::Test {
 protected:
  FileWatcherTest() {
    std::string name = fs::path(testing::TempDir()) / "watchXXXXXX";
    root_ = mkdtemp(name.data());
    fs::create_directory(root_ / "policy");
    Write(root_ / "policy/a.yaml", "a1");
  }
  ~FileWatcherTest() override {
    watcher_.reset();
    fs::remove_all(root_);
  }

  void Watch(std::vector<std::string> paths) {
    watcher_ = FileWatcher::Start(std::move(paths), reports_.Callback());
  }
  void WatchDirectory() {
    Watch({root_ / "policy"});
    ASSERT_TRUE(reports_.Latest("[a.yaml=a1]"));
  }

  fs::path root_;
  Reports reports_;
  std::unique_ptr<FileWatcher> watcher_;
};

TEST_F(FileWatcherTest, ReportsAllFilesOfADirectoryByNameAtTheStart) {
  Write(root_ / "policy/c.yml", "c1");
  Write(root_ / "policy/b.yaml", "b1");
  Write(root_ / "policy/.hidden.yaml", "x");
  Write(root_ / "policy/README.md", "x");
  fs::create_directory(root_ / "policy/folder.yaml");
  Watch({root_ / "policy"});
  EXPECT_TRUE(reports_.Latest("[a.yaml=a1][b.yaml=b1][c.yml=c1]"));
}

TEST_F(FileWatcherTest, SeesAnEditInPlace) {
  WatchDirectory();
  Write(root_ / "policy/a.yaml", "a2");
  EXPECT_TRUE(reports_.Latest("[a.yaml=a2]"));
}

TEST_F(FileWatcherTest, SeesAnEditByRename) {
  WatchDirectory();
  Write(root_ / "policy/.a.yaml.swp", "a2");
  fs::rename(root_ / "policy/.a.yaml.swp", root_ / "policy/a.yaml");
  EXPECT_TRUE(reports_.Latest("[a.yaml=a2]"));
}

TEST_F(FileWatcherTest, SeesFilesThatComeAndGo) {
  WatchDirectory();
  Write(root_ / "policy/b.yaml", "b1");
  EXPECT_TRUE(reports_.Latest("[a.yaml=a1][b.yaml=b1]"));
  fs::remove(root_ / "policy/a.yaml");
  EXPECT_TRUE(reports_.Latest("[b.yaml=b1]"));
}

TEST_F(FileWatcherTest, SeesAConfigMapSwapItsDataDirectory) {
  fs::remove_all(root_ / "policy");
  fs::create_directories(root_ / "policy/..2026_1");
  Write(root_ / "policy/..2026_1/a.yaml", "old");
  fs::create_symlink("..2026_1", root_ / "policy/..data");
  fs::create_symlink("..data/a.yaml", root_ / "policy/a.yaml");
  Watch({root_ / "policy"});
  ASSERT_TRUE(reports_.Latest("[a.yaml=old]"));

  fs::create_directories(root_ / "policy/..2026_2");
  Write(root_ / "policy/..2026_2/a.yaml", "new");
  fs::create_symlink("..2026_2", root_ / "policy/..data_tmp");
  fs::rename(root_ / "policy/..data_tmp", root_ / "policy/..data");
  fs::remove_all(root_ / "policy/..2026_1");
  EXPECT_TRUE(reports_.Latest("[a.yaml=new]"));
}

TEST_F(FileWatcherTest, SeesASwapOfALinkAnywhereOnTheWay) {
  fs::create_directories(root_ / "v1/mesh");
  fs::create_directories(root_ / "v2/mesh");
  Write(root_ / "v1/mesh/a.yaml", "one");
  Write(root_ / "v2/mesh/a.yaml", "two");
  fs::create_directory_symlink("v1", root_ / "current");
  Watch({root_ / "current/mesh"});
  ASSERT_TRUE(reports_.Latest("[a.yaml=one]"));

  fs::create_directory_symlink("v2", root_ / "next");
  fs::rename(root_ / "next", root_ / "current");
  ASSERT_TRUE(reports_.Latest("[a.yaml=two]"));
  Write(root_ / "v2/mesh/a.yaml", "two again");
  EXPECT_TRUE(reports_.Latest("[a.yaml=two again]"));
}

TEST_F(FileWatcherTest, SeesAFileEditedBehindALink) {
  Write(root_ / "real.yaml", "one");
  fs::create_symlink(root_ / "real.yaml", root_ / "link.yaml");
  Watch({root_ / "link.yaml"});
  ASSERT_TRUE(reports_.Latest("[link.yaml=one]"));
  Write(root_ / "real.yaml", "two");
  EXPECT_TRUE(reports_.Latest("[link.yaml=two]"));
}

TEST_F(FileWatcherTest, NamesADirectoryThatVanishesAndSeesItComeBack) {
  WatchDirectory();
  fs::remove_all(root_ / "policy");
  ASSERT_TRUE(
      reports_.Latest((root_ / "policy").string() + ": no such file or directory; create it"));
  fs::create_directory(root_ / "policy");
  ASSERT_TRUE(reports_.Latest("the directory has no *.yaml or *.yml file"));
  Write(root_ / "policy/a.yaml", "a3");
  ASSERT_TRUE(reports_.Latest("[a.yaml=a3]"));
  Write(root_ / "policy/a.yaml", "a4");
  EXPECT_TRUE(reports_.Latest("[a.yaml=a4]"));
}

TEST_F(FileWatcherTest, WaitsForAPathWhoseParentsDoNotExistYet) {
  Watch({root_ / "later/deep/policy"});
  ASSERT_TRUE(reports_.Latest("no such file or directory"));
  fs::create_directories(root_ / "later/deep/policy");
  Write(root_ / "later/deep/policy/a.yaml", "here");
  EXPECT_TRUE(reports_.Latest("[a.yaml=here]"));
}

TEST_F(FileWatcherTest, NamesAFileThatIsADanglingLink) {
  fs::create_symlink("nowhere", root_ / "policy/b.yaml");
  Watch({root_ / "policy"});
  EXPECT_TRUE(reports_.Latest((root_ / "policy/b.yaml").string() + ": no such file or directory"));
}

TEST_F(FileWatcherTest, SaysNothingWhenTheContentIsTheSame) {
  WatchDirectory();
  Write(root_ / "policy/a.yaml", "a1");
  fs::last_write_time(root_ / "policy/a.yaml", fs::file_time_type::clock::now());
  Write(root_ / "policy/unrelated.txt", "x");
  Write(root_ / "policy/b.yaml", "b1");
  ASSERT_TRUE(reports_.Latest("[a.yaml=a1][b.yaml=b1]"));
  EXPECT_EQ(reports_.all().size(), 2u);
}

// A writer that truncates and then takes its time must not have its half-written file acted on.
TEST_F(FileWatcherTest, WaitsForAWriterToCloseTheFile) {
  WatchDirectory();
  const int fd = open((root_ / "policy/a.yaml").c_str(), O_WRONLY | O_TRUNC);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(write(fd, "first ", 6), 6);
  EXPECT_FALSE(reports_.Latest("[a.yaml=first ]",
                               std::chrono::milliseconds(200)));  // longer than an edit settles
  ASSERT_EQ(write(fd, "second", 6), 6);
  close(fd);
  ASSERT_TRUE(reports_.Latest("[a.yaml=first second]"));
  EXPECT_EQ(reports_.all(), (std::vector<std::string>{"[a.yaml=a1]", "[a.yaml=first second]"}));
}

TEST_F(FileWatcherTest, ActsOnAFileThatIsNeverClosed) {
  WatchDirectory();
  const int fd = open((root_ / "policy/a.yaml").c_str(), O_WRONLY | O_TRUNC);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(write(fd, "kept open", 9), 9);
  EXPECT_TRUE(reports_.Latest("[a.yaml=kept open]"));
  close(fd);
}

TEST_F(FileWatcherTest, StopsPromptlyWhileFilesChange) {
  WatchDirectory();
  for (int i = 0; i < 20; ++i) Write(root_ / "policy/a.yaml", std::to_string(i));
  const absl::Time start = absl::Now();
  watcher_.reset();
  EXPECT_LT(absl::Now() - start, absl::Seconds(1));
}

}  // namespace
}  // namespace pillion::config
