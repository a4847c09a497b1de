// What goes out on the io_uring backend: sends and connects. Of one thread, that of the loop.

#ifndef PILLION_CORE_NET_URING_SENDER_H_
#define PILLION_CORE_NET_URING_SENDER_H_

#include "absl/status/status.h"
#include "core/net/io_backend.h"
#include "core/net/uring_queue.h"

namespace pillion::net {

// Starts a send or a connect; as IoBackend::Start. What is left running ends with OnSent().
bool StartSend(UringQueue& queue, IoOperation& operation, absl::Status* status);

// A completion of it. True when the operation ended, with `*status`; else it goes on.
bool OnSent(UringQueue& queue, IoOperation& operation, int result, absl::Status* status);

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_URING_SENDER_H_
