#include "sidecar/delivery/store_directory.h"

#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sidecar/delivery/child_process.h"

namespace pillion::delivery {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class StoreDirectory : public testing::Test {
 protected:
  StoreDirectory() {
    std::string name = testing::TempDir() + "/store_directory_XXXXXX";
    root_ = std::filesystem::canonical(mkdtemp(name.data()));
  }

  void Write(const std::string& file) { std::ofstream(root_ + "/" + file) << "x"; }

  std::string Check(const std::string& path) {
    return std::string(CheckStoreDirectory(root_ + "/" + path).message());
  }

  // What is told to a user without the rights of root, which may write anywhere.
  std::string CheckWithoutRights(const std::string& path) {
    ChildProcess child([&](int output) {
      __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
      __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
      if (syscall(SYS_capset, &header, none) != 0) _exit(1);
      const std::string told = Check(path);
      if (write(output, told.data(), told.size()) < 0) _exit(1);
    });
    std::string told = child.ReadAll();
    EXPECT_EQ(child.Wait(), 0);
    return told;
  }

  std::string root_;
};

TEST_F(StoreDirectory, IsFineIfItIsThereOrCanBeMadeAndNothingIsMade) {
  EXPECT_EQ(Check("not/yet/there"), "");
  EXPECT_EQ(Check("not/yet/there/"), "");
  EXPECT_FALSE(std::filesystem::exists(root_ + "/not"));
  std::filesystem::create_directory(root_ + "/store");
  EXPECT_EQ(Check("store"), "");
  EXPECT_EQ(Check("store/"), "");
  EXPECT_TRUE(std::filesystem::is_empty(root_ + "/store"));
}

TEST_F(StoreDirectory, IsNotAFileNorBelowOne) {
  Write("file");
  for (const std::string path : {"file", "file/store", "file/a/b/"}) {
    EXPECT_THAT(Check(path), AllOf(HasSubstr("store.path " + root_ + "/" + path + ": "),
                                   HasSubstr(root_ + "/file is no directory"),
                                   HasSubstr("set another store.path")));
  }
}

TEST_F(StoreDirectory, MustBeWritable) {
  std::filesystem::create_directory(root_ + "/store");
  chmod((root_ + "/store").c_str(), 0555);
  EXPECT_THAT(CheckWithoutRights("store"),
              HasSubstr(root_ + "/store cannot be written by this user (Permission denied)"));
  // Somebody with more rights may make it.
  EXPECT_EQ(CheckWithoutRights("store/a/b"), "");
}

TEST_F(StoreDirectory, MustNotBeHidden) {
  std::filesystem::create_directories(root_ + "/hidden/store");
  chmod((root_ + "/hidden").c_str(), 0600);
  EXPECT_THAT(CheckWithoutRights("hidden/store"), HasSubstr("Permission denied"));
}

TEST_F(StoreDirectory, MustHaveFilesThatCanBeWritten) {
  std::filesystem::create_directory(root_ + "/store");
  chmod((root_ + "/store").c_str(), 0777);
  Write("store/deliveries.db");
  chmod((root_ + "/store/deliveries.db").c_str(), 0444);
  EXPECT_THAT(CheckWithoutRights("store"),
              HasSubstr("deliveries.db cannot be written by this user (Permission denied)"));
  std::filesystem::create_directory(root_ + "/store/deliveries.journal");
  std::filesystem::remove(root_ + "/store/deliveries.db");
  EXPECT_THAT(Check("store"), HasSubstr("deliveries.journal is no file"));
}

}  // namespace
}  // namespace pillion::delivery
