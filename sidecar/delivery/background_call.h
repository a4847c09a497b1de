// One call at a time on a thread of its own, for what takes long while its caller has other work.
// It has a lower priority, and where it says GiveWay(), gives way to everybody else until the
// caller needs its end. Internal to the store. Its functions are for one thread, but for GiveWay().
#ifndef PILLION_SIDECAR_DELIVERY_BACKGROUND_CALL_H_
#define PILLION_SIDECAR_DELIVERY_BACKGROUND_CALL_H_

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "absl/status/status.h"

namespace pillion::delivery {

class BackgroundCall {
 public:
  using Call = std::function<absl::Status()>;

  BackgroundCall() = default;
  ~BackgroundCall();  // hurries the call under way, and waits for it

  // Makes the thread. ResourceExhausted: the system has none left.
  absl::Status Open();
  // What `call` touches is its own until Finish(). REQUIRES: Open() succeeded, !started().
  void Start(Call call);
  // Whether there is one that Finish() was not called for.
  bool started() const { return started_; }
  // Whether Finish() would not wait.
  bool done() const;
  // The end of the call under way is needed soon: it does not give way any more.
  void Hurry() { hurried_.store(true, std::memory_order_relaxed); }
  // Hurries, waits, and returns what the call has returned. REQUIRES: started().
  absl::Status Finish();

  // For the call, each time that it has done a few microseconds' work: lets other threads have the
  // processor if they wait for it, unless the call's end is needed.
  void GiveWay();

 private:
  void Run();

  bool started_ = false;
  std::atomic<bool> hurried_ = false;
  unsigned pieces_ = 0;  // of work; of thread_
  std::thread thread_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Call call_;  // null: none to be run
  bool done_ = false;
  bool ending_ = false;
  absl::Status result_;
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_BACKGROUND_CALL_H_
