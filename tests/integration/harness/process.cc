#include "tests/integration/harness/process.h"

#include <fcntl.h>
#include <poll.h>
#include <re2/re2.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/integration/harness/files.h"

namespace pillion::harness {
namespace {

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

// Close-on-exec, so that no other process started meanwhile holds an end open.
absl::StatusOr<Pipe> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "cannot make a pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// An array of C strings for execve, ended by a null pointer. The strings must outlive it.
std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> Environment(const std::map<std::string, std::string>& added) {
  std::vector<std::string> lines;
  for (char** line = environ; *line != nullptr; ++line) {
    const std::string_view text = *line;
    if (!added.contains(std::string(text.substr(0, text.find('='))))) lines.emplace_back(text);
  }
  for (const auto& [name, value] : added) lines.push_back(absl::StrCat(name, "=", value));
  return lines;
}

struct ChildSetup {
  std::vector<char*> arguments;
  std::vector<char*> environment;
  const char* directory;  // nullptr: unchanged.
  pid_t parent;
  int out;
  int err;
  int exec_error;  // errno is written here if the program cannot be executed.
};

// Runs in the forked child of a program with threads: nothing but system calls is allowed.
[[noreturn]] void BecomeProgram(const ChildSetup& setup) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != setup.parent) _exit(1);  // The parent died before it could be watched.
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);

  const int null = open("/dev/null", O_RDONLY);
  const bool ready = null >= 0 && dup2(null, 0) >= 0 && dup2(setup.out, 1) >= 0 &&
                     dup2(setup.err, 2) >= 0 &&
                     (setup.directory == nullptr || chdir(setup.directory) == 0);
  if (ready) execvpe(setup.arguments[0], setup.arguments.data(), setup.environment.data());
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(setup.exec_error, &error, sizeof(error));
  _exit(127);
}

}  // namespace

std::string ToString(const ExitStatus& status) {
  if (status.signal != 0) return absl::StrCat("killed by signal ", status.signal);
  return absl::StrCat("exit status ", status.code);
}

std::ostream& operator<<(std::ostream& out, const ExitStatus& status) {
  return out << ToString(status);
}

absl::StatusOr<std::unique_ptr<Process>> Process::Start(Options options) {
  if (options.arguments.empty()) return absl::InvalidArgumentError("no program is named");
  absl::StatusOr<Pipe> out = MakePipe(), err = MakePipe(), exec_error = MakePipe(),
                       wake = MakePipe();
  for (const auto* pipe : {&out, &err, &exec_error, &wake}) {
    if (!pipe->ok()) return pipe->status();
  }

  std::vector<std::string> environment = Environment(options.environment);
  const ChildSetup setup = {
      .arguments = Pointers(options.arguments),
      .environment = Pointers(environment),
      .directory = options.directory.empty() ? nullptr : options.directory.c_str(),
      .parent = getpid(),
      .out = out->write_end.get(),
      .err = err->write_end.get(),
      .exec_error = exec_error->write_end.get(),
  };
  const pid_t pid = fork();
  if (pid < 0) return absl::ErrnoToStatus(errno, "cannot fork");
  if (pid == 0) BecomeProgram(setup);

  // The pipe closes, empty, when the program has been executed.
  exec_error->write_end.Close();
  int error = 0;
  if (read(exec_error->read_end.get(), &error, sizeof(error)) == sizeof(error)) {
    waitpid(pid, nullptr, 0);
    return absl::ErrnoToStatus(error, absl::StrCat("cannot run ", options.arguments[0]));
  }
  return std::unique_ptr<Process>(new Process(pid, std::move(out->read_end),
                                              std::move(err->read_end), std::move(wake->write_end),
                                              std::move(wake->read_end)));
}

Process::Process(pid_t pid, UniqueFd out, UniqueFd err, UniqueFd wake_reader, UniqueFd wake)
    : pid_(pid), wake_reader_(std::move(wake_reader)) {
  reader_ =
      std::thread(&Process::ReadOutput, this, std::move(out), std::move(err), std::move(wake));
  waiter_ = std::thread(&Process::AwaitExit, this);
}

Process::~Process() {
  // The ended process is not reaped until here, so that its ids cannot have passed to another.
  SignalGroup(SIGKILL);
  waiter_.join();
  waitpid(pid_, nullptr, 0);
  wake_reader_.Close();
  reader_.join();
}

