// Whether a directory can hold a store, without making one of it.
#ifndef PILLION_SIDECAR_DELIVERY_STORE_DIRECTORY_H_
#define PILLION_SIDECAR_DELIVERY_STORE_DIRECTORY_H_

#include <string>

#include "absl/status/status.h"

namespace pillion::delivery {

// Creates, opens and locks nothing; a store that is in use is fine, and so is one that is not there
// yet: whoever installs the sidecar may make it. Errors name the path, the cause and the fix.
// FailedPrecondition: something else is in its place, in that of a directory above it or of one of
// its files. PermissionDenied: this user, who may be another one than the sidecar's, cannot write
// the directory or a file of the store.
absl::Status CheckStoreDirectory(const std::string& path);

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_STORE_DIRECTORY_H_
