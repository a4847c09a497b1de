#include "core/net/uring_setup.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "core/strings.h"

namespace pillion::net {
namespace {

absl::Status SetupError(int error) {
  std::string fix;
  if (error == EPERM || error == EACCES) {
    fix =
        "; it is forbidden here: allow it in the container's seccomp profile, or see "
        "kernel.io_uring_disabled";
  }
  if (error == ENOSYS) fix = "; the kernel or the container's seccomp profile has no io_uring";
  if (error == EINVAL) fix = "; it needs Linux 6.1";
  if (error == ENOMEM) fix = "; raise the limit of locked memory (ulimit -l)";
  return absl::ErrnoToStatus(error, StrCat("io_uring_setup", fix));
}

size_t RingBytes(unsigned count) { return count * sizeof(io_uring_buf); }

// What the backend starts, by the names that liburing gives them.
constexpr std::array<std::pair<int, const char*>, 7> kOperations{{
    {IORING_OP_POLL_ADD, "poll"},
    {IORING_OP_ACCEPT, "accept"},
    {IORING_OP_CONNECT, "connect"},
    {IORING_OP_RECV, "recv"},
    {IORING_OP_SEND, "send"},
    {IORING_OP_SENDMSG, "sendmsg"},
    {IORING_OP_ASYNC_CANCEL, "cancel"},
}};

absl::Status TryOperations(io_uring* ring) {
  io_uring_probe* probe = io_uring_get_probe_ring(ring);
  if (probe == nullptr) return absl::UnimplementedError("it cannot be probed; it needs Linux 6.1");
  absl::Status status;
  for (const auto& [operation, name] : kOperations) {
    if (io_uring_opcode_supported(probe, operation) == 0) {
      status.Update(absl::UnimplementedError(StrCat("it lacks the operation ", name)));
    }
  }
  io_uring_free_probe(probe);
  return status;
}

// A multishot receive is no operation of its own, so only using it tells.
absl::Status TryMultishotReceive(io_uring* ring, BlockRing& blocks) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    return absl::ErrnoToStatus(errno, "socketpair");
  }
  std::array<char, 16> memory;
  blocks.Give(memory.data(), memory.size(), 0);
  io_uring_sqe* sqe = io_uring_get_sqe(ring);
  io_uring_prep_recv_multishot(sqe, ends[0], nullptr, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  absl::Status status;
  if (write(ends[1], "x", 1) != 1) status = absl::ErrnoToStatus(errno, "write");
  io_uring_cqe* cqe = nullptr;
  __kernel_timespec patience{.tv_sec = 1, .tv_nsec = 0};
  const int waited = io_uring_submit_and_wait_timeout(ring, &cqe, 1, &patience, nullptr);
  if (waited < 0 || cqe == nullptr) {
    status.Update(absl::ErrnoToStatus(-waited, "multishot receive"));
  } else {
    constexpr unsigned kWanted = IORING_CQE_F_BUFFER | IORING_CQE_F_MORE;
    if (cqe->res != 1 || (cqe->flags & kWanted) != kWanted) {
      status.Update(absl::UnimplementedError("it has no multishot receive; it needs Linux 6.1"));
    }
    io_uring_cqe_seen(ring, cqe);
  }
  close(ends[0]);
  close(ends[1]);
  return status;
}

absl::Status TryAll() {
  absl::StatusOr<Ring> ring = MakeRing(4, 4, 0);
  if (!ring.ok()) return ring.status();
  absl::Status operations = TryOperations(ring->get());
  if (!operations.ok()) return operations;
  absl::StatusOr<BlockRing> blocks = BlockRing::Register(ring->get(), 1, 0);
  if (!blocks.ok()) return blocks.status();
  absl::Status received = TryMultishotReceive(ring->get(), *blocks);
  ring->reset();
  return received;
}

}  // namespace

absl::StatusOr<Ring> MakeRing(unsigned submissions, unsigned completions, unsigned extra_flags) {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_CQSIZE | extra_flags;
  params.cq_entries = completions;
  auto ring = std::make_unique<io_uring>();
  const int error = io_uring_queue_init_params(submissions, ring.get(), &params);
  if (error != 0) return SetupError(-error);
  return Ring(ring.release());
}

absl::Status EnableRing(io_uring* ring) {
  // Debian's liburing 2.3 declares io_uring_enable_rings() and does not export it.
  const long result =
      syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  return result == 0 ? absl::OkStatus() : absl::ErrnoToStatus(errno, "enable a ring");
}

absl::StatusOr<BlockRing> BlockRing::Register(io_uring* ring, unsigned count, int group) {
  void* memory =
      mmap(nullptr, RingBytes(count), PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  if (memory == MAP_FAILED) return absl::ErrnoToStatus(errno, "mmap of a buffer ring");
  auto* entries = static_cast<io_uring_buf_ring*>(memory);
  io_uring_buf_ring_init(entries);
  BlockRing blocks(entries, count);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<uint64_t>(entries);
  registration.ring_entries = count;
  registration.bgid = static_cast<uint16_t>(group);
  const int error = io_uring_register_buf_ring(ring, &registration, 0);
  if (error != 0) return absl::ErrnoToStatus(-error, "register a buffer ring");
  return blocks;
}

BlockRing::BlockRing(BlockRing&& other) noexcept
    : entries_(std::exchange(other.entries_, nullptr)), count_(other.count_) {}

BlockRing::~BlockRing() {
  if (entries_ != nullptr) munmap(entries_, RingBytes(count_));
}

void BlockRing::Give(char* memory, unsigned bytes, unsigned id) {
  io_uring_buf_ring_add(entries_, memory, bytes, static_cast<uint16_t>(id),
                        io_uring_buf_ring_mask(count_), 0);
  io_uring_buf_ring_advance(entries_, 1);
}

const absl::Status& UringUsable() {
  static const absl::Status usable = TryAll();
  return usable;
}

}  // namespace pillion::net
