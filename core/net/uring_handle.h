// What the io_uring backend knows of a descriptor.

#ifndef PILLION_CORE_NET_URING_HANDLE_H_
#define PILLION_CORE_NET_URING_HANDLE_H_

#include <unistd.h>

#include <cstdint>
#include <vector>

#include "core/net/buffer.h"
#include "core/net/io_backend.h"

namespace pillion::net {

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

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_URING_HANDLE_H_
