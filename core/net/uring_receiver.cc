#include "core/net/uring_receiver.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "core/check.h"

namespace pillion::net {
namespace {

// Blocks in the kernel's hands, in two groups. The large ones are for connections of which much
// comes, and are there from when the first of these is seen.
constexpr unsigned kBlocks = 128;
constexpr unsigned kLargeBlocks = 32;
constexpr int kBlockGroup = 0;
constexpr int kLargeBlockGroup = 1;
// Bytes of a receive of what goes on and on: both ends can keep pace with that.
constexpr size_t kPiece = 2 * Buffer::kBlockSize;
// After so many receives in a row that bring little, little comes.
constexpr int kShortReceives = 8;
// Blocks that may come before they are asked for without being taken for a flood: an answer often
// stands in the same batch of completions as the end of the send that it answers. Blocks and not
// bytes, however little is in each. The kernel fills up to 32 more before it looks whether it was
// told to stop, so that a connection may pile up 36 of them, 576 KiB.
constexpr size_t kMaxAhead = 4;

absl::Status ErrorOf(const UringHandle& handle) {
  return absl::ErrnoToStatus(handle.error, handle.listens ? "accept" : "receive");
}

void OnPeerClosed(UringHandle& handle) {
  handle.peer_closed = true;
  if (handle.cancel_on_close != nullptr) {
    handle.cancel_on_close->Cancel(absl::AbortedError("the peer closed the connection"));
  }
}

// `error` 0: the peer has sent everything.
void OnEnd(UringHandle& handle, int error) {
  // The kernel ran out of blocks or was told to stop: it will be asked again.
  if (error == ENOBUFS || error == ECANCELED || error == EINTR || error == ECONNABORTED) return;
  if (handle.detached) return;
  handle.error = error;
  if (!handle.listens) {
    handle.ended = handle.readable = true;
    OnPeerClosed(handle);
  }
  if (handle.reader == nullptr || !handle.reader->withdrawn.ok()) return;
  IoOperation& operation = *std::exchange(handle.reader, nullptr);
  operation.result = 0;
  absl::Status status = error == 0 ? absl::OkStatus() : ErrorOf(handle);
  if (handle.listens) handle.error = 0;
  operation.Finish(std::move(status));
}

// What is there already, while it is in the processor's cache. True when the operation ended.
bool ReceiveNow(IoOperation& operation, UringHandle& handle, absl::Status* status) {
  Buffer& buffer = *operation.buffer;
  buffer.Reserve(kPiece);
  const ssize_t got = recv(handle.fd, buffer.tail(), kPiece, MSG_DONTWAIT);
  const int error = errno;
  if (got > 0) buffer.Produce(static_cast<size_t>(got));
  handle.streams = got == static_cast<ssize_t>(kPiece);
  if (buffer.empty()) buffer.Release();
  if (got < 0 && (error == EAGAIN || error == EWOULDBLOCK || error == EINTR)) return false;
  operation.result = std::max<ssize_t>(got, 0);
  if (got > 0) return true;
  OnEnd(handle, got < 0 ? error : 0);
  if (got < 0) *status = ErrorOf(handle);
  return true;
}

void Deliver(IoOperation& operation, Arrival arrival) {
  operation.result += arrival.value;
  if (arrival.block == nullptr) return;
  const auto size = static_cast<size_t>(arrival.value);
  if (operation.buffer->empty()) {
    if (operation.buffer->Adopt(arrival.block, size)) return;
  } else {
    operation.buffer->Append({arrival.block, size});
  }
  arrival.Discard();
}

// One descriptor, or as many of the bytes as a large block holds: passing them on in pieces costs
// more than bringing them together.
void DeliverWaiting(IoOperation& operation, UringHandle& handle) {
  size_t count = 1;
  size_t bytes = 0;
  if (!handle.listens) {
    bytes = static_cast<size_t>(handle.waiting.front().value);
    for (; count < handle.waiting.size(); ++count) {
      const auto next = static_cast<size_t>(handle.waiting[count].value);
      if (bytes + next > Buffer::kBulkBlockSize) break;
      bytes += next;
    }
  }
  if (count == 1) {
    Deliver(operation, handle.waiting.front());
  } else {
    operation.buffer->Reserve(bytes);
    for (size_t i = 0; i < count; ++i) {
      const Arrival& arrival = handle.waiting[i];
      operation.buffer->Append({arrival.block, static_cast<size_t>(arrival.value)});
      arrival.Discard();
    }
    operation.result = static_cast<ssize_t>(bytes);
  }
  handle.waiting.erase(handle.waiting.begin(),
                       handle.waiting.begin() + static_cast<ptrdiff_t>(count));
}

}  // namespace

absl::StatusOr<ReceiveBlocks> UringReceiver::RegisterBlocks(io_uring* ring) {
  return ReceiveBlocks::Register(ring, kBlockGroup, kBlocks, Buffer::kBlockSize);
}

bool UringReceiver::Start(IoOperation& operation, UringHandle& handle, absl::Status* status) {
  PILLION_CHECK(handle.reader == nullptr);
  handle.listens = operation.kind == IoOperation::Kind::kAccept;
  handle.watched = false;
  if (!handle.waiting.empty()) {
    DeliverWaiting(operation, handle);
    handle.readable = handle.ended || !handle.waiting.empty();
    return true;
  }
  if (handle.ended || handle.error != 0) {
    operation.result = 0;
    if (handle.error != 0) *status = ErrorOf(handle);
    if (handle.listens) handle.error = 0;  // the next one is accepted when there is room again
    return true;
  }
  if (handle.streams && !handle.armed && ReceiveNow(operation, handle, status)) return true;
  handle.reader = &operation;
  handle.readable = false;
  Arm(handle);
  return false;
}

// From the next time it is asked, the kernel receives for the connection in bulk.
void UringReceiver::BecomeBulk(UringHandle& handle) {
  if (!large_blocks_.has_value()) {
    absl::StatusOr<ReceiveBlocks> blocks = ReceiveBlocks::Register(
        queue_.get(), kLargeBlockGroup, kLargeBlocks, Buffer::kBulkBlockSize);
    if (!blocks.ok()) return;  // no memory: it goes on in small ones
    large_blocks_.emplace(*std::move(blocks));
    large_blocks_->Fill();
  }
  handle.bulk = true;
  handle.short_receives = 0;
}

// Asks the kernel for what comes in next, and for all that follows unless it is much.
void UringReceiver::Arm(UringHandle& handle) {
  if (handle.armed || handle.ended) return;
  io_uring_sqe* submission = queue_.NewSubmission();
  if (handle.listens) {
    io_uring_prep_multishot_accept(submission, handle.fd, nullptr, nullptr,
                                   SOCK_NONBLOCK | SOCK_CLOEXEC);
  } else if (handle.bulk) {
    io_uring_prep_recv(submission, handle.fd, nullptr, Buffer::kBulkBlockSize, 0);
    submission->flags |= IOSQE_BUFFER_SELECT;
    submission->buf_group = kLargeBlockGroup;
  } else {
    io_uring_prep_recv_multishot(submission, handle.fd, nullptr, 0, 0);
    submission->flags |= IOSQE_BUFFER_SELECT;
    submission->buf_group = kBlockGroup;
  }
  io_uring_sqe_set_data64(submission, Tagged(&handle, kStream));
  handle.armed = true;
  handle.armed_bulk = handle.bulk;
}

void UringReceiver::Stop(UringHandle& handle) {
  if (!handle.armed || handle.stopping) return;
  handle.stopping = true;
  queue_.CancelSubmission(&handle, kStream);
}

void UringReceiver::OnStream(UringHandle& handle, int result, uint32_t flags) {
  if ((flags & IORING_CQE_F_MORE) == 0) handle.armed = handle.stopping = false;
  char* const block = TakeFilled(handle, flags);
  if (result > 0 || (handle.listens && result == 0)) {
    OnArrival(handle, {block, result});
  } else {
    if (block != nullptr) Buffer::GiveBlock(block);
    OnEnd(handle, -result);
  }
  if (handle.armed || handle.detached) return;
  if (handle.reader != nullptr && !handle.reader->withdrawn.ok()) {
    IoOperation& withdrawn = *std::exchange(handle.reader, nullptr);
    withdrawn.Finish(withdrawn.withdrawn);
  }
  const bool quiet = !handle.listens && !handle.bulk && handle.waiting.empty();
  if (handle.reader != nullptr || quiet) Arm(handle);
  KeepWatch(handle);
}

void UringReceiver::KeepWatch(UringHandle& handle) {
  if (!handle.watched || handle.armed || handle.polling || handle.ended) return;
  if (handle.waiting.empty() && !handle.bulk) {
    Arm(handle);
    return;
  }
  io_uring_sqe* submission = queue_.NewSubmission();
  const unsigned events = handle.readable ? POLLRDHUP : POLLRDHUP | POLLIN;
  io_uring_prep_poll_add(submission, handle.fd, events);
  io_uring_sqe_set_data64(submission, Tagged(&handle, kPeer));
  handle.polling = true;
}

void UringReceiver::OnPeer(UringHandle& handle, int result) {
  handle.polling = false;
  if (handle.detached || result <= 0) return;
  if ((result & (POLLRDHUP | POLLHUP | POLLERR)) != 0) {
    handle.readable = true;
    OnPeerClosed(handle);
  } else if (handle.watched) {
    handle.readable = true;
    KeepWatch(handle);
  }
}

// The block with the bytes of a completion; null if it brings none.
char* UringReceiver::TakeFilled(UringHandle& handle, uint32_t flags) {
  if ((flags & IORING_CQE_F_BUFFER) == 0) return nullptr;
  const unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;
  return handle.armed_bulk ? large_blocks_->Take(id) : blocks_.Take(id);
}

void UringReceiver::OnArrival(UringHandle& handle, Arrival arrival) {
  if (handle.detached) {
    arrival.Discard();
    return;
  }
  NoteSize(handle, arrival);
  if (handle.reader != nullptr && handle.reader->withdrawn.ok()) {
    IoOperation& operation = *std::exchange(handle.reader, nullptr);
    Deliver(operation, arrival);
    operation.Finish(absl::OkStatus());
    handle.served = handle.listens ? nullptr : &operation;
    handle.served_in = turn_;
    return;
  }
  // What comes in the same turn goes along: the coroutine has not run yet.
  if (handle.served != nullptr && handle.served_in == turn_ && handle.waiting.empty() &&
      handle.served->buffer->size() + static_cast<size_t>(arrival.value) <=
          Buffer::kBulkBlockSize) {
    Deliver(*handle.served, arrival);
    return;
  }
  handle.waiting.push_back(arrival);
  handle.readable = true;
  if (handle.waiting.size() <= kMaxAhead || handle.listens) return;
  if (!handle.bulk) BecomeBulk(handle);
  Stop(handle);
}

void UringReceiver::NoteSize(UringHandle& handle, const Arrival& arrival) {
  if (handle.listens) return;
  const bool fills_a_block = arrival.value >= static_cast<int>(Buffer::kBlockSize);
  if (!handle.bulk && fills_a_block) {
    BecomeBulk(handle);
    if (handle.bulk) Stop(handle);
  } else if (handle.armed_bulk) {
    handle.streams = arrival.value == static_cast<int>(Buffer::kBulkBlockSize);
    handle.short_receives = fills_a_block ? 0 : handle.short_receives + 1;
    if (handle.short_receives == kShortReceives) handle.bulk = false;
  }
}

}  // namespace pillion::net
