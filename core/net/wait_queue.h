// Coroutines waiting for something that another part of the same loop will say.
//
//   while (!ready) {
//     if (absl::Status status = co_await queue.Wait(scope); !status.ok()) co_return status;
//   }
//
// First in, first out. Belongs to one loop's thread; resumes nobody from inside the caller.

#ifndef PILLION_CORE_NET_WAIT_QUEUE_H_
#define PILLION_CORE_NET_WAIT_QUEUE_H_

#include <coroutine>
#include <cstddef>
#include <utility>

#include "core/net/cancel.h"

namespace pillion::net {

class WaitQueue {
 public:
  class Awaiter : public net::Wait {
   public:
    Awaiter(WaitQueue& queue, CancelScope& scope);
    bool await_ready();
    void await_suspend(std::coroutine_handle<> waiter);
    absl::Status await_resume() { return std::move(status_); }

   private:
    friend class WaitQueue;
    void OnCancel(const absl::Status& why) override;

    WaitQueue& queue_;
    CancelScope& cancel_scope_;
    Awaiter* previous_in_queue_ = nullptr;
    Awaiter* next_in_queue_ = nullptr;
  };

  WaitQueue() = default;
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;
  // REQUIRES: nobody waits.
  ~WaitQueue();

  // co_await -> absl::Status: OK once woken, else why `scope` was canceled.
  Awaiter Wait(CancelScope& scope) { return Awaiter(*this, scope); }

  // Wakes whoever has waited longest. False when nobody waits.
  bool WakeOne();
  void WakeAll();

  bool empty() const { return first_ == nullptr; }
  size_t size() const { return size_; }

 private:
  void Remove(Awaiter& awaiter);

  Awaiter* first_ = nullptr;
  Awaiter* last_ = nullptr;
  size_t size_ = 0;
};

// co_await SleepUntil(deadline, scope) -> OK at the deadline, else why the scope was canceled.
class SleepUntil : public Wait, private Timer {
 public:
  SleepUntil(TimePoint deadline, CancelScope& scope)
      : Wait(scope.loop()), deadline_(deadline), cancel_scope_(scope) {}
  bool await_ready();
  void await_suspend(std::coroutine_handle<> waiter);
  absl::Status await_resume() { return std::move(status_); }

 private:
  void OnTimer() override { Finish(absl::OkStatus()); }
  void OnCancel(const absl::Status& why) override;

  TimePoint deadline_;
  CancelScope& cancel_scope_;
};

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_WAIT_QUEUE_H_