void Process::ReadOutput(UniqueFd out, UniqueFd err, UniqueFd wake) {
  pollfd polled[] = {{out.get(), POLLIN, 0}, {err.get(), POLLIN, 0}, {wake.get(), POLLIN, 0}};
  char buffer[16 * 1024];
  std::string unfinished[2];  // Of each, the line whose end has not been read.
  while (polled[0].fd >= 0 || polled[1].fd >= 0) {
    if (poll(polled, 3, -1) < 0) continue;  // EINTR.
    bool read_something = false;
    for (int i : {0, 1}) {
      if (polled[i].fd < 0 || polled[i].revents == 0) continue;
      const ssize_t size = read(polled[i].fd, buffer, sizeof(buffer));
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) {
        polled[i].fd = -1;  // Its end; poll ignores it from now on.
        continue;
      }
      read_something = true;
      unfinished[i].append(buffer, size);
      const size_t lines_end = unfinished[i].rfind('\n') + 1;  // 0: there is none.
      if (lines_end == 0) continue;
      std::lock_guard lock(mutex_);
      output_.append(unfinished[i], 0, lines_end);
      if (i == 0) stdout_.append(unfinished[i], 0, lines_end);
      unfinished[i].erase(0, lines_end);
      changed_.notify_all();
    }
    if (!read_something && polled[2].revents != 0) break;
  }
  std::lock_guard lock(mutex_);
  output_ += unfinished[0] + unfinished[1];
  stdout_ += unfinished[0];
  output_ended_ = true;
  changed_.notify_all();
}

void Process::AwaitExit() {
  siginfo_t info = {};
  while (waitid(P_PID, pid_, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  std::lock_guard lock(mutex_);
  exit_status_ = info.si_code == CLD_EXITED ? ExitStatus::Code(info.si_status)
                                            : ExitStatus::Signal(info.si_status);
  changed_.notify_all();
}

std::string Process::Output() const {
  std::lock_guard lock(mutex_);
  return output_;
}

std::string Process::Stdout() const {
  std::lock_guard lock(mutex_);
  return stdout_;
}

absl::StatusOr<std::string> Process::WaitForOutput(const std::string& pattern, size_t after,
                                                   Deadline deadline) const {
  const RE2 regex(absl::StrCat("(?m)", pattern));
  if (!regex.ok()) return absl::InvalidArgumentError(regex.error());
  const int group = regex.NumberOfCapturingGroups() > 0 ? 1 : 0;

  std::unique_lock lock(mutex_);
  while (true) {
    const bool late = deadline.Passed();  // Asked before the last look.
    re2::StringPiece groups[2];
    if (after <= output_.size() &&
        regex.Match(output_, after, output_.size(), RE2::UNANCHORED, groups, group + 1)) {
      return std::string(groups[group]);
    }
    after = std::max(after, output_.size());  // A busy process writes much: look at a line once.
    if (output_ended_ && exit_status_) {
      return absl::AbortedError(absl::StrCat("the process ended (", ToString(*exit_status_),
                                             ") without '", pattern, "' in its output:\n",
                                             output_));
    }
    if (late) {
      return absl::DeadlineExceededError(
          absl::StrCat("no '", pattern, "' in the output in time:\n", output_));
    }
    changed_.wait_until(lock, deadline.at());
  }
}

void Process::Signal(int signal) { kill(pid_, signal); }

void Process::SignalGroup(int signal) { kill(-pid_, signal); }

bool Process::Running() const {
  std::lock_guard lock(mutex_);
  return !exit_status_.has_value();
}

absl::StatusOr<ExitStatus> Process::WaitForExit(Deadline deadline) const {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_until(lock, deadline.at(), [this] { return exit_status_.has_value(); })) {
    return absl::DeadlineExceededError(
        absl::StrCat("the process is still running; its output:\n", output_));
  }
  // A grandchild may hold the pipes open, hence the limit.
  changed_.wait_for(lock, std::chrono::seconds(1), [this] { return output_ended_; });
  return *exit_status_;
}

absl::StatusOr<Finished> RunToEnd(Process::Options options, Deadline deadline) {
  auto process = Process::Start(std::move(options));
  if (!process.ok()) return process.status();
  auto status = (*process)->WaitForExit(deadline);
  if (!status.ok()) return status.status();
  return Finished{*status, (*process)->Stdout(), (*process)->Output()};
}

absl::StatusOr<uint64_t> ResidentBytes(pid_t pid) {
  const auto status = ReadFile(absl::StrCat("/proc/", pid, "/status"));
  if (!status.ok()) return status.status();
  uint64_t kib = 0;
  if (!RE2::PartialMatch(*status, "VmRSS:\\s*([0-9]+) kB", &kib)) {
    return absl::NotFoundError(absl::StrCat("process ", pid, " has no memory: it has ended"));
  }
  return kib * 1024;
}

}  // namespace pillion::harness
