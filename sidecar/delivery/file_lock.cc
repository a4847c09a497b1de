#include "sidecar/delivery/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace pillion::delivery {
namespace {

std::string ReadHolder(int descriptor) {
  char text[32];
  const ssize_t size = pread(descriptor, text, sizeof text, 0);
  std::string holder(text, size > 0 ? static_cast<size_t>(size) : 0);
  absl::StripAsciiWhitespace(&holder);
  return holder.empty() ? "another process" : absl::StrCat("process ", holder);
}

}  // namespace

absl::StatusOr<FileLock> FileLock::Take(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("store ", path, ": cannot be opened (", std::strerror(errno),
                     "); make its directory writable for the sidecar's user, or set another "
                     "store.path"));
  }
  FileLock lock(descriptor);
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    return absl::UnavailableError(
        absl::StrCat(path, ": the store is in use by ", ReadHolder(descriptor),
                     "; stop it, or give this one a store path of its own"));
  }
  // Only for the message above: a lock without a number is as good.
  const std::string holder = absl::StrCat(getpid(), "\n");
  static_cast<void>(ftruncate(descriptor, 0) == 0 &&
                    pwrite(descriptor, holder.data(), holder.size(), 0) > 0);
  return lock;
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace pillion::delivery
