#include "core/net/uring_backend.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/net/buffer.h"
#include "core/net/receive_blocks.h"
#include "core/net/uring_setup.h"

namespace pillion::net {
namespace {

constexpr unsigned kSubmissions = 1024;
constexpr unsigned kCompletions = 8192;
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

// Whom a completion is for: the low bits of its user data, which is a pointer otherwise.
enum Tag : uint64_t { kOperation, kStream, kPeer, kWake, kNobody };
constexpr uint64_t kTagMask = 7;

uint64_t Tagged(const void* pointer, Tag tag) { return reinterpret_cast<uint64_t>(pointer) | tag; }

// Something that came in: a block with bytes, or an accepted descriptor.
struct Arrival {
  char* block;  // null: a descriptor
  int value;    // bytes, or the descriptor

  void Discard() const {
    if (block != nullptr) {
      Buffer::GiveBlock(block);
    } else {
      close(value);
    }
  }
};

struct UringHandle : IoHandle {
  bool listens = false;     // what comes in are connections
  bool bulk = false;        // much comes: receive one by one, into large blocks
  bool streams = false;     // and the last receive took all that it had room for
  bool armed = false;       // an accept or receive is with the kernel
  bool armed_bulk = false;  // and it is such a one
  bool stopping = false;    // and so is its cancellation
  bool watched = false;     // its end is to be noticed, whether anything is received or not
  bool polling = false;     // a poll for its end, or for bytes, is with the kernel
  bool ended = false;       // nothing more will come in
  bool detached = false;    // waits only for the kernel to let go
  int error = 0;            // how it ended, or why accepting failed; 0: orderly
  IoOperation* reader = nullptr;
  IoOperation* writer = nullptr;
  IoOperation* served = nullptr;  // the reader that got something in the turn `served_in`
  uint64_t served_in = 0;
  int short_receives = 0;        // in bulk, in a row
  std::vector<Arrival> waiting;  // what nobody has asked for yet
  UringHandle* previous_closing = nullptr;
  UringHandle* next_closing = nullptr;

  ~UringHandle() {
    for (const Arrival& arrival : waiting) arrival.Discard();
    close(fd);
  }
};

bool IsReader(const IoOperation& operation) {
  return operation.kind == IoOperation::Kind::kReceive ||
         operation.kind == IoOperation::Kind::kAccept;
}

}  // namespace

class UringBackend final : public IoBackend {
 public:
  UringBackend(Ring ring, ReceiveBlocks blocks, int wake)
      : blocks_(std::move(blocks)), ring_(std::move(ring)), wake_(wake) {}

  ~UringBackend() override {
    ring_.reset();  // the kernel lets go of everything
    while (closing_ != nullptr) Free(closing_);
    close(wake_);
  }

  std::string_view name() const override { return "io_uring"; }

  IoHandle* Attach(int fd) override {
    auto* handle = new UringHandle;
    handle->fd = fd;
    return handle;
  }

  void Detach(IoHandle* base) override {
    auto* handle = static_cast<UringHandle*>(base);
    PILLION_CHECK(handle->reader == nullptr && handle->writer == nullptr);
    handle->detached = true;
    handle->next_closing = closing_;
    if (closing_ != nullptr) closing_->previous_closing = handle;
    closing_ = handle;
    // The kernel keeps the connection open as long as it works on it.
    Stop(*handle);
    if (handle->polling) CancelSubmission(handle, kPeer);
    FreeIfLetGo(handle);
  }

  bool Start(IoOperation& operation, absl::Status* status) override {
    auto& handle = *static_cast<UringHandle*>(operation.handle);
    if (IsReader(operation)) return StartRead(operation, handle, status);
    PILLION_CHECK(handle.writer == nullptr);
    if (operation.kind == IoOperation::Kind::kConnect) {
      if (operation.address->sa_family == AF_UNIX) return ConnectNow(operation, status);
      io_uring_sqe* submission = NewSubmission();
      io_uring_prep_connect(submission, handle.fd, operation.address, operation.address_length);
      io_uring_sqe_set_data64(submission, Tagged(&operation, kOperation));
    } else if (SendNow(operation, status) || !SubmitSend(operation)) {
      return true;
    }
    handle.writer = &operation;
    return false;
  }

