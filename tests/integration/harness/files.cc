#include "tests/integration/harness/files.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace pillion::harness {
namespace {

std::string FromEnvironment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

}  // namespace

TempDir::TempDir() : TempDir(FromEnvironment("TEST_TMPDIR", "/tmp")) {}

TempDir TempDir::ForSockets() { return TempDir(std::string("/tmp")); }

TempDir::TempDir(const std::string& parent) : path_(parent + "/pillion-XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr) {
    std::perror(path_.c_str());
    std::abort();
  }
}

TempDir::TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}

TempDir::~TempDir() {
  std::error_code ignored;  // What is left of it is in a temporary directory anyway.
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

absl::Status WriteFileInPlace(const std::string& path, std::string_view content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  file.close();
  if (!file) return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
  return absl::OkStatus();
}

absl::Status WriteFileAtomically(const std::string& path, std::string_view content) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat("no directory for ", path));
  const std::string draft = path + ".new";
  if (absl::Status written = WriteFileInPlace(draft, content); !written.ok()) return written;
  if (std::rename(draft.c_str(), path.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot rename to ", path));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string content;
  // A read may fail: a file of /proc ends with its process.
  for (char block[4096]; file.read(block, sizeof(block)) || file.gcount() > 0;) {
    content.append(block, static_cast<size_t>(file.gcount()));
  }
  if (!file.eof()) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
  return content;
}

std::string Runfile(std::string_view path) {
  const std::string root = absl::StrCat(FromEnvironment("TEST_SRCDIR", "."), "/",
                                        FromEnvironment("TEST_WORKSPACE", "."));
  return absl::StrCat(root, "/", std::string(path));
}

std::string TestIo() { return FromEnvironment("PILLION_TEST_IO", "AUTO"); }

}  // namespace pillion::harness
