// How a loop talks to the kernel: the small interface behind which the backends stand.
//
// It is completion-based: an operation is started and its outcome is delivered; whether the kernel
// was asked first and waited for (epoll) or does the work itself and reports (io_uring) does not
// show. At most one receive-like and one send-like operation run on a descriptor at a time.

#ifndef PILLION_CORE_NET_IO_BACKEND_H_
#define PILLION_CORE_NET_IO_BACKEND_H_

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <string_view>

#include "core/net/cancel.h"

namespace pillion::net {

class Buffer;

// A descriptor known to a backend. Made by Attach(), owned by the backend, gone after Detach().
struct IoHandle {
  int fd = -1;
  // Canceled when the peer is seen to have closed its side. Owned by whoever set it.
  CancelScope* cancel_on_close = nullptr;
  bool peer_closed = false;
  // Bytes, or the end of the stream, are known to wait.
  bool readable = false;
};

// One operation in flight; lives in the frame of the coroutine that awaits it.
class IoOperation : public Wait {
 public:
  enum class Kind { kAccept, kConnect, kReceive, kSend };

  const Kind kind;
  IoHandle* const handle;
  // kReceive: appended to, given a block when it has none.
  Buffer* buffer = nullptr;
  // kSend: what is left to send; advanced as bytes go out.
  std::array<iovec, 4> pieces;  // the first piece_count are set
  int piece_count = 0;
  // kConnect
  const sockaddr* address = nullptr;
  socklen_t address_length = 0;
  // kSend: the pieces in the kernel's form, for a backend that needs it to stay.
  msghdr message;
  // Why it is to end before its time, once Cancel() has been asked to and the kernel still has it.
  absl::Status withdrawn;
  // Outcome when the status is OK. kAccept: the new descriptor, non-blocking. kReceive: bytes, 0 at
  // the end of the stream.
  ssize_t result = 0;

  // kSend: takes `sent` bytes off the front of the pieces.
  void Advance(size_t sent);

 protected:
  IoOperation(Loop& loop, Kind kind, IoHandle* handle) : Wait(loop), kind(kind), handle(handle) {}
  ~IoOperation() = default;
  void OnCancel(const absl::Status& why) override;

 private:
  friend class EpollBackend;
  friend class UringBackend;
};

class IoBackend {
 public:
  virtual ~IoBackend() = default;
  virtual std::string_view name() const = 0;

  // Takes over `fd` (non-blocking, a socket). Returns null when the kernel refuses (errno says
  // why); the descriptor stays the caller's then.
  virtual IoHandle* Attach(int fd) = 0;

  // Closes the descriptor. REQUIRES: no operation runs on it.
  virtual void Detach(IoHandle* handle) = 0;

  // Starts `operation`. True: it ended at once, with `*status` and its result. False: Finish() will
  // be called on it later.
  virtual bool Start(IoOperation& operation, absl::Status* status) = 0;

  // Withdraws an operation that Start() left running; Finish(why) is called now or later.
  virtual void Cancel(IoOperation& operation, const absl::Status& why) = 0;

  // Keeps `readable` and `peer_closed` of the handle up to date although nothing is received, until
  // something is.
  virtual void Watch(IoHandle* handle) = 0;

  // Waits for completions up to `timeout` and finishes them. Duration::max() waits without end.
  virtual void Poll(Duration timeout) = 0;

  // Makes a running or the next Poll() return. Any thread.
  virtual void Wake() = 0;
};

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_IO_BACKEND_H_
