#include "core/net/send_batch.h"

#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "core/check.h"

namespace pillion::net {
namespace {

bool IgnoresBrokenPipes() {
  struct sigaction action;
  return sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

std::unique_ptr<SendBatch> SendBatch::Create() {
  if (!IgnoresBrokenPipes()) return nullptr;
  aio_context_t context = 0;
  if (syscall(SYS_io_setup, kMost, &context) != 0) return nullptr;
  std::unique_ptr<SendBatch> batch(new SendBatch(context));
  if (!batch->Works()) return nullptr;
  return batch;
}

SendBatch::~SendBatch() { syscall(SYS_io_destroy, context_); }

void SendBatch::Add(IoOperation& operation) {
  const iovec* first = operation.pieces.data();
  const iovec* const end = first + operation.piece_count;
  while (first != end && first->iov_len == 0) ++first;
  Add(operation.handle->fd, first, static_cast<size_t>(end - first),
      reinterpret_cast<uint64_t>(&operation));
}

void SendBatch::Add(int fd, const iovec* pieces, size_t count, uint64_t data) {
  PILLION_CHECK(!full());
  iocb& request = requests_[count_++];
  request = {};
  request.aio_data = data;
  request.aio_fildes = static_cast<uint32_t>(fd);
  if (count == 1) {
    request.aio_lio_opcode = IOCB_CMD_PWRITE;
    request.aio_buf = reinterpret_cast<uint64_t>(pieces->iov_base);
    request.aio_nbytes = pieces->iov_len;
  } else {
    request.aio_lio_opcode = IOCB_CMD_PWRITEV;
    request.aio_buf = reinterpret_cast<uint64_t>(pieces);
    request.aio_nbytes = count;
  }
}

size_t SendBatch::Run() {
  std::array<iocb*, kMost> pointers;
  for (size_t i = 0; i < count_; ++i) pointers[i] = &requests_[i];
  const long taken = syscall(SYS_io_submit, context_, count_, pointers.data());
  if (taken <= 0) return 0;
  for (long finished = 0; finished < taken;) {
    const long got = syscall(SYS_io_getevents, context_, taken - finished, taken - finished,
                             events_.data() + finished, nullptr);
    PILLION_CHECK(got >= 0 || errno == EINTR);
    if (got > 0) finished += got;
  }
  return static_cast<size_t>(taken);
}

bool SendBatch::Works() {
  // What a seccomp profile forbids, it forbids whatever the arguments.
  timespec none = {};
  if (syscall(SYS_io_getevents, context_, 0L, 1L, events_.data(), &none) != 0) return false;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) return false;
  char byte = 'x';
  const iovec piece = {.iov_base = &byte, .iov_len = 1};
  Add(ends[0], &piece, 1, 0);
  const bool works = Run() == 1 && events_[0].res == 1;
  count_ = 0;
  close(ends[0]);
  close(ends[1]);
  return works;
}

}  // namespace pillion::net
