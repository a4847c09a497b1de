// A real program under test: started, watched, signalled, and never left behind.
//
//   auto sidecar = Process::Start({.arguments = {Runfile("sidecar/pillion-sidecar"), "--config",
//   config}}); ASSERT_TRUE(sidecar.ok()) << sidecar.status(); auto port =
//   (*sidecar)->WaitForOutput("admin on 127.0.0.1:([0-9]+)");
//   ...
//   (*sidecar)->Signal(SIGTERM);
//   EXPECT_EQ((*sidecar)->WaitForExit().value(), ExitStatus::Code(0));

#ifndef PILLION_TESTS_INTEGRATION_HARNESS_PROCESS_H_
#define PILLION_TESTS_INTEGRATION_HARNESS_PROCESS_H_

#include <sys/types.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/integration/harness/deadline.h"
#include "tests/integration/harness/unique_fd.h"

namespace pillion::harness {

// How a process ended: by exit(code), or killed by a signal.
struct ExitStatus {
  static ExitStatus Code(int code) { return {code, 0}; }
  static ExitStatus Signal(int signal) { return {0, signal}; }

  int code = 0;
  int signal = 0;  // 0: it exited.

  bool operator==(const ExitStatus&) const = default;
};
std::string ToString(const ExitStatus& status);
std::ostream& operator<<(std::ostream& out, const ExitStatus& status);

// Thread-safe. The process leads a process group of its own, so that what it starts ends with it.
class Process {
 public:
  struct Options {
    std::vector<std::string> arguments = {};  // The first is the program, looked up in PATH.
    std::map<std::string, std::string> environment = {};  // In addition to the test's own.
    std::string directory = {};                           // To run in; empty: the test's.
  };

  // Standard input is /dev/null. Fails if the program cannot be executed. The kernel kills the
  // process when the *thread* that called Start ends, however it ends: call it from a thread that
  // lives on.
  static absl::StatusOr<std::unique_ptr<Process>> Start(Options options);

  // Kills the whole process group.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Stays the process's own, even after its end, for the life of this object.
  pid_t pid() const { return pid_; }

  // The lines that it wrote so far: to both standard output and standard error, in the order they
  // were read; and to standard output alone.
  std::string Output() const;
  std::string Stdout() const;

  // Waits until a line of Output() from byte `after` on matches the RE2 `pattern` somewhere (^ and
  // $ are those of the line), and returns the first group, or the whole match if the pattern has no
  // group.
  // Fails at the deadline, and as soon as the process has ended without it.
  absl::StatusOr<std::string> WaitForOutput(const std::string& pattern, size_t after = 0,
                                            Deadline deadline = {}) const;

  void Signal(int signal);
  void SignalGroup(int signal);  // As the terminal does on Ctrl-C.

  bool Running() const;
  // Once it has returned, Output() is complete.
  absl::StatusOr<ExitStatus> WaitForExit(Deadline deadline = {}) const;

 private:
  Process(pid_t pid, UniqueFd out, UniqueFd err, UniqueFd wake_reader, UniqueFd wake);

  void ReadOutput(UniqueFd out, UniqueFd err, UniqueFd wake);
  void AwaitExit();

  const pid_t pid_;
  UniqueFd wake_reader_;  // Closed to end the reader even if something still holds the pipes open.

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::string output_;
  std::string stdout_;
  bool output_ended_ = false;
  std::optional<ExitStatus> exit_status_;

  std::thread reader_;
  std::thread waiter_;
};

struct Finished {
  ExitStatus status;
  std::string out;     // Standard output.
  std::string output;  // Standard output and standard error.
};
// Runs a program to its end.
absl::StatusOr<Finished> RunToEnd(Process::Options options, Deadline deadline = {});

// Memory of a process that is in RAM now, in bytes (VmRSS of proc(5)).
absl::StatusOr<uint64_t> ResidentBytes(pid_t pid);

}  // namespace pillion::harness

#endif  // PILLION_TESTS_INTEGRATION_HARNESS_PROCESS_H_