  void Cancel(IoOperation& operation, const absl::Status& why) override {
    auto& handle = *static_cast<UringHandle*>(operation.handle);
    if (operation.kind == IoOperation::Kind::kReceive || (handle.listens && !handle.armed)) {
      // What is with the kernel is the handle's.
      handle.reader = nullptr;
      operation.Finish(why);
      return;
    }
    operation.withdrawn = why;
    if (handle.listens) {
      Stop(handle);  // what was accepted until then is not to be lost
    } else {
      CancelSubmission(&operation, kOperation);
    }
  }

  void Watch(IoHandle* base) override {
    auto& handle = *static_cast<UringHandle*>(base);
    handle.watched = true;
    KeepWatch(handle);
  }

  void Poll(Duration timeout) override {
    if (!enabled_) Enable();
    SubmitAndWait(timeout);
    ++turn_;
    unsigned head;
    unsigned count = 0;
    io_uring_cqe* cqe;
    io_uring_for_each_cqe(ring_.get(), head, cqe) {
      OnCompletion(cqe->user_data, cqe->res, cqe->flags);
      ++count;
    }
    io_uring_cq_advance(ring_.get(), count);
  }

  void Wake() override {
    const uint64_t one = 1;
    (void)!write(wake_, &one, sizeof(one));
  }

 private:
  // On the thread that runs the loop, which becomes the ring's only user.
  void Enable() {
    PILLION_CHECK(EnableRing(ring_.get()).ok());
    enabled_ = true;
    blocks_.Fill();
    WatchForWakes();
  }

  // The kernel reports each write to the eventfd, so that its count need not be read.
  void WatchForWakes() {
    io_uring_sqe* submission = NewSubmission();
    io_uring_prep_poll_multishot(submission, wake_, POLLIN);
    io_uring_sqe_set_data64(submission, Tagged(nullptr, kWake));
  }

  // Null once the loop has ended and another thread cleans up, if that is more than fits.
  io_uring_sqe* TryNewSubmission() {
    io_uring_sqe* submission = io_uring_get_sqe(ring_.get());
    if (submission != nullptr) return submission;
    io_uring_submit(ring_.get());
    return io_uring_get_sqe(ring_.get());
  }

  io_uring_sqe* NewSubmission() {
    io_uring_sqe* submission = TryNewSubmission();
    PILLION_CHECK(submission != nullptr);
    return submission;
  }

  void CancelSubmission(const void* owner, Tag tag) {
    io_uring_sqe* submission = TryNewSubmission();
    if (submission == nullptr) return;  // the ring's end will do it
    io_uring_prep_cancel64(submission, Tagged(owner, tag), 0);
    io_uring_sqe_set_data64(submission, Tagged(nullptr, kNobody));
  }

