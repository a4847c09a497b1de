// The epoll backend: edge-triggered, each descriptor registered once.
//
// An operation is tried at once unless the last look showed that it would only be refused: a
// receive that filled less than its room has emptied the socket, so the next one waits for an edge
// instead of asking for EAGAIN. That leaves two system calls a side for a small exchange.
//
// When many events come at once, small sends wait for the end of the turn and are handed to the
// kernel together (send_batch.h), where that can be had: that saves a forwarded call a tenth of its
// CPU time.

#ifndef PILLION_CORE_NET_EPOLL_BACKEND_H_
#define PILLION_CORE_NET_EPOLL_BACKEND_H_

#include <memory>

#include "absl/status/statusor.h"
#include "core/net/io_backend.h"

namespace pillion::net {

absl::StatusOr<std::unique_ptr<IoBackend>> CreateEpollBackend();

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_EPOLL_BACKEND_H_
