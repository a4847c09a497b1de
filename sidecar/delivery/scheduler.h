// Whose turn it is: the limits on what runs, and fairness between targets.
//
// Knows of each target how many of its deliveries run and when its next one is due, not the
// deliveries: those stay in the store, so a million of them cost nothing here. Targets with
// something due and room for it take turns.
//
// Room is what the limits leave: of the target, of the cluster that it goes to, and of the whole.
// Of the whole, a target may hold no more than it leaves free. So one that is slow or dead holds
// half of it at most, two of them a third each, and whoever comes next always finds as much free
// ("dynamic thresholds", as switches share their buffers). One thread.
#ifndef PILLION_SIDECAR_DELIVERY_SCHEDULER_H_
#define PILLION_SIDECAR_DELIVERY_SCHEDULER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
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

  // How many deliveries to each cluster may run; to others, any number.
  void SetClusterLimits(const absl::flat_hash_map<std::string, int>& limits);

  // A delivery of the target is, or will be, due.
  void AddDue(const Target& target, absl::Time due_at);

  // True if a delivery that is due at once may start at once: there is room, and nobody has waited
  // longer. `concurrency` is the target's own limit; 0: none.
  bool MayStartNow(const Target& target, const std::string& cluster, int concurrency,
                   absl::Time now);

  // The target whose turn it is to start its next delivery; nothing if none is due or nothing more
  // may run. The caller answers with exactly one of Took (it started or otherwise disposed of that
  // delivery), Wait (if that is true, it must not start now), AtLimit or NotDue (what the store
  // says of the target's next delivery).
  std::optional<Target> NextTurn(absl::Time now);
  // True if a limit forbids to start that delivery: the target waits for room, and its turn is
  // over.
  bool Wait(const Target& target, const std::string& cluster, int concurrency);
  void AtLimit(const Target& target);  // until one of its running deliveries ends
  void Took(const Target& target);     // and there may be more: back to the end of the queue
  void NotDue(const Target& target, absl::Time next_due_at);  // InfiniteFuture: it has none

  void Started(const Target& target, const std::string& cluster, int64_t bytes);
  void Ended(const Target& target, const std::string& cluster, int64_t bytes);

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
    kAtGate,   // due, but waits for room that it shares with others
    kTurn,     // handed out by NextTurn
  };
  // Room that targets share, and those that wait for it: each place that becomes free goes to one
  // of them, who passes it on if it does not need it after all.
  struct Gate {
    int running = 0;
    int limit = std::numeric_limits<int>::max();
    std::deque<const Target*> waiting;
  };
  struct Entry {
    int running = 0;
    int64_t bytes = 0;
    Place place = Place::kIdle;
    absl::Time due_at = absl::InfiniteFuture();
    Gate* let_in_by = nullptr;  // has a place there, until it starts something
  };

  void MakeReady(const Target& target, Entry& entry);
  void Schedule(const Target& target, Entry& entry, absl::Time due_at);
  void WakeDue(absl::Time now);
  void WaitAt(Gate& gate, const Target& target, Entry& entry);
  void LetIn(Gate& gate);
  void PassOn(Entry& entry);
  Entry& TurnOf(const Target& target);
  bool HasRoom() const { return running_ < max_running_ && running_bytes_ < max_running_bytes_; }
  bool HasShare(const Entry& entry) const;

  const int max_running_;
  const int64_t max_running_bytes_;
  int running_ = 0;
  int64_t running_bytes_ = 0;
  // As many as the policies since the start had routes, subscriptions and clusters. Nodes do not
  // move: timed_, ready_ and gates point to the keys, and entries to gates.
  absl::node_hash_map<Target, Entry> targets_;
  absl::node_hash_map<std::string, Gate> clusters_;
  Gate whole_;  // those that wait for their share; its numbers are not used
  std::set<std::pair<absl::Time, const Target*>> timed_;
  std::deque<const Target*> ready_;
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_SCHEDULER_H_
