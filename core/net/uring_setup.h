// Making rings, and finding out whether this system lets us: what the io_uring backend needs before
// it can run.

#ifndef PILLION_CORE_NET_URING_SETUP_H_
#define PILLION_CORE_NET_URING_SETUP_H_

#include <liburing.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace pillion::net {

struct RingDeleter {
  void operator()(io_uring* ring) const {
    io_uring_queue_exit(ring);
    delete ring;
  }
};
using Ring = std::unique_ptr<io_uring, RingDeleter>;

// A ring with room for so many entries, which completes work only when its owner waits for it.
// `extra_flags` of io_uring_setup(2). Errors say what forbids it, and the fix.
absl::StatusOr<Ring> MakeRing(unsigned submissions, unsigned completions, unsigned extra_flags);

// Starts a ring that was made with IORING_SETUP_R_DISABLED; the calling thread becomes its only
// user.
absl::Status EnableRing(io_uring* ring);

// The ring of buffers that a multishot receive takes from (IORING_REGISTER_PBUF_RING).
class BlockRing {
 public:
  // `count` is a power of two. `ring` must be closed before this goes.
  static absl::StatusOr<BlockRing> Register(io_uring* ring, unsigned count, int group);

  BlockRing(BlockRing&& other) noexcept;
  BlockRing& operator=(BlockRing&&) = delete;
  ~BlockRing();

  // Gives the kernel memory to fill, which it will call `id`.
  void Give(char* memory, unsigned bytes, unsigned id);

 private:
  BlockRing(io_uring_buf_ring* entries, unsigned count) : entries_(entries), count_(count) {}

  io_uring_buf_ring* entries_;
  const unsigned count_;
};

// Whether the kernel does all that the backend asks of it; tried once in a process, on a ring of
// its own. Errors name what is missing.
const absl::Status& UringUsable();

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_URING_SETUP_H_
