#include "core/net/uring_queue.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "core/check.h"

namespace pillion::net {

UringQueue::~UringQueue() {
  Close();
  close(wake_);
}

void UringQueue::Enable() {
  PILLION_CHECK(EnableRing(ring_.get()).ok());
  enabled_ = true;
  WatchForWakes();
}

// The kernel reports each write to the eventfd, so that its count need not be read.
void UringQueue::WatchForWakes() {
  io_uring_sqe* submission = NewSubmission();
  io_uring_prep_poll_multishot(submission, wake_, POLLIN);
  io_uring_sqe_set_data64(submission, Tagged(nullptr, kWake));
}

// Null once the loop has ended and another thread cleans up, if that is more than fits.
io_uring_sqe* UringQueue::TryNewSubmission() {
  io_uring_sqe* submission = io_uring_get_sqe(ring_.get());
  if (submission != nullptr) return submission;
  io_uring_submit(ring_.get());
  return io_uring_get_sqe(ring_.get());
}

io_uring_sqe* UringQueue::NewSubmission() {
  io_uring_sqe* submission = TryNewSubmission();
  PILLION_CHECK(submission != nullptr);
  return submission;
}

void UringQueue::CancelSubmission(const void* owner, UringTag tag) {
  io_uring_sqe* submission = TryNewSubmission();
  if (submission == nullptr) return;  // the ring's end will do it
  io_uring_prep_cancel64(submission, Tagged(owner, tag), 0);
  io_uring_sqe_set_data64(submission, Tagged(nullptr, kNobody));
}

void UringQueue::SubmitAndWait(Duration timeout) {
  int result;
  if (timeout == Duration::zero()) {
    result = io_uring_submit_and_get_events(ring_.get());
  } else {
    io_uring_cqe* first;
    const auto nanoseconds = std::chrono::nanoseconds(timeout).count();
    __kernel_timespec limit = {.tv_sec = nanoseconds / 1'000'000'000,
                               .tv_nsec = nanoseconds % 1'000'000'000};
    const bool endless = timeout == Duration::max();
    result = io_uring_submit_and_wait_timeout(ring_.get(), &first, 1, endless ? nullptr : &limit,
                                              nullptr);
  }
  // All of these leave what was not submitted for the next turn.
  PILLION_CHECK(result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN ||
                result == -EBUSY);
}

void UringQueue::Wake() {
  const uint64_t one = 1;
  (void)!write(wake_, &one, sizeof(one));
}

}  // namespace pillion::net
