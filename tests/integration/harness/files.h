// Files of a test: a directory of its own, whole-file reads and writes, and where Bazel put its
// data.

#ifndef PILLION_TESTS_INTEGRATION_HARNESS_FILES_H_
#define PILLION_TESTS_INTEGRATION_HARNESS_FILES_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace pillion::harness {

// A fresh directory, removed with all that is in it at the end of its life.
class TempDir {
 public:
  // Under Bazel's TEST_TMPDIR. Aborts if that is not possible: without a directory there is no
  // test.
  TempDir();
  // With a path so short that Unix domain sockets fit (sun_path has 108 bytes; a sandbox's path may
  // not).
  static TempDir ForSockets();

  TempDir(TempDir&& other) noexcept;
  TempDir& operator=(TempDir&&) = delete;
  ~TempDir();

  const std::string& path() const { return path_; }
  // The path of `name` in it; nothing is created.
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  explicit TempDir(const std::string& parent);

  std::string path_;
};

// Replaces `path` in one step: whoever reads it sees the old content or the new, as with an editor
// that saves by rename. Missing parent directories are created.
absl::Status WriteFileAtomically(const std::string& path, std::string_view content);

// Rewrites `path` in place, as `cat >` does.
absl::Status WriteFileInPlace(const std::string& path, std::string_view content);

absl::StatusOr<std::string> ReadFile(const std::string& path);

// The absolute path of a file that the test names in `data`, given from the root of the repository.
std::string Runfile(std::string_view path);

// The runtime.io with which a test is to run its sidecars: its own backend in a pillion_io_test
// (bazel/io_test.bzl), AUTO in any other.
std::string TestIo();

}  // namespace pillion::harness

#endif  // PILLION_TESTS_INTEGRATION_HARNESS_FILES_H_
