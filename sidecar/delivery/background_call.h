// One call at a time on a thread of its own, for what takes long while its caller has other work.
// Internal to the store. Its functions are for one thread.
#ifndef PILLION_SIDECAR_DELIVERY_BACKGROUND_CALL_H_
#define PILLION_SIDECAR_DELIVERY_BACKGROUND_CALL_H_

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
  ~BackgroundCall();  // waits for the call under way

  // Makes the thread. ResourceExhausted: the system has none left.
  absl::Status Open();
  // What `call` touches is its own until Finish(). REQUIRES: Open() succeeded, !started().
  void Start(Call call);
  // Whether there is one that Finish() was not called for.
  bool started() const { return started_; }
  // Whether Finish() would not wait.
  bool done() const;
  // Waits, and returns what the call has returned. REQUIRES: started().
  absl::Status Finish();

 private:
  void Run();

  bool started_ = false;
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
