// Reading the text of policy files. No knowledge of what it means: that is load.h.
#ifndef PILLION_CORE_CONFIG_SOURCES_H_
#define PILLION_CORE_CONFIG_SOURCES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace pillion::config {

// One file, read. `name` is the path as the user would type it, for messages.
struct SourceFile {
  std::string name;
  std::string text;
};

// Reads every path: a file as it is, a directory as its *.yaml and *.yml files by name (not those
// whose name starts with '.', not those of subdirectories). The order is that of `paths`, and by
// name within a directory.
//
// Errors name the path and what to do: NOT_FOUND if there is nothing, FAILED_PRECONDITION if there
// is nothing to read in it (an empty directory is more likely a mount that failed than a wish for
// an empty policy), OUT_OF_RANGE above 16 MiB a file, PERMISSION_DENIED and others from the system.
absl::StatusOr<std::vector<SourceFile>> ReadSources(absl::Span<const std::string> paths);

// The largest policy file, in bytes.
inline constexpr size_t kMaxSourceBytes = 16 << 20;

// The whole text of one file; errors as above.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes = kMaxSourceBytes);

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_SOURCES_H_
