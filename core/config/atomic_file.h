// Replacing a file so that a crash at any moment leaves the old content or the new, never half of
// one.
#ifndef PILLION_CORE_CONFIG_ATOMIC_FILE_H_
#define PILLION_CORE_CONFIG_ATOMIC_FILE_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace pillion::config {

// Makes the directory of `path` if it is missing, writes `content` beside `path`, syncs, renames
// over it and syncs the directory. When it returns OK the content is durable. The file is readable
// by its owner only. Errors name the path and the system's reason; the old content is then still
// there. REQUIRES: one writer at a time per path.
absl::Status WriteFileAtomically(const std::string& path, std::string_view content);

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_ATOMIC_FILE_H_
