// The io_uring backend: the kernel does the work and reports.
//
// All operations that a turn of the loop starts go to the kernel in one system call, which also
// waits (uring_queue.h). What comes in is asked for once (uring_receiver.h); what goes out is an
// operation of its own (uring_sender.h).
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
