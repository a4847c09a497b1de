#include "core/net/uring_sender.h"

#include <sys/socket.h>

#include <cerrno>

#include "core/net/buffer.h"

namespace pillion::net {
namespace {

// At once, as there is nothing to wait for: a Unix socket whose backlog is full refuses.
bool ConnectNow(IoOperation& operation, absl::Status* status) {
  if (connect(operation.handle->fd, operation.address, operation.address_length) != 0) {
    *status = absl::ErrnoToStatus(errno, "connect");
  }
  return true;
}

// Much is sent at once, while it is in the processor's cache: that saves more than doing it with
// others. True when the operation ended.
bool SendNow(IoOperation& operation, absl::Status* status) {
  size_t bytes = 0;
  for (int i = 0; i < operation.piece_count; ++i) bytes += operation.pieces[i].iov_len;
  if (bytes < Buffer::kBlockSize) return false;
  msghdr message{};
  message.msg_iov = operation.pieces.data();
  message.msg_iovlen = static_cast<size_t>(operation.piece_count);
  const ssize_t sent = sendmsg(operation.handle->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent >= 0) {
    operation.Advance(static_cast<size_t>(sent));
    return static_cast<size_t>(sent) == bytes;
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return false;
  *status = absl::ErrnoToStatus(errno, "send");
  return true;
}

// False when all is sent.
bool SubmitSend(UringQueue& queue, IoOperation& operation) {
  iovec* first = operation.pieces.data();
  iovec* const end = first + operation.piece_count;
  while (first != end && first->iov_len == 0) ++first;
  if (first == end) return false;
  // Not MSG_WAITALL: a send that has been withdrawn could go on for as long as it makes progress.
  constexpr unsigned kFlags = MSG_NOSIGNAL;
  io_uring_sqe* submission = queue.NewSubmission();
  const int fd = operation.handle->fd;
  if (first + 1 == end) {
    io_uring_prep_send(submission, fd, first->iov_base, first->iov_len, kFlags);
  } else {
    operation.message = {};
    operation.message.msg_iov = first;
    operation.message.msg_iovlen = static_cast<size_t>(end - first);
    io_uring_prep_sendmsg(submission, fd, &operation.message, kFlags);
  }
  io_uring_sqe_set_data64(submission, Tagged(&operation, kOperation));
  return true;
}

}  // namespace

bool StartSend(UringQueue& queue, IoOperation& operation, absl::Status* status) {
  if (operation.kind != IoOperation::Kind::kConnect) {
    return SendNow(operation, status) || !SubmitSend(queue, operation);
  }
  if (operation.address->sa_family == AF_UNIX) return ConnectNow(operation, status);
  io_uring_sqe* submission = queue.NewSubmission();
  io_uring_prep_connect(submission, operation.handle->fd, operation.address,
                        operation.address_length);
  io_uring_sqe_set_data64(submission, Tagged(&operation, kOperation));
  return false;
}

bool OnSent(UringQueue& queue, IoOperation& operation, int result, absl::Status* status) {
  const bool connects = operation.kind == IoOperation::Kind::kConnect;
  *status = operation.withdrawn;
  if (status->ok() && result < 0) {
    *status = absl::ErrnoToStatus(-result, connects ? "connect" : "send");
  }
  if (!status->ok() || connects) return true;
  operation.Advance(static_cast<size_t>(result));
  return !SubmitSend(queue, operation);
}

}  // namespace pillion::net
