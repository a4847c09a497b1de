#include "core/config/kept_file.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "core/config/atomic_file.h"

namespace pillion::config {
namespace {

constexpr absl::Duration kLongestPause = absl::Minutes(1);

}  // namespace

KeptFile::KeptFile(std::string path, absl::Duration first_pause)
    : path_(std::move(path)), first_pause_(first_pause) {}

KeptFile::~KeptFile() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  WriteUnsaved();
}

absl::Status KeptFile::Write(std::string content) {
  std::lock_guard one_at_a_time(write_mutex_);
  absl::Status status = WriteFileAtomically(path_, content);
  std::lock_guard lock(mutex_);
  error_ = std::string(status.message());
  if (status.ok()) {
    unsaved_.reset();
  } else {
    unsaved_ = std::move(content);
    changed_.notify_all();
    if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
  }
  return status;
}

std::string KeptFile::error() const {
  std::lock_guard lock(mutex_);
  return error_;
}

void KeptFile::Run() {
  absl::Duration pause = first_pause_;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (!unsaved_.has_value()) pause = first_pause_;
      changed_.wait(lock, [this] { return stop_ || unsaved_.has_value(); });
      changed_.wait_until(lock, absl::ToChronoTime(absl::Now() + pause), [this] { return stop_; });
      if (stop_) return;
      pause = std::min(pause * 2, kLongestPause);
    }
    WriteUnsaved();
  }
}

void KeptFile::WriteUnsaved() {
  std::lock_guard one_at_a_time(write_mutex_);
  std::string content;
  {
    std::lock_guard lock(mutex_);
    if (!unsaved_.has_value()) return;
    content = *unsaved_;
  }
  const absl::Status status = WriteFileAtomically(path_, content);
  std::lock_guard lock(mutex_);
  error_ = std::string(status.message());
  if (status.ok()) unsaved_.reset();
}

}  // namespace pillion::config
