#include "core/net/wait_queue.h"

#include "core/check.h"
#include "core/net/loop.h"

namespace pillion::net {

WaitQueue::Awaiter::Awaiter(WaitQueue& queue, CancelScope& scope)
    : net::Wait(scope.loop()), queue_(queue), cancel_scope_(scope) {}

bool WaitQueue::Awaiter::await_ready() {
  if (!cancel_scope_.canceled()) return false;
  status_ = cancel_scope_.status();
  return true;
}

void WaitQueue::Awaiter::await_suspend(std::coroutine_handle<> waiter) {
  Suspend(cancel_scope_, waiter);
  previous_in_queue_ = queue_.last_;
  (queue_.last_ != nullptr ? queue_.last_->next_in_queue_ : queue_.first_) = this;
  queue_.last_ = this;
  ++queue_.size_;
}

void WaitQueue::Awaiter::OnCancel(const absl::Status& why) {
  queue_.Remove(*this);
  Finish(why);
}

WaitQueue::~WaitQueue() { PILLION_CHECK(empty()); }

bool WaitQueue::WakeOne() {
  if (empty()) return false;
  Awaiter& awaiter = *first_;
  Remove(awaiter);
  awaiter.Finish(absl::OkStatus());
  return true;
}

void WaitQueue::WakeAll() {
  while (WakeOne()) {
  }
}

void WaitQueue::Remove(Awaiter& awaiter) {
  (awaiter.previous_in_queue_ != nullptr ? awaiter.previous_in_queue_->next_in_queue_ : first_) =
      awaiter.next_in_queue_;
  (awaiter.next_in_queue_ != nullptr ? awaiter.next_in_queue_->previous_in_queue_ : last_) =
      awaiter.previous_in_queue_;
  --size_;
}

bool SleepUntil::await_ready() {
  if (cancel_scope_.canceled()) {
    status_ = cancel_scope_.status();
    return true;
  }
  return deadline_ <= loop_.now();
}

void SleepUntil::await_suspend(std::coroutine_handle<> waiter) {
  Suspend(cancel_scope_, waiter);
  Timer::Arm(loop_.timers(), deadline_);
}

void SleepUntil::OnCancel(const absl::Status& why) {
  Timer::Disarm();
  Finish(why);
}

}  // namespace pillion::net