  void SubmitAndWait(Duration timeout) {
    int result;
    if (timeout == Duration::zero()) {
      result = io_uring_submit_and_get_events(ring_.get());
    } else {
      io_uring_cqe* first;
      const auto nanoseconds = std::chrono::nanoseconds(timeout).count();
      __kernel_timespec limit = {.tv_sec = nanoseconds / 1'000'000'000,
                                 .tv_nsec = nanoseconds % 1'000'000'000};
      const bool endless = timeout == Duration::max();
      result = io_uring_submit_and_wait_timeout(ring_.get(), &first, 1, endless ? nullptr : &limit,
                                                nullptr);
    }
    // All of these leave what was not submitted for the next turn.
    PILLION_CHECK(result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN ||
                  result == -EBUSY);
  }

  bool StartRead(IoOperation& operation, UringHandle& handle, absl::Status* status) {
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

  static absl::Status ErrorOf(const UringHandle& handle) {
    return absl::ErrnoToStatus(handle.error, handle.listens ? "accept" : "receive");
  }

  // At once, as there is nothing to wait for: a Unix socket whose backlog is full refuses.
  static bool ConnectNow(IoOperation& operation, absl::Status* status) {
    if (connect(operation.handle->fd, operation.address, operation.address_length) != 0) {
      *status = absl::ErrnoToStatus(errno, "connect");
    }
    return true;
  }

  // Much is sent at once, while it is in the processor's cache: that saves more than doing it with
  // others. True when the operation ended.
  static bool SendNow(IoOperation& operation, absl::Status* status) {
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

  // What is there already, for the same reason. True when the operation ended.
  static bool ReceiveNow(IoOperation& operation, UringHandle& handle, absl::Status* status) {
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

  // False when all is sent.
  bool SubmitSend(IoOperation& operation) {
    iovec* first = operation.pieces.data();
    iovec* const end = first + operation.piece_count;
    while (first != end && first->iov_len == 0) ++first;
    if (first == end) return false;
    // Not MSG_WAITALL: a send that has been withdrawn could go on for as long as it makes progress.
    constexpr unsigned kFlags = MSG_NOSIGNAL;
    io_uring_sqe* submission = NewSubmission();
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

  // Asks the kernel for what comes in next, and for all that follows unless it is much.
  void Arm(UringHandle& handle) {
    if (handle.armed || handle.ended) return;
    io_uring_sqe* submission = NewSubmission();
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

  // From the next time it is asked, the kernel receives for the connection in bulk.
  void BecomeBulk(UringHandle& handle) {
    if (!large_blocks_.has_value()) {
      absl::StatusOr<ReceiveBlocks> blocks = ReceiveBlocks::Register(
          ring_.get(), kLargeBlockGroup, kLargeBlocks, Buffer::kBulkBlockSize);
      if (!blocks.ok()) return;  // no memory: it goes on in small ones
      large_blocks_.emplace(*std::move(blocks));
      large_blocks_->Fill();
    }
    handle.bulk = true;
    handle.short_receives = 0;
  }

  void Stop(UringHandle& handle) {
    if (!handle.armed || handle.stopping) return;
    handle.stopping = true;
    CancelSubmission(&handle, kStream);
  }

  void OnCompletion(uint64_t user_data, int result, uint32_t flags) {
    void* const owner = reinterpret_cast<void*>(user_data & ~kTagMask);
    switch (user_data & kTagMask) {
      case kOperation:
        OnOperation(*static_cast<IoOperation*>(owner), result);
        break;
      case kStream:
        OnStream(*static_cast<UringHandle*>(owner), result, flags);
        break;
      case kPeer:
        OnPeer(*static_cast<UringHandle*>(owner), result);
        break;
      case kWake:
        if ((flags & IORING_CQE_F_MORE) == 0) WatchForWakes();
        break;
      case kNobody:
        break;
    }
  }

  // Of a connect or a send.
  void OnOperation(IoOperation& operation, int result) {
    auto& handle = *static_cast<UringHandle*>(operation.handle);
    const bool connects = operation.kind == IoOperation::Kind::kConnect;
    absl::Status status = operation.withdrawn;
    if (status.ok() && result < 0) {
      status = absl::ErrnoToStatus(-result, connects ? "connect" : "send");
    }
    if (status.ok() && !connects) {
      operation.Advance(static_cast<size_t>(result));
      if (SubmitSend(operation)) return;
    }
    handle.writer = nullptr;
    operation.Finish(std::move(status));
  }

  // Of what Arm() asked for.
  void OnStream(UringHandle& handle, int result, uint32_t flags) {
    if ((flags & IORING_CQE_F_MORE) == 0) handle.armed = handle.stopping = false;
    char* const block = TakeFilled(handle, flags);
    if (result > 0 || (handle.listens && result == 0)) {
      OnArrival(handle, {block, result});
    } else {
      if (block != nullptr) Buffer::GiveBlock(block);
      OnEnd(handle, -result);
    }
    if (handle.armed) return;
    if (handle.detached) {
      FreeIfLetGo(&handle);
      return;
    }
    if (handle.reader != nullptr && !handle.reader->withdrawn.ok()) {
      IoOperation& withdrawn = *std::exchange(handle.reader, nullptr);
      withdrawn.Finish(withdrawn.withdrawn);
    }
    const bool quiet = !handle.listens && !handle.bulk && handle.waiting.empty();
    if (handle.reader != nullptr || quiet) Arm(handle);
    KeepWatch(handle);
  }

  // Sees to it that the kernel would tell of bytes and of the end. As long as something waits to be
  // received, only of the end: more of the rest is not wanted.
  void KeepWatch(UringHandle& handle) {
    if (!handle.watched || handle.armed || handle.polling || handle.ended) return;
    if (handle.waiting.empty() && !handle.bulk) {
      Arm(handle);
      return;
    }
    io_uring_sqe* submission = NewSubmission();
    const unsigned events = handle.readable ? POLLRDHUP : POLLRDHUP | POLLIN;
    io_uring_prep_poll_add(submission, handle.fd, events);
    io_uring_sqe_set_data64(submission, Tagged(&handle, kPeer));
    handle.polling = true;
  }

  // Of the poll for the end.
  void OnPeer(UringHandle& handle, int result) {
    handle.polling = false;
    if (handle.detached) {
      FreeIfLetGo(&handle);
      return;
    }
    if (result <= 0) return;
    if ((result & (POLLRDHUP | POLLHUP | POLLERR)) != 0) {
      handle.readable = true;
      OnPeerClosed(handle);
    } else if (handle.watched) {
      handle.readable = true;
      KeepWatch(handle);
    }
  }

  static void OnPeerClosed(UringHandle& handle) {
    handle.peer_closed = true;
    if (handle.cancel_on_close != nullptr) {
      handle.cancel_on_close->Cancel(absl::AbortedError("the peer closed the connection"));
    }
  }

  // The block with the bytes of a completion; null if it brings none.
  char* TakeFilled(UringHandle& handle, uint32_t flags) {
    if ((flags & IORING_CQE_F_BUFFER) == 0) return nullptr;
    const unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;
    return handle.armed_bulk ? large_blocks_->Take(id) : blocks_.Take(id);
  }

  void OnArrival(UringHandle& handle, Arrival arrival) {
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

  void NoteSize(UringHandle& handle, const Arrival& arrival) {
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

  // `error` 0: the peer has sent everything.
  static void OnEnd(UringHandle& handle, int error) {
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

  static void Deliver(IoOperation& operation, Arrival arrival) {
    operation.result += arrival.value;
    if (arrival.block == nullptr) return;
    const auto size = static_cast<size_t>(arrival.value);
    if (operation.buffer->empty()) {
      operation.buffer->Adopt(arrival.block, size);
    } else {
      operation.buffer->Append({arrival.block, size});
      arrival.Discard();
    }
  }

  // One descriptor, or as many of the bytes as a large block holds: passing them on in pieces costs
  // more than bringing them together.
  static void DeliverWaiting(IoOperation& operation, UringHandle& handle) {
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

  void FreeIfLetGo(UringHandle* handle) {
    if (!handle->armed && !handle->polling) Free(handle);
  }

  void Free(UringHandle* handle) {
    UringHandle*& link =
        handle->previous_closing != nullptr ? handle->previous_closing->next_closing : closing_;
    link = handle->next_closing;
    if (link != nullptr) link->previous_closing = handle->previous_closing;
    delete handle;
  }

  ReceiveBlocks blocks_;
  std::optional<ReceiveBlocks> large_blocks_;
  Ring ring_;
  const int wake_;
  UringHandle* closing_ = nullptr;
  uint64_t turn_ = 0;
  bool enabled_ = false;
};

absl::StatusOr<std::unique_ptr<IoBackend>> CreateUringBackend() {
  if (!UringUsable().ok()) return UringUsable();
  // Disabled at first, so that whoever runs the loop becomes its single issuer.
  absl::StatusOr<Ring> ring = MakeRing(kSubmissions, kCompletions, IORING_SETUP_R_DISABLED);
  if (!ring.ok()) return ring.status();
  absl::StatusOr<ReceiveBlocks> blocks =
      ReceiveBlocks::Register(ring->get(), kBlockGroup, kBlocks, Buffer::kBlockSize);
  if (!blocks.ok()) return blocks.status();
  const int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake < 0) return absl::ErrnoToStatus(errno, "eventfd");
  return std::make_unique<UringBackend>(*std::move(ring), *std::move(blocks), wake);
}

}  // namespace pillion::net
