#include "core/net/epoll_backend.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <memory>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/net/buffer.h"
#include "core/net/send_batch.h"

namespace pillion::net {
namespace {

// Bytes of room a receive is given at least behind what is there: usually a whole block, and where
// much comes in a large one, which keeps large bodies at few calls.
constexpr size_t kReceiveRoom = 4096;

// This many bytes at once are followed by more, likely.
constexpr size_t kManyBytes = Buffer::kBlockSize;
// So many full receives in a row are a stream.
constexpr int kStream = 3;
constexpr size_t kStreamPiece = 2 * kManyBytes;
// Where so many events come at once, sends wait for the end of the turn, to be done together.
constexpr int kBusy = 4;

struct EpollHandle : IoHandle {
  bool bulk = false;    // the last receive brought much
  int full = 0;         // so many receives in a row brought all that they had room for
  bool unsure = false;  // `readable` was not seen since the last of these
  bool writable = true;
  IoOperation* reader = nullptr;
  IoOperation* writer = nullptr;
};

// The calls of the hot path, without the C library's bookkeeping for thread cancellation, which
// costs each of them two atomic operations. Nobody cancels threads here.
int WaitForEvents(int epoll, epoll_event* events, int room, int milliseconds) {
  return static_cast<int>(syscall(SYS_epoll_pwait, epoll, events, room, milliseconds, nullptr, 0));
}
ssize_t ReceiveBytes(int fd, char* into, size_t room) {
  return syscall(SYS_recvfrom, fd, into, room, 0, nullptr, nullptr);
}
ssize_t SendPieces(int fd, iovec* first, const iovec* end) {
  // One piece is what most calls send, and costs less said plainly.
  if (first + 1 == end) {
    return syscall(SYS_sendto, fd, first->iov_base, first->iov_len, MSG_NOSIGNAL, nullptr, 0);
  }
  msghdr message{};
  message.msg_iov = first;
  message.msg_iovlen = static_cast<size_t>(end - first);
  return syscall(SYS_sendmsg, fd, &message, MSG_NOSIGNAL);
}

bool WouldBlock(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace

class EpollBackend final : public IoBackend {
 public:
  EpollBackend(int epoll, int wake) : epoll_(epoll), wake_(wake), batch_(SendBatch::Create()) {}
  ~EpollBackend() override {
    Buffer::GiveBlock(landing_);
    close(wake_);
    close(epoll_);
  }

  std::string_view name() const override { return "epoll"; }

  IoHandle* Attach(int fd) override {
    auto handle = std::make_unique<EpollHandle>();
    handle->fd = fd;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = handle.get();
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) return nullptr;
    return handle.release();
  }

  void Detach(IoHandle* base) override {
    auto* handle = static_cast<EpollHandle*>(base);
    PILLION_CHECK(handle->reader == nullptr && handle->writer == nullptr);
    // Closing alone would not do while a duplicate of the descriptor is open.
    epoll_ctl(epoll_, EPOLL_CTL_DEL, handle->fd, nullptr);
    close(handle->fd);
    delete handle;
  }

  bool Start(IoOperation& operation, absl::Status* status) override {
    auto& handle = *static_cast<EpollHandle*>(operation.handle);
    IoOperation*& place = PlaceOf(operation);
    PILLION_CHECK(place == nullptr);
    if (operation.kind == IoOperation::Kind::kConnect) {
      if (StartConnect(operation, status)) return true;
    } else if (WaitsForOthers(operation)) {
      queued_.push_back(&operation);
    } else if (IsReader(operation) ? handle.readable : handle.writable) {
      if (Try(operation, status)) return true;
    }
    place = &operation;
    return false;
  }

  void Cancel(IoOperation& operation, const absl::Status& why) override {
    PlaceOf(operation) = nullptr;
    std::erase(queued_, &operation);
    operation.Finish(why);
  }

  // Events come whatever is asked for. Only after a receive that took all that it had room for it
  // is not known whether there was more.
  void Watch(IoHandle* base) override {
    auto& handle = *static_cast<EpollHandle*>(base);
    if (!handle.readable || !handle.unsure || handle.peer_closed) return;
    handle.unsure = false;
    char byte;
    const ssize_t n = recv(handle.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && WouldBlock(errno)) handle.readable = false;
  }

  void Poll(Duration timeout) override {
    if (SendQueued()) timeout = Duration::zero();
    int milliseconds = -1;
    if (timeout != Duration::max()) {
      const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
      milliseconds = static_cast<int>(std::min<int64_t>(rounded, INT_MAX));
    }
    // As many as are sent at once: what they touch is then still in the processor's caches.
    std::array<epoll_event, SendBatch::kMost> events;
    const int count = WaitForEvents(epoll_, events.data(), events.size(), milliseconds);
    busy_ = batch_ != nullptr && count >= kBusy;
    for (int i = 0; i < count; ++i) {
      if (events[i].data.ptr == nullptr) {
        uint64_t wakes;
        (void)!read(wake_, &wakes, sizeof(wakes));
      } else {
        OnEvent(*static_cast<EpollHandle*>(events[i].data.ptr), events[i].events);
      }
    }
  }

  void Wake() override {
    const uint64_t one = 1;
    (void)!write(wake_, &one, sizeof(one));
  }

 private:
  static bool IsReader(const IoOperation& operation) {
    return operation.kind == IoOperation::Kind::kReceive ||
           operation.kind == IoOperation::Kind::kAccept;
  }

  static IoOperation*& PlaceOf(IoOperation& operation) {
    auto& handle = *static_cast<EpollHandle*>(operation.handle);
    return IsReader(operation) ? handle.reader : handle.writer;
  }

  static bool StartConnect(IoOperation& operation, absl::Status* status) {
    auto& handle = *static_cast<EpollHandle*>(operation.handle);
    if (connect(handle.fd, operation.address, operation.address_length) == 0) return true;
    // EAGAIN is a Unix socket whose backlog is full: refused, there is nothing to wait for.
    if (errno == EINPROGRESS) {
      handle.writable = false;
      return false;
    }
    *status = absl::ErrnoToStatus(errno, "connect");
    return true;
  }

  // True when the operation ended, with `*status` and its result set.
  bool Try(IoOperation& operation, absl::Status* status) {
    switch (operation.kind) {
      case IoOperation::Kind::kAccept:
        return TryAccept(operation, status);
      case IoOperation::Kind::kConnect:
        return TryFinishConnect(operation, status);
      case IoOperation::Kind::kReceive:
        return TryReceive(operation, status);
      case IoOperation::Kind::kSend:
        return TrySend(operation, status);
    }
    return false;
  }

  static bool TryAccept(IoOperation& operation, absl::Status* status) {
    auto& handle = *static_cast<EpollHandle*>(operation.handle);
    while (true) {
      const int fd = accept4(handle.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        operation.result = fd;
        return true;
      }
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (WouldBlock(errno)) {
        handle.readable = false;
        return false;
      }
      *status = absl::ErrnoToStatus(errno, "accept");
      return true;
    }
  }

  static bool TryFinishConnect(IoOperation& operation, absl::Status* status) {
    int error = 0;
    socklen_t length = sizeof(error);
    getsockopt(operation.handle->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) *status = absl::ErrnoToStatus(error, "connect");
    return true;
  }

  bool TryReceive(IoOperation& operation, absl::Status* status) {
    auto& handle = *static_cast<EpollHandle*>(operation.handle);
    Buffer& buffer = *operation.buffer;
    const bool lands = buffer.empty() && !handle.bulk;
    if (!lands) {
      buffer.Reserve(handle.bulk && buffer.size() + kReceiveRoom < Buffer::kBulkBlockSize
                         ? Buffer::kBulkBlockSize - buffer.size()
                         : kReceiveRoom);
    }
    // What goes on and on goes on best in pieces of middle size, which both ends can keep pace
    // with.
    const size_t room = std::min(lands ? Buffer::kBlockSize : buffer.room(),
                                 handle.full == kStream ? kStreamPiece : SIZE_MAX);
    while (true) {
      const ssize_t n = ReceiveBytes(handle.fd, lands ? landing_ : buffer.tail(), room);
      if (n >= 0) {
        if (!lands) {
          buffer.Produce(static_cast<size_t>(n));
        } else if (buffer.Adopt(landing_, static_cast<size_t>(n))) {
          landing_ = Buffer::TakeBlock(Buffer::kBlockSize);
        }
        operation.result = n;
        handle.full = static_cast<size_t>(n) == room ? std::min(handle.full + 1, kStream) : 0;
        handle.unsure = handle.full > 0;
        handle.bulk = handle.full > 0 || static_cast<size_t>(n) >= kManyBytes;
        // A short read means empty, unless the end of the stream stands behind the bytes: its edge
        // has been reported already.
        if (static_cast<size_t>(n) < room && !handle.peer_closed) handle.readable = false;
        if (n == 0) handle.readable = handle.peer_closed = true;
        return true;
      }
      if (errno == EINTR) continue;
      if (WouldBlock(errno)) {
        handle.readable = false;
        if (buffer.empty()) buffer.Release();
        return false;
      }
      if (buffer.empty()) buffer.Release();
      *status = absl::ErrnoToStatus(errno, "receive");
      return true;
    }
  }

  static bool TrySend(IoOperation& operation, absl::Status* status) {
    auto& handle = *static_cast<EpollHandle*>(operation.handle);
    while (true) {
      iovec* first = operation.pieces.data();
      iovec* const end = first + operation.piece_count;
      while (first != end && first->iov_len == 0) ++first;
      if (first == end) return true;
      const ssize_t n = SendPieces(handle.fd, first, end);
      if (n < 0) {
        if (errno == EINTR) continue;
        if (WouldBlock(errno)) {
          handle.writable = false;
          return false;
        }
        *status = absl::ErrnoToStatus(errno, "send");
        return true;
      }
      operation.Advance(static_cast<size_t>(n));
    }
  }

  // Much is sent at once, while it is in the processor's cache.
  bool WaitsForOthers(const IoOperation& operation) const {
    if (!busy_ || operation.kind != IoOperation::Kind::kSend) return false;
    if (!static_cast<EpollHandle*>(operation.handle)->writable) return false;
    size_t bytes = 0;
    for (int i = 0; i < operation.piece_count; ++i) bytes += operation.pieces[i].iov_len;
    return bytes > 0 && bytes < kManyBytes;
  }

  // True when any of them ended.
  bool SendQueued() {
    if (queued_.empty()) return false;
    bool ended = false;
    auto next = [&](IoOperation& operation, ssize_t result) {
      ended |= OnSent(static_cast<EpollHandle*>(operation.handle)->writer, result);
    };
    if (queued_.size() == 1) {
      next(*queued_.front(), -EAGAIN);
    } else {
      for (auto from = queued_.begin(); from != queued_.end();) {
        while (from != queued_.end() && !batch_->full()) batch_->Add(**from++);
        batch_->Submit(next);
      }
    }
    queued_.clear();
    return ended;
  }

  // True when the operation ended. What the batch left is tried again alone, which tells whether
  // there is room for more.
  bool OnSent(IoOperation*& place, ssize_t result) {
    if (result < 0 && !WouldBlock(static_cast<int>(-result)) && result != -EINTR) {
      const int error = static_cast<int>(-result);
      std::exchange(place, nullptr)->Finish(absl::ErrnoToStatus(error, "send"));
      return true;
    }
    if (result > 0) place->Advance(static_cast<size_t>(result));
    Continue(place);
    return place == nullptr;
  }

  void OnEvent(EpollHandle& handle, uint32_t events) {
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
      handle.peer_closed = true;
      if (handle.cancel_on_close != nullptr) {
        handle.cancel_on_close->Cancel(absl::AbortedError("the peer closed the connection"));
      }
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
      handle.readable = true;
      handle.unsure = false;
      Continue(handle.reader);
    }
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
      handle.writable = true;
      Continue(handle.writer);
    }
  }

  void Continue(IoOperation*& place) {
    if (place == nullptr) return;
    absl::Status status;
    if (!Try(*place, &status)) return;
    std::exchange(place, nullptr)->Finish(std::move(status));
  }

  const int epoll_;
  const int wake_;
  char* landing_ = Buffer::TakeBlock(Buffer::kBlockSize);  // where small receives arrive
  const std::unique_ptr<SendBatch> batch_;                 // null: sends are done one by one
  bool busy_ = false;                                      // they are to wait for each other
  std::vector<IoOperation*> queued_;                       // and these do
};

absl::StatusOr<std::unique_ptr<IoBackend>> CreateEpollBackend() {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return absl::ErrnoToStatus(errno, "epoll_create1");
  const int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  if (wake < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event) != 0) {
    const absl::Status status = absl::ErrnoToStatus(errno, "eventfd");
    if (wake >= 0) close(wake);
    close(epoll);
    return status;
  }
  return std::make_unique<EpollBackend>(epoll, wake);
}

}  // namespace pillion::net
