// The event loop of one thread.
//
// One turn: wait for I/O (at most until the next timer), take what other threads posted, fire
// timers, resume every coroutine whose wait ended. The clock is read once a turn. Apart from
// Post(), Stop() and the constructor everything belongs to the thread that calls Run().

#ifndef PILLION_CORE_NET_LOOP_H_
#define PILLION_CORE_NET_LOOP_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "core/net/cancel.h"
#include "core/net/timer.h"

namespace pillion::net {

class IoBackend;

// kAuto: io_uring where it can be had, else epoll.
enum class IoKind { kAuto, kIoUring, kEpoll };

class Loop {
 public:
  // Errors: the kernel refuses the backend's descriptors; kIoUring cannot be had, and why.
  static absl::StatusOr<std::unique_ptr<Loop>> Create(IoKind kind);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  // Drops what was posted and has not run. REQUIRES: Run() has returned, and nothing waits.
  ~Loop();

  // Turns until Stop(). The calling thread owns the loop from here on: no other may run it again.
  void Run();

  // Makes Run() return after the current turn. Any thread.
  void Stop();

  // Runs `work` in the loop's thread, in the order of the posts. Any thread.
  void Post(absl::AnyInvocable<void()> work);

  // The time at the start of this turn. Before Run(), that of the construction.
  TimePoint now() const { return now_; }

  TimerWheel& timers() { return timers_; }
  IoBackend& io() { return *io_; }
  // "io_uring" or "epoll".
  std::string_view io_name() const;
  // OK, or why kAuto did not take io_uring.
  const absl::Status& io_uring_status() const { return io_uring_status_; }

  // How many operations a coroutine may still complete without waiting before it has to let others
  // run. Taken by I/O awaiters; refilled for every coroutine that the loop resumes.
  bool TakeBudget() { return budget_-- > 0; }

 private:
  friend class Wait;

  Loop(std::unique_ptr<IoBackend> io, absl::Status io_uring_status);
  void Ready(Wait& wait);
  void ResumeReady();
  void TakePosted();

  TimePoint now_;
  TimerWheel timers_;
  std::unique_ptr<IoBackend> io_;
  const absl::Status io_uring_status_;
  Wait* first_ready_ = nullptr;
  Wait* last_ready_ = nullptr;
  int budget_ = 0;
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;
  std::vector<absl::AnyInvocable<void()>> posted_;  // guarded by mutex_
  std::atomic<bool> has_posted_{false};             // set under mutex_, looked at without it
  std::vector<absl::AnyInvocable<void()>> taken_;   // swapped with posted_, keeps its memory
};

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_LOOP_H_
