// The submissions of a turn, and the system call that hands them over and waits. Of one thread,
// that of the loop, but for Wake() and what is said.

#ifndef PILLION_CORE_NET_URING_QUEUE_H_
#define PILLION_CORE_NET_URING_QUEUE_H_

#include <cstdint>
#include <utility>

#include "core/net/timer.h"
#include "core/net/uring_setup.h"

namespace pillion::net {

// Whom a completion is for: the low bits of its user data, which is a pointer otherwise.
enum UringTag : uint64_t { kOperation, kStream, kPeer, kWake, kNobody };
inline constexpr uint64_t kTagMask = 7;

inline uint64_t Tagged(const void* pointer, UringTag tag) {
  return reinterpret_cast<uint64_t>(pointer) | tag;
}

class UringQueue {
 public:
  // `wake` is an eventfd, taken over. May be called on another thread than the loop's.
  UringQueue(Ring ring, int wake) : ring_(std::move(ring)), wake_(wake) {}
  UringQueue(const UringQueue&) = delete;
  UringQueue& operator=(const UringQueue&) = delete;
  ~UringQueue();

  io_uring* get() { return ring_.get(); }

  bool enabled() const { return enabled_; }
  // On the thread that runs the loop, which becomes the ring's only user.
  void Enable();
  // The kernel lets go of everything. Any thread, when the loop has ended.
  void Close() { ring_.reset(); }

  io_uring_sqe* NewSubmission();

  // Asks for the end of a submission with that user data. Any thread, when the loop has ended.
  void CancelSubmission(const void* owner, UringTag tag);

  void SubmitAndWait(Duration timeout);

  // Asks the kernel to report wakes, with kWake.
  void WatchForWakes();
  // Ends a SubmitAndWait(). Any thread.
  void Wake();

 private:
  io_uring_sqe* TryNewSubmission();

  Ring ring_;
  const int wake_;
  bool enabled_ = false;
};

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_URING_QUEUE_H_
