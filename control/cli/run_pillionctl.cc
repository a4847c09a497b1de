#include "control/cli/run_pillionctl.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace pillion::control {
namespace {

namespace fs = std::filesystem;

fs::path Root() { return fs::path(std::getenv("TEST_TMPDIR")); }

std::string ReadAndRemove(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  fs::remove(path);
  return text.str();
}

}  // namespace

std::string TestDirectory() {
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  const fs::path directory = Root() / (std::string(test.test_suite_name()) + "." + test.name());
  fs::remove_all(directory);
  fs::create_directories(directory);
  return directory;
}

void WriteFile(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

Finished RunPillionctl(const std::vector<std::string>& arguments, const std::string& directory) {
  const std::string program = fs::absolute("control/cli/pillionctl");
  const fs::path out = Root() / "out";
  const fs::path err = Root() / "err";
  const pid_t child = fork();
  if (child == 0) {
    std::vector<char*> argv = {const_cast<char*>("pillionctl")};
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    const bool ready = std::freopen(out.c_str(), "w", stdout) != nullptr &&
                       std::freopen(err.c_str(), "w", stderr) != nullptr &&
                       chdir(directory.c_str()) == 0;
    if (ready) execv(program.c_str(), argv.data());
    _exit(127);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  return {WEXITSTATUS(status), ReadAndRemove(out), ReadAndRemove(err)};
}

}  // namespace pillion::control
