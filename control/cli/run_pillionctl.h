// Runs the real pillionctl, for tests.
#ifndef PILLION_CONTROL_CLI_RUN_PILLIONCTL_H_
#define PILLION_CONTROL_CLI_RUN_PILLIONCTL_H_

#include <string>
#include <vector>

namespace pillion::control {

struct Finished {
  int status;
  std::string out;
  std::string err;
};

// Runs pillionctl in `directory` until it ends.
Finished RunPillionctl(const std::vector<std::string>& arguments, const std::string& directory);

// An empty directory of the running test case.
std::string TestDirectory();

void WriteFile(const std::string& path, const std::string& text);

}  // namespace pillion::control

#endif  // PILLION_CONTROL_CLI_RUN_PILLIONCTL_H_
