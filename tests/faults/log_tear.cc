#include "tests/faults/log_tear.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "tests/integration/harness/unique_fd.h"

namespace pillion::faults {
namespace {

constexpr int64_t kSector = 512;

}  // namespace

absl::StatusOr<std::string> TearUnsynced(const std::string& file, int64_t begin, int64_t end,
                                         std::mt19937_64& random) {
  const harness::UniqueFd fd(open(file.c_str(), O_RDWR | O_CLOEXEC));
  struct stat status = {};
  if (!fd || fstat(fd.get(), &status) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", file));
  }
  const int64_t size = status.st_size;
  end = std::min(end, size);
  if (begin >= end) return std::string();
  const auto below = [&](int64_t bound) {
    return std::uniform_int_distribution<int64_t>(0, bound - 1)(random);
  };
  int64_t from = begin + below(end - begin);
  int64_t to = end;
  std::string how;
  std::string bytes;
  const int64_t way = below(4);
  if (way == 0 && end == size) {
    // Older bytes behind it would have been confirmed, so only then.
    if (ftruncate(fd.get(), from) != 0) return absl::ErrnoToStatus(errno, "cannot cut " + file);
    return absl::StrCat("cut off bytes ", from, " to ", to);
  }
  if (way == 1) {
    how = "zeros in bytes ";
    bytes.assign(static_cast<size_t>(to - from), '\0');
  } else {
    if (way == 2) {
      from = std::max(begin, from / kSector * kSector);
      to = std::min(end, (from / kSector + 1) * kSector);
    }
    how = "garbage in bytes ";
    for (int64_t i = from; i < to; ++i) bytes += static_cast<char>(random());
  }
  if (pwrite(fd.get(), bytes.data(), bytes.size(), from) != to - from) {
    return absl::ErrnoToStatus(errno, "cannot write to " + file);
  }
  return absl::StrCat(how, from, " to ", to, " of [", begin, ", ", end, ")");
}

}  // namespace pillion::faults
