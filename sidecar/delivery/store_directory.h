// Whether a directory can hold a store, without making one of it.
#ifndef PILLION_SIDECAR_DELIVERY_STORE_DIRECTORY_H_
#define PILLION_SIDECAR_DELIVERY_STORE_DIRECTORY_H_

#include <string>

#include "absl/status/status.h"

namespace pillion::delivery {

// Fails if a store at `path` could not be opened by this user for what the file system says now:
// something that is no directory is in its place or above it, or it, or a file of a store in it,
// cannot be written. Creates, opens and locks nothing; a store that is in use is fine.
// FailedPrecondition, with a message that names the path, the cause and the fix.
absl::Status CheckStoreDirectory(const std::string& path);

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_STORE_DIRECTORY_H_
