#include "core/telemetry/line_writer.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace pillion::telemetry {
namespace {

constexpr log::Logger kLog("access_log");
constexpr size_t kBatchBytes = 64 * 1024;
constexpr std::chrono::milliseconds kNap(10);
constexpr std::chrono::seconds kPatienceAtExit(1);

uint64_t CountLines(std::string_view bytes) {
  return static_cast<uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
}

// Signals are for the threads that expect them; and a pipe without a reader is an error, not a
// reason to die.
void BlockAllSignals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

LineWriter::LineWriter(std::string path)
    : path_(std::move(path)), batch_(kBatchBytes), write_failed_(kLog) {
  static_assert(kBatchBytes >= kMaxLine);
}

LineWriter::~LineWriter() {
  stopping_.store(true);
  if (thread_.joinable()) {
    Wake();
    thread_.join();
  }
  if (fd_ >= 0) close(fd_);
  if (wake_fd_ >= 0) close(wake_fd_);
}

absl::Status LineWriter::Start() {
  if (absl::Status opened = OpenFile(); !opened.ok()) return opened;
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd_ < 0) return absl::ErrnoToStatus(errno, "access log: eventfd");
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

LineRing* LineWriter::NewRing(size_t capacity) {
  assert(capacity >= 2 * kMaxLine);
  auto ring = std::make_unique<LineRing>(capacity);
  LineRing* const raw = ring.get();
  std::lock_guard lock(mutex_);
  rings_.push_back(std::move(ring));
  return raw;
}

void LineWriter::Reopen() {
  reopen_.store(true);
  const int saved_errno = errno;  // this may be a signal handler
  Wake();
  errno = saved_errno;
}

uint64_t LineWriter::refused() const {
  std::lock_guard lock(mutex_);
  uint64_t sum = 0;
  for (const auto& ring : rings_) sum += ring->refused();
  return sum;
}

absl::Status LineWriter::OpenFile() {
  // O_NONBLOCK: opening a named pipe must not wait for a reader. It means nothing to a regular
  // file.
  constexpr int kFlags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  const int fd =
      path_ == "-" ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) : open(path_.c_str(), kFlags, 0640);
  if (fd < 0) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("cannot open the access log ", path_ == "-" ? "(stdout)" : path_));
  }
  struct stat status {};
  fstat(fd, &status);
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
  blocks_ = !S_ISREG(status.st_mode);
  torn_ = false;
  return absl::OkStatus();
}

void LineWriter::Run() {
  BlockAllSignals();
  log::SetThreadName("access-log");
  while (true) {
    // Read before draining: whatever was put in before stopping_ was set is still written.
    const bool last_time = stopping_.load();
    const bool found_lines = DrainRings();
    if (last_time) return;
    Sleep(found_lines ? State::kNapping : State::kAsleep);
  }
}

bool LineWriter::DrainRings() {
  bool found = false;
  while (true) {
    ReopenIfAsked();
    const size_t size = FillBatch();
    if (size == 0) return found;
    found = true;
    WriteBatch({batch_.data(), size});
    // With room for another line left, every ring was emptied. What came in since can wait for the
    // next look: many lines in one write are cheaper than one by one.
    if (batch_.size() - size >= kMaxLine) return true;
  }
}

size_t LineWriter::FillBatch() {
  std::lock_guard lock(mutex_);
  size_t size = 0;
  // Another ring is the first each time: under pressure, none is to starve.
  ++turn_;
  for (size_t i = 0; i < rings_.size(); ++i) {
    size += rings_[(turn_ + i) % rings_.size()]->Take(batch_.data() + size, batch_.size() - size);
  }
  return size;
}

void LineWriter::ReopenIfAsked() {
  if (!reopen_.exchange(false) || path_ == "-") return;
  if (absl::Status opened = OpenFile(); !opened.ok())
    kLog.Error(opened.message(), "; keeping the old file");
}

bool LineWriter::AnyRingHolds(double share) const {
  std::lock_guard lock(mutex_);
  return std::any_of(rings_.begin(), rings_.end(), [share](const auto& ring) {
    return static_cast<double>(ring->Waiting()) > share * static_cast<double>(ring->capacity());
  });
}

void LineWriter::Sleep(State state) {
  // Announce first, look then: a producer that puts a line in after the look sees the announcement,
  // and wakes us.
  state_.store(state, std::memory_order_seq_cst);
  if (!AnyRingHolds(state == State::kAsleep ? 0 : 0.5)) {
    pollfd wake{.fd = wake_fd_, .events = POLLIN, .revents = 0};
    poll(&wake, 1, state == State::kAsleep ? -1 : static_cast<int>(kNap.count()));
  }
  state_.store(State::kAwake, std::memory_order_seq_cst);
  ForgetWakeUps();
}

void LineWriter::Wake() {
  constexpr uint64_t kOne = 1;
  [[maybe_unused]] const ssize_t written =
      write(wake_fd_, &kOne, sizeof kOne);  // a full counter wakes as well
}

void LineWriter::ForgetWakeUps() {
  uint64_t ignored;
  [[maybe_unused]] const ssize_t size = read(wake_fd_, &ignored, sizeof ignored);
}

void LineWriter::WriteBatch(std::string_view batch) {
  if (torn_ && WriteSome("\n") != 1) return Lose(batch);
  while (!batch.empty()) {
    const ssize_t written = WriteSome(batch);
    if (written <= 0) return Lose(batch);
    const std::string_view done = batch.substr(0, static_cast<size_t>(written));
    written_.Add(CountLines(done));
    torn_ = done.back() != '\n';  // stays so only if what follows is lost
    batch.remove_prefix(done.size());
  }
}

ssize_t LineWriter::WriteSome(std::string_view bytes) {
  if (blocks_) {
    // A pipe that is ready has room for this much, and takes it in one piece, so that the lines of
    // another writer (the process log, if both go to one pipe) cannot come in between.
    bytes = bytes.substr(0, PIPE_BUF);
    bytes = bytes.substr(0, bytes.rfind('\n') + 1 != 0 ? bytes.rfind('\n') + 1 : bytes.size());
  }
  while (true) {
    if (blocks_ && !WaitUntilWritable()) return -1;
    const ssize_t written = write(fd_, bytes.data(), bytes.size());
    if (written >= 0 || (errno != EINTR && errno != EAGAIN)) return written;
  }
}

bool LineWriter::WaitUntilWritable() {
  while (true) {
    int timeout = -1;
    if (stopping_.load()) {
      const Clock::time_point now = Clock::now();
      if (!give_up_at_) give_up_at_ = now + kPatienceAtExit;
      timeout = static_cast<int>(std::max<int64_t>(
          0, std::chrono::ceil<std::chrono::milliseconds>(*give_up_at_ - now).count()));
    }
    pollfd fds[] = {{.fd = fd_, .events = POLLOUT, .revents = 0},
                    {.fd = wake_fd_, .events = POLLIN, .revents = 0}};
    poll(fds, 2, timeout);
    if (fds[0].revents != 0) return true;
    if (timeout == 0) {
      errno = ETIMEDOUT;
      return false;
    }
    ForgetWakeUps();
  }
}

void LineWriter::Lose(std::string_view lines) {
  const int error = errno;
  lost_.Add(CountLines(lines));
  write_errors_.Add();
  write_failed_.Error("cannot write the access log ", path_, ": ", std::strerror(error), "; ",
                      lost_.Value(), " lines lost so far");
}

}  // namespace pillion::telemetry
