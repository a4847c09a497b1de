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

absl::Status Unusable(const std::string& store, const std::filesystem::path& what,
                      std::string_view why) {
  return absl::FailedPreconditionError(absl::StrCat(
      "store.path ", store, ": ", what.native(), " ", absl::string_view(why.data(), why.size()),
      "; mend that for the user that the sidecar runs as, or set another store.path"));
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
  // What is not there yet is made in what is.
  while (!std::filesystem::exists(directory, error) && directory.has_relative_path()) {
    if (error && error != std::errc::not_a_directory) {
      return Unusable(path, directory, absl::StrCat("cannot be looked at (", error.message(), ")"));
    }
    directory = directory.parent_path();
  }
  if (!std::filesystem::is_directory(directory, error)) {
    return Unusable(path, directory, "is no directory");
  }
  if (!MayUse(directory, W_OK | X_OK)) {
    return Unusable(path, directory,
                    absl::StrCat("cannot be written (", std::strerror(errno), ")"));
  }
  // A parent may have files of that name, too: they are no business of this store.
  if (!std::filesystem::equivalent(directory, path, error)) return absl::OkStatus();
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (!entry.path().filename().native().starts_with(kFilePrefix)) continue;
    if (!entry.is_regular_file(error)) return Unusable(path, entry.path(), "is no file");
    if (!MayUse(entry.path(), R_OK | W_OK)) {
      return Unusable(path, entry.path(),
                      absl::StrCat("cannot be written (", std::strerror(errno), ")"));
    }
  }
  return absl::OkStatus();
}

}  // namespace pillion::delivery
