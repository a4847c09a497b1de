// The io_uring backend: the kernel does the work and reports.
//
// What streams in is asked for once: one multishot receive (or accept) stays with the kernel for as
// long as the descriptor is used, and fills blocks of a ring that the backend keeps full. A block
// with data passes whole into the receiver's Buffer. What nobody has asked for yet waits in its
// handle, a few blocks at most; then the kernel is told to stop until there is room again. All
// operations that a turn of the loop starts go to the kernel in one system call, which also waits.
//
// Needs Linux 6.1 (SINGLE_ISSUER with DEFER_TASKRUN; multishot receive).

#ifndef PILLION_CORE_NET_URING_BACKEND_H_
#define PILLION_CORE_NET_URING_BACKEND_H_

#include <memory>

#include "absl/status/statusor.h"
#include "core/net/io_backend.h"

namespace pillion::net {

// Errors say what is missing, and how to get it. May be called on another thread than the one that
// will run the loop.
absl::StatusOr<std::unique_ptr<IoBackend>> CreateUringBackend();

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_URING_BACKEND_H_
