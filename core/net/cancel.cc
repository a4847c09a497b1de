#include "core/net/cancel.h"

#include <utility>

#include "core/check.h"
#include "core/net/loop.h"

namespace pillion::net {

void Wait::Suspend(CancelScope& scope, std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  scope_ = &scope;
  previous_ = nullptr;
  next_ = scope.waits_;
  if (next_ != nullptr) next_->previous_ = this;
  scope.waits_ = this;
}

void Wait::Yield(std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  loop_.Ready(*this);
}

void Wait::Finish(absl::Status status) {
  status_ = std::move(status);
  scope_->Unlink(*this);
  scope_ = nullptr;
  loop_.Ready(*this);
}

CancelScope::CancelScope(Loop& loop, CancelScope* parent) : loop_(loop), parent_(parent) {
  if (parent_ == nullptr) return;
  status_ = parent_->status_;
  next_sibling_ = parent_->children_;
  if (next_sibling_ != nullptr) next_sibling_->previous_sibling_ = this;
  parent_->children_ = this;
}

CancelScope::~CancelScope() {
  PILLION_CHECK(waits_ == nullptr && children_ == nullptr);
  if (parent_ == nullptr) return;
  if (previous_sibling_ != nullptr) {
    previous_sibling_->next_sibling_ = next_sibling_;
  } else {
    parent_->children_ = next_sibling_;
  }
  if (next_sibling_ != nullptr) next_sibling_->previous_sibling_ = previous_sibling_;
}

void CancelScope::Cancel(const absl::Status& why) {
  PILLION_CHECK(!why.ok());
  if (canceled()) return;
  const absl::Status reason = why;  // `why` may belong to something that the cancel ends
  status_ = reason;
  ClearDeadline();
  // OnCancel never runs coroutine code, so the list changes only by the element it is called for,
  // which either leaves the list or, withdrawn later by the kernel, stays in it.
  for (Wait* wait = waits_; wait != nullptr;) {
    Wait* next = wait->next_;
    wait->OnCancel(reason);
    wait = next;
  }
  for (CancelScope* child = children_; child != nullptr; child = child->next_sibling_) {
    child->Cancel(reason);
  }
}

void CancelScope::SetDeadline(TimePoint deadline, const char* why) {
  if (canceled()) return;
  deadline_reason_ = why;
  Timer::Arm(loop_.timers(), deadline);
}

void CancelScope::Unlink(Wait& wait) {
  if (wait.previous_ != nullptr) {
    wait.previous_->next_ = wait.next_;
  } else {
    waits_ = wait.next_;
  }
  if (wait.next_ != nullptr) wait.next_->previous_ = wait.previous_;
}

}  // namespace pillion::net
