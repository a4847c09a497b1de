// What comes in on the io_uring backend: bytes and connections.
//
// It is asked for once: one multishot receive (or accept) stays with the kernel for as long as the
// descriptor is used, and fills blocks of a ring that is kept full. A block with data passes whole
// into the receiver's Buffer. What nobody has asked for yet waits in its handle, a few blocks at
// most; then the kernel is told to stop until there is room again.

#ifndef PILLION_CORE_NET_URING_RECEIVER_H_
#define PILLION_CORE_NET_URING_RECEIVER_H_

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "core/net/receive_blocks.h"
#include "core/net/uring_handle.h"
#include "core/net/uring_queue.h"

namespace pillion::net {

// Of one thread, that of the loop.
class UringReceiver {
 public:
  // Registers the memory for `ring`, which must be closed before it goes.
  static absl::StatusOr<ReceiveBlocks> RegisterBlocks(io_uring* ring);

  // `queue`, for whose ring the blocks were registered, must outlive it, and be closed before.
  UringReceiver(UringQueue& queue, ReceiveBlocks blocks)
      : queue_(queue), blocks_(std::move(blocks)) {}

  // Gives the kernel its memory; before anything else.
  void Fill() { blocks_.Fill(); }

  // A turn of the loop begins.
  void BeginTurn() { ++turn_; }

  // Of a receive or an accept; as IoBackend::Start.
  bool Start(IoOperation& operation, UringHandle& handle, absl::Status* status);

  // Asks the kernel to stop; OnStream() will tell.
  void Stop(UringHandle& handle);

  // Sees to it that the kernel would tell of bytes and of the end. As long as something waits to be
  // received, only of the end: more of the rest is not wanted.
  void KeepWatch(UringHandle& handle);

  // Completions with kStream and kPeer. A handle that is detached stays, for the caller to free.
  void OnStream(UringHandle& handle, int result, uint32_t flags);
  void OnPeer(UringHandle& handle, int result);

 private:
  void Arm(UringHandle& handle);
  void BecomeBulk(UringHandle& handle);
  char* TakeFilled(UringHandle& handle, uint32_t flags);
  void OnArrival(UringHandle& handle, Arrival arrival);
  void NoteSize(UringHandle& handle, const Arrival& arrival);

  UringQueue& queue_;
  ReceiveBlocks blocks_;
  std::optional<ReceiveBlocks> large_blocks_;
  uint64_t turn_ = 0;
};

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_URING_RECEIVER_H_
