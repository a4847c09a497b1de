// Waiting, and giving up waiting.
//
// Every wait of a coroutine (bytes from a socket, a timer, a place in a queue, an answer from
// another thread) belongs to a CancelScope. Cancelling the scope ends all waits in it, and in the
// scopes below it, with the given status, and every later wait at once. So whoever owns a piece of
// work can end it and wait for its end, and a timeout is nothing but a scope with a deadline.
//
//   CancelScope scope(loop, &call_scope);
//   scope.SetDeadline(loop.now() + 1s, "connect timeout");
//   absl::Status status = co_await connection.Open(scope);
//
// Everything here belongs to one loop's thread. Nothing resumes a coroutine from inside another
// one's code: what ended waits in the loop's ready queue for its turn.

#ifndef PILLION_CORE_NET_CANCEL_H_
#define PILLION_CORE_NET_CANCEL_H_

#include <coroutine>

#include "absl/status/status.h"
#include "core/net/timer.h"

namespace pillion::net {

class CancelScope;
class Loop;

// One suspended coroutine. Awaiters derive from it; they live in the coroutine's frame.
class Wait {
 public:
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

  // Ends the wait: the coroutine resumes in the loop's next round with `status`. REQUIRES: waiting.
  void Finish(absl::Status status);

 protected:
  explicit Wait(Loop& loop) : loop_(loop) {}
  ~Wait() = default;

  // Suspends `waiter` in `scope`. REQUIRES: the scope is not canceled.
  void Suspend(CancelScope& scope, std::coroutine_handle<> waiter);

  // Suspends `waiter` without a scope, to resume in the next round with status().
  void Yield(std::coroutine_handle<> waiter);

  // The scope was canceled: withdraw from whatever was waited for. Finish(why) must follow, now or
  // when the kernel has let go of the operation.
  virtual void OnCancel(const absl::Status& why) { Finish(why); }

  const absl::Status& status() const { return status_; }
  absl::Status status_;
  Loop& loop_;

 private:
  friend class CancelScope;
  friend class Loop;

  std::coroutine_handle<> waiter_;
  CancelScope* scope_ = nullptr;
  Wait* previous_ = nullptr;  // in the scope's list
  Wait* next_ = nullptr;
  Wait* next_ready_ = nullptr;
};

class CancelScope : private Timer {
 public:
  // `parent`, when given, must outlive this scope and cancels it with itself.
  explicit CancelScope(Loop& loop, CancelScope* parent = nullptr);
  CancelScope(const CancelScope&) = delete;
  CancelScope& operator=(const CancelScope&) = delete;
  // REQUIRES: nothing waits in it, and no child scope is left.
  ~CancelScope() override;

  // Ends all waits in this scope and below. The first reason stays. REQUIRES: !why.ok()
  void Cancel(const absl::Status& why);

  // Cancels the scope with DeadlineExceeded and `why` at `deadline`. A second call moves the
  // deadline and the reason. `why` must be static: nothing is allocated for a deadline that does
  // not come.
  void SetDeadline(TimePoint deadline, const char* why);
  void ClearDeadline() { Timer::Disarm(); }

  bool canceled() const { return !status_.ok(); }
  // OK, or why the scope was canceled.
  const absl::Status& status() const { return status_; }
  Loop& loop() const { return loop_; }

 private:
  friend class Wait;

  void OnTimer() override { Cancel(absl::DeadlineExceededError(deadline_reason_)); }
  void Unlink(Wait& wait);

  Loop& loop_;
  CancelScope* const parent_;
  absl::Status status_;
  const char* deadline_reason_ = "";
  Wait* waits_ = nullptr;
  CancelScope* children_ = nullptr;
  CancelScope* previous_sibling_ = nullptr;
  CancelScope* next_sibling_ = nullptr;
};

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_CANCEL_H_
