// The way from everybody's threads to the engine's: a queue with limits, and a lane of its own for
// large messages, so that small ones do not wait for the disk to take those. Internal to the
// engine. Thread-safe.
#ifndef PILLION_SIDECAR_DELIVERY_COMMAND_QUEUE_H_
#define PILLION_SIDECAR_DELIVERY_COMMAND_QUEUE_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "sidecar/delivery/clock.h"
#include "sidecar/delivery/commands.h"

namespace pillion::delivery {

class CommandQueue {
 public:
  // The limits count what waits and what was not released; outcomes of attempts do not count.
  CommandQueue(size_t max_commands, int64_t max_bytes, Clock* clock)
      : max_commands_(max_commands), max_bytes_(max_bytes), clock_(clock) {}

  // Takes `command`, or leaves it and says why: ResourceExhausted, Cancelled (closed).
  absl::Status Push(Command& command);
  // What is queued, but of large messages only as many as one commit should have, and in every
  // other commit none beside small ones; if that is nothing, waits for something, `wake_at` or
  // Close().
  std::vector<Command> Take(absl::Time wake_at);
  // What Take() handed out last is done.
  void Release();
  void Close();
  // True when Push refuses everything and Take has nothing left.
  bool finished() const;

  // The queue's part of the statistics.
  void AddTo(EngineStats& stats) const;

 private:
  // Of commands that the limits count.
  struct Load {
    size_t commands = 0;
    int64_t bytes = 0;

    void Add(int64_t more_bytes) {
      ++commands;
      bytes += more_bytes;
    }
  };

  const size_t max_commands_;
  const int64_t max_bytes_;
  Clock* const clock_;

  mutable std::mutex mutex_;
  std::condition_variable wakeup_;
  std::vector<Command> queue_;
  std::deque<Command> large_;
  Load all_;     // that wait, in both lanes, and were not released
  Load queued_;  // in queue_
  Load taken_;
  int64_t rejected_ = 0;
  bool closed_ = false;
  bool took_large_ = false;  // the last time
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_COMMAND_QUEUE_H_
