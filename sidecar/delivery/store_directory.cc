#include "sidecar/delivery/store_directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace pillion::delivery {
namespace {

constexpr std::string_view kFilePrefix = "deliveries.";

std::string Described(const std::string& store, const std::filesystem::path& what,
                      absl::string_view why) {
  return absl::StrCat("store.path ", store, ": ", what.native(), " ", why);
}

absl::Status Unusable(const std::string& store, const std::filesystem::path& what,
                      absl::string_view why) {
  return absl::FailedPreconditionError(
      absl::StrCat(Described(store, what, why), "; move it away, or set another store.path"));
}

absl::Status Forbidden(const std::string& store, const std::filesystem::path& what, int error) {
  return absl::PermissionDeniedError(absl::StrCat(
      Described(store, what, "cannot be written by this user"), " (", std::strerror(error),
      "); if the sidecar runs as the same, mend that, or set another store.path"));
}

// The user that counts is the effective one.
bool MayUse(const std::filesystem::path& path, int mode) {
  return faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) == 0;
}

}  // namespace

absl::Status CheckStoreDirectory(const std::string& path) {
  std::error_code error;
  std::filesystem::path directory = std::filesystem::absolute(path, error).lexically_normal();
  if (!directory.has_filename()) directory = directory.parent_path();  // "store/"
  const std::filesystem::path store = directory;
  while (!std::filesystem::exists(directory, error) && directory.has_relative_path()) {
    if (error == std::errc::permission_denied) return Forbidden(path, directory, EACCES);
    directory = directory.parent_path();
  }
  if (!std::filesystem::is_directory(directory, error)) {
    return Unusable(path, directory, "is no directory");
  }
  if (directory != store) return absl::OkStatus();
  if (!MayUse(directory, W_OK | X_OK)) return Forbidden(path, directory, errno);
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (!entry.path().filename().native().starts_with(kFilePrefix)) continue;
    if (!entry.is_regular_file(error)) return Unusable(path, entry.path(), "is no file");
    if (!MayUse(entry.path(), R_OK | W_OK)) return Forbidden(path, entry.path(), errno);
  }
  return absl::OkStatus();
}

}  // namespace pillion::delivery
