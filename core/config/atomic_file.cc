#include "core/config/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"

namespace pillion::config {
namespace {

absl::Status WriteAndSync(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot write"));
    content.remove_prefix(written);
  }
  if (fsync(fd) != 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot sync"));
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat(directory, ": cannot open"));
  const int result = fsync(fd);
  const int error = errno;
  close(fd);
  if (result != 0) return absl::ErrnoToStatus(error, absl::StrCat(directory, ": cannot sync"));
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteFileAtomically(const std::string& path, std::string_view content) {
  std::string directory = std::filesystem::path(path).parent_path().string();
  if (directory.empty()) directory = ".";
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error)
    return absl::ErrnoToStatus(error.value(),
                               absl::StrCat(directory, ": cannot create the directory"));

  const std::string beside = absl::StrCat(path, ".new");
  const int fd = open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat(beside, ": cannot create"));
  absl::Status status = WriteAndSync(fd, content, beside);
  if (close(fd) != 0 && status.ok())
    status = absl::ErrnoToStatus(errno, absl::StrCat(beside, ": cannot close"));
  if (status.ok() && rename(beside.c_str(), path.c_str()) != 0) {
    status = absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot replace"));
  }
  if (!status.ok()) {
    unlink(beside.c_str());
    return status;
  }
  return SyncDirectory(directory);
}

}  // namespace pillion::config
