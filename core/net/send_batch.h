// Many sends in one system call where io_uring may not be used: Linux's older AIO, io_submit(2).
//
// On a non-blocking socket it does all of them before it returns. One system call instead of many
// is the smaller gain: each send wakes its receiver, for whom the kernel may interrupt the sender
// when the call returns, in the midst of its turn.

#ifndef PILLION_CORE_NET_SEND_BATCH_H_
#define PILLION_CORE_NET_SEND_BATCH_H_

#include <linux/aio_abi.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/net/io_backend.h"

namespace pillion::net {

// Of one thread, that of the loop.
class SendBatch {
 public:
  // Sends that one batch holds.
  static constexpr size_t kMost = 64;

  // Null where it cannot be had: a kernel or a seccomp profile without AIO, no context left
  // (fs.aio-max-nr), or a process that does not ignore SIGPIPE, as AIO has no MSG_NOSIGNAL.
  static std::unique_ptr<SendBatch> Create();

  SendBatch(const SendBatch&) = delete;
  SendBatch& operator=(const SendBatch&) = delete;
  ~SendBatch();

  bool full() const { return count_ == kMost; }

  // `operation` is a kSend with bytes to send, and stays until Submit() has returned.
  // REQUIRES: !full()
  void Add(IoOperation& operation);

  // Does what was added, and calls done(IoOperation&, ssize_t result) for each: bytes that were
  // sent, maybe not all, or -errno. -EAGAIN also means that the kernel did not take it.
  template <typename Done>
  void Submit(Done done) {
    const size_t finished = Run();
    for (size_t i = 0; i < finished; ++i) {
      done(*reinterpret_cast<IoOperation*>(events_[i].data), static_cast<ssize_t>(events_[i].res));
    }
    for (size_t i = finished; i < count_; ++i) {
      done(*reinterpret_cast<IoOperation*>(requests_[i].aio_data), -EAGAIN);
    }
    count_ = 0;
  }

 private:
  explicit SendBatch(aio_context_t context) : context_(context) {}

  void Add(int fd, const iovec* pieces, size_t count, uint64_t data);

  // How many were done; those behind were not taken. Their outcomes are in events_.
  size_t Run();

  // Whether io_submit(2) and io_getevents(2) do what is expected of them here.
  bool Works();

  const aio_context_t context_;
  std::array<iocb, kMost> requests_;  // the first count_ are set
  std::array<io_event, kMost> events_;
  size_t count_ = 0;
};

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_SEND_BATCH_H_
