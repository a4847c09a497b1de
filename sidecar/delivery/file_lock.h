// A file that only one process may hold at a time.
#ifndef PILLION_SIDECAR_DELIVERY_FILE_LOCK_H_
#define PILLION_SIDECAR_DELIVERY_FILE_LOCK_H_

#include <string>

#include "absl/status/statusor.h"

namespace pillion::delivery {

// Held until destroyed, or until the process ends in whatever way. The file itself stays, and has
// the number of the process that held it last.
class FileLock {
 public:
  // Unavailable, naming the process, if another holder has it; also another one in this process.
  static absl::StatusOr<FileLock> Take(const std::string& path);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_FILE_LOCK_H_
