// The memory that the kernel receives into: blocks in its hands, of one size, each replaced when it
// comes back filled. Of one thread, that of the ring.

#ifndef PILLION_CORE_NET_RECEIVE_BLOCKS_H_
#define PILLION_CORE_NET_RECEIVE_BLOCKS_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/net/buffer.h"
#include "core/net/uring_setup.h"

namespace pillion::net {

class ReceiveBlocks {
 public:
  // Registers the group; the kernel has no memory before Fill(). `ring` must be closed before this
  // goes. `count` is a power of two, `block_size` one of Buffer's.
  static absl::StatusOr<ReceiveBlocks> Register(io_uring* ring, int group, unsigned count,
                                                size_t block_size) {
    absl::StatusOr<BlockRing> entries = BlockRing::Register(ring, count, group);
    if (!entries.ok()) return entries.status();
    return ReceiveBlocks(*std::move(entries), count, block_size);
  }

  ReceiveBlocks(ReceiveBlocks&&) = default;
  ReceiveBlocks& operator=(ReceiveBlocks&&) = delete;
  ~ReceiveBlocks() {
    for (char* block : blocks_) Buffer::GiveBlock(block);
  }

  void Fill() {
    while (blocks_.size() < count_) {
      blocks_.push_back(Buffer::TakeBlock(block_size_));
      Give(static_cast<unsigned>(blocks_.size() - 1));
    }
  }

  // The block that the kernel calls `id`, which it has filled: now the caller's.
  char* Take(unsigned id) {
    char* const filled = std::exchange(blocks_[id], Buffer::TakeBlock(block_size_));
    Give(id);
    return filled;
  }

 private:
  ReceiveBlocks(BlockRing entries, unsigned count, size_t block_size)
      : entries_(std::move(entries)), count_(count), block_size_(block_size) {}

  void Give(unsigned id) { entries_.Give(blocks_[id], static_cast<unsigned>(block_size_), id); }

  BlockRing entries_;
  unsigned count_;
  size_t block_size_;
  std::vector<char*> blocks_;  // by id
};

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_RECEIVE_BLOCKS_H_
