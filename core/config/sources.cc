#include "core/config/sources.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/config/utf8.h"

namespace pillion::config {
namespace {

absl::Status SystemError(int error, const std::string& path, const char* what) {
  if (error == ENOENT || error == ENOTDIR) {
    return absl::NotFoundError(absl::StrCat(
        path, ": no such file or directory; create it, or correct the path in the configuration"));
  }
  if (error == EACCES) {
    return absl::PermissionDeniedError(
        absl::StrCat(path, ": permission denied; let the user that runs this process read it"));
  }
  return absl::ErrnoToStatus(error, absl::StrCat(path, ": cannot ", what));
}

bool IsPolicyFileName(const std::string& name) {
  return !absl::StartsWith(name, ".") &&
         (absl::EndsWith(name, ".yaml") || absl::EndsWith(name, ".yml"));
}

absl::StatusOr<std::vector<std::string>> FilesIn(const std::string& directory) {
  std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(directory.c_str()), closedir);
  if (dir == nullptr) return SystemError(errno, directory, "read the directory");
  std::vector<std::string> files;
  while (const dirent* entry = readdir(dir.get())) {
    if (!IsPolicyFileName(entry->d_name)) continue;
    if (FindInvalidUtf8(entry->d_name) != std::string_view::npos) {
      return absl::FailedPreconditionError(
          absl::StrCat(directory, ": the name of a file is not UTF-8: '",
                       absl::CHexEscape(entry->d_name), "'; rename it"));
    }
    const std::string path = absl::EndsWith(directory, "/")
                                 ? absl::StrCat(directory, entry->d_name)
                                 : absl::StrCat(directory, "/", entry->d_name);
    struct stat info;
    // A dangling link is kept: that it cannot be read should be said.
    if (stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) continue;
    files.push_back(path);
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  const int fd =
      open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // O_NONBLOCK: a FIFO must not hang us
  if (fd < 0) return SystemError(errno, path, "open");
  std::unique_ptr<const int, void (*)(const int*)> closer(&fd, [](const int* f) { close(*f); });
  struct stat info;
  if (fstat(fd, &info) != 0) return SystemError(errno, path, "stat");
  if (!S_ISREG(info.st_mode))
    return absl::FailedPreconditionError(absl::StrCat(path, ": not a regular file"));
  std::string text;
  char buffer[64 * 1024];
  for (;;) {
    const ssize_t size = read(fd, buffer, sizeof buffer);
    if (size == 0) return text;
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return SystemError(errno, path, "read");
    if (text.size() + size > max_bytes) {
      return absl::OutOfRangeError(absl::StrCat(path, ": larger than ", max_bytes >> 20,
                                                " MiB; split it into several files"));
    }
    text.append(buffer, size);
  }
}

absl::StatusOr<std::vector<SourceFile>> ReadSources(absl::Span<const std::string> paths) {
  std::vector<SourceFile> sources;
  for (const std::string& path : paths) {
    struct stat info;
    if (stat(path.c_str(), &info) != 0) return SystemError(errno, path, "stat");
    std::vector<std::string> files = {path};
    if (S_ISDIR(info.st_mode)) {
      auto listed = FilesIn(path);
      if (!listed.ok()) return listed.status();
      if (listed->empty()) {
        return absl::FailedPreconditionError(absl::StrCat(
            path, ": the directory has no *.yaml or *.yml file; put the policy there"));
      }
      files = *std::move(listed);
    }
    for (const std::string& file : files) {
      auto text = ReadFile(file);
      if (!text.ok()) return text.status();
      sources.push_back({file, *std::move(text)});
    }
  }
  return sources;
}

}  // namespace pillion::config
