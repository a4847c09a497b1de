#include "core/config/watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/config/content_hash.h"
#include "core/config/path_events.h"

namespace pillion::config {
namespace {

// An edit is often several changes in a row: wait until it is quiet, so as not to act on half of
// it.
constexpr absl::Duration kQuiet = absl::Milliseconds(50);
// But no longer than this, or a file that is written to all the time would never be looked at.
constexpr absl::Duration kLongestSettling = absl::Milliseconds(500);
constexpr absl::Duration kRescan = absl::Seconds(5);
constexpr absl::Duration kRescanWithoutInotify = absl::Seconds(1);

std::vector<std::string> Absolute(const std::vector<std::string>& paths) {
  std::vector<std::string> absolute;
  std::error_code
      ignored;  // only if the working directory is gone, and then the paths cannot be read either
  for (const std::string& path : paths)
    absolute.push_back(std::filesystem::absolute(path, ignored).string());
  return absolute;
}

// Equal for equal outcomes.
std::string Fingerprint(const absl::StatusOr<std::vector<SourceFile>>& files) {
  if (!files.ok()) return files.status().ToString();
  ContentHash hash;
  for (const SourceFile& file : *files) hash.Add(file.name).Add(file.text);
  return hash.Hex();
}

}  // namespace

class FileWatcher::Impl {
 public:
  Impl(std::vector<std::string> paths, Callback callback)
      : paths_(std::move(paths)), callback_(std::move(callback)), events_(Absolute(paths_)) {}

  ~Impl() {
    eventfd_write(stop_, 1);
    if (thread_.joinable()) thread_.join();
    close(stop_);
  }

  void Start() {
    thread_ = std::thread([this] { Run(); });
  }

 private:
  enum class Woken { kStop, kEvents, kTimeout };

  void Run() {
    for (;;) {
      events_.Refresh();
      auto files = ReadSources(paths_);
      // A change while reading may have mixed old and new files.
      if (events_.Drain()) {
        if (!Settle()) return;
        if (absl::Now() < give_up_) continue;
      }
      give_up_ = absl::InfiniteFuture();
      Report(std::move(files));
      if (!WaitForChange() || !Settle()) return;
    }
  }

  // Both return false to stop.
  bool WaitForChange() {
    const absl::Duration rescan = events_.fd() >= 0 ? kRescan : kRescanWithoutInotify;
    const absl::Time deadline = absl::Now() + rescan;
    for (;;) {
      switch (Wait(deadline - absl::Now())) {
        case Woken::kStop:
          return false;
        case Woken::kTimeout:
          return true;
        case Woken::kEvents:
          if (events_.Drain()) return true;
      }
    }
  }

  bool Settle() {
    if (give_up_ == absl::InfiniteFuture()) give_up_ = absl::Now() + kLongestSettling;
    absl::Time quiet_at = absl::Now() + kQuiet;
    for (;;) {
      const absl::Time until = events_.writer_active() ? give_up_ : std::min(quiet_at, give_up_);
      switch (Wait(until - absl::Now())) {
        case Woken::kStop:
          return false;
        case Woken::kTimeout:
          events_.ForgetWriters();
          return true;
        case Woken::kEvents:
          if (events_.Drain()) quiet_at = absl::Now() + kQuiet;
      }
    }
  }

  Woken Wait(absl::Duration timeout) {
    pollfd fds[] = {{stop_, POLLIN, 0},
                    {events_.fd(), POLLIN, 0}};  // poll() skips a negative descriptor
    const auto milliseconds = absl::ToInt64Milliseconds(absl::Ceil(timeout, absl::Milliseconds(1)));
    const int ready = poll(fds, 2, static_cast<int>(std::max<int64_t>(milliseconds, 0)));
    if (fds[0].revents != 0) return Woken::kStop;
    return ready > 0 ? Woken::kEvents : Woken::kTimeout;
  }

  void Report(absl::StatusOr<std::vector<SourceFile>> files) {
    std::string fingerprint = Fingerprint(files);
    if (reported_ == fingerprint) return;
    reported_ = std::move(fingerprint);
    callback_(std::move(files));
  }

  const std::vector<std::string> paths_;
  const Callback callback_;
  PathEvents events_;
  absl::Time give_up_ = absl::InfiniteFuture();  // when to look even though it has not become quiet
  std::optional<std::string> reported_;
  const int stop_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::thread thread_;
};

std::unique_ptr<FileWatcher> FileWatcher::Start(std::vector<std::string> paths, Callback callback) {
  auto impl = std::make_unique<Impl>(std::move(paths), std::move(callback));
  impl->Start();
  return std::unique_ptr<FileWatcher>(new FileWatcher(std::move(impl)));
}

FileWatcher::FileWatcher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FileWatcher::~FileWatcher() = default;

}  // namespace pillion::config
