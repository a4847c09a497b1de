// Whose turn it is: the limits on what runs, and fairness between targets.
//
// Knows of each target how many of its deliveries run and when its next one is due, not the
// deliveries: those stay in the store, so a million of them cost nothing here. Targets with
// something due and room for it take turns. One thread.
#ifndef PILLION_SIDECAR_DELIVERY_SCHEDULER_H_
#define PILLION_SIDECAR_DELIVERY_SCHEDULER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <utility>

#include "absl/container/node_hash_map.h"
#include "absl/time/time.h"
#include "sidecar/delivery/model.h"

namespace pillion::delivery {

class Scheduler {
 public:
  // At most `max_running` deliveries run at a time, and none is started while the running ones hold
  // `max_running_bytes` or more of messages in memory.
  Scheduler(int max_running, int64_t max_running_bytes)
      : max_running_(max_running), max_running_bytes_(max_running_bytes) {}

  // A delivery of the target is, or will be, due.
  void AddDue(const Target& target, absl::Time due_at);

  // True if a delivery that is due at once may start at once: there is room, and nobody has waited
  // longer.
  bool MayStartNow(const Target& target, int concurrency, absl::Time now);

  // The target whose turn it is to start its next delivery; nothing if none is due or nothing more
  // may run. The caller answers with exactly one of Took (it started or otherwise disposed of that
  // delivery), AtLimit or NotDue (what the store says of the target's next delivery).
  std::optional<Target> NextTurn(absl::Time now);
  void Took(const Target& target);     // and there may be more: back to the end of the queue
  void AtLimit(const Target& target);  // until one of its running deliveries ends
  void NotDue(const Target& target, absl::Time next_due_at);  // InfiniteFuture: it has none

  void Started(const Target& target, int64_t bytes);
  void Ended(const Target& target, int64_t bytes);

  // When NextTurn may have something that it has not now, if nothing else happens: InfiniteFuture
  // if never. InfinitePast: it has something now.
  absl::Time NextDueAt() const;

  int RunningOf(const Target& target) const;

  // Back to: nothing runs, and everybody might be due. For when the store has undone what was
  // planned.
  void Reset();

 private:
  enum class Place {
    kIdle,     // nothing pending
    kTimed,    // in timed_, by due_at
    kReady,    // in ready_
    kAtLimit,  // due, but enough of it runs
    kTurn,     // handed out by NextTurn
  };
  struct Entry {
    int running = 0;
    Place place = Place::kIdle;
    absl::Time due_at = absl::InfiniteFuture();
  };

  void MakeReady(const Target& target, Entry& entry);
  void Schedule(const Target& target, Entry& entry, absl::Time due_at);
  void WakeDue(absl::Time now);
  bool HasRoom() const { return running_ < max_running_ && running_bytes_ < max_running_bytes_; }

  const int max_running_;
  const int64_t max_running_bytes_;
  int running_ = 0;
  int64_t running_bytes_ = 0;
  // As many as the policy has routes and subscriptions. Nodes do not move: timed_ and ready_ point
  // to the keys.
  absl::node_hash_map<Target, Entry> targets_;
  std::set<std::pair<absl::Time, const Target*>> timed_;
  std::deque<const Target*> ready_;
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_SCHEDULER_H_
