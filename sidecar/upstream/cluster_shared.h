// What all workers of the process share about one cluster: the counters behind its circuit
// breakers, and the way a freed connection slot finds the worker whose calls wait for one.
//
// Limits hold for the process, while pools of connections are per worker. So when a call finds all
// max_connections in use it waits in its worker (a ClusterShared::Member), which says here how many
// wait. Whoever closes a connection hands its slot to the member that has waited longest; and
// workers that keep idle connections are asked to close some for it. While nobody waits, which is
// the normal state, all this costs a worker one relaxed look at an atomic.
//
// The object belongs to the cluster's name, not to one edit of the policy: see ClusterRegistry.
//
// Threads: any, unless it says otherwise.

#ifndef PILLION_SIDECAR_UPSTREAM_CLUSTER_SHARED_H_
#define PILLION_SIDECAR_UPSTREAM_CLUSTER_SHARED_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/net/loop.h"
#include "core/telemetry/proxy_stats.h"

namespace pillion::upstream {

// A number in use that must not exceed a limit.
class alignas(telemetry::kCacheLine) UseCounter {
 public:
  // False, and nothing taken, when `limit` are in use already.
  bool TryTake(uint32_t limit) {
    uint32_t used = used_.load();
    while (used < limit) {
      if (used_.compare_exchange_weak(used, used + 1)) return true;
    }
    return false;
  }
  void Release() { used_.fetch_sub(1); }
  uint32_t used() const { return used_.load(); }

 private:
  std::atomic<uint32_t> used_{0};
};

// A place in a UseCounter, given back when it goes. Must not outlive the counter: whoever holds one
// holds the policy snapshot it was taken with.
class UseSlot {
 public:
  UseSlot() = default;
  // Takes a place if there is one.
  UseSlot(UseCounter& counter, uint32_t limit)
      : counter_(counter.TryTake(limit) ? &counter : nullptr) {}
  UseSlot(UseSlot&& other) noexcept : counter_(std::exchange(other.counter_, nullptr)) {}
  UseSlot& operator=(UseSlot&& other) noexcept {
    std::swap(counter_, other.counter_);
    return *this;
  }
  ~UseSlot() {
    if (counter_ != nullptr) counter_->Release();
  }

  explicit operator bool() const { return counter_ != nullptr; }

 private:
  UseCounter* counter_ = nullptr;
};

class ClusterShared : public std::enable_shared_from_this<ClusterShared> {
 public:
  // One worker's part in the cluster. Joins and leaves in its loop's thread, where it also gets its
  // calls.
  class Member : public std::enable_shared_from_this<Member> {
   public:
    explicit Member(net::Loop& loop) : loop_(loop) {}
    virtual ~Member() = default;

    // Read by the metrics page.
    telemetry::ClusterStats& stats() { return stats_; }

   protected:
    net::Loop& loop_;

   private:
    friend class ClusterShared;

    // A slot of max_connections is this member's now.
    virtual void OnSlotGranted() = 0;
    // Another worker has calls waiting: close idle connections while others_wait().
    virtual void OnIdleWanted() = 0;

    telemetry::ClusterStats stats_;
    // Guarded by ClusterShared::mutex_:
    uint32_t wanted_ = 0;     // calls that wait and for which no slot is under way
    uint32_t under_way_ = 0;  // slots granted that have not arrived
    bool idle_wanted_ = false;
  };

  explicit ClusterShared(std::string name) : name_(std::move(name)) {}

  const std::string& name() const { return name_; }

  UseCounter& connections() { return connections_; }
  UseCounter& pending() { return pending_; }
  UseCounter& requests() { return requests_; }
  UseCounter& retries() { return retries_; }

  // REQUIRES: the member stays until Leave(), and its loop until after that.
  void Join(Member& member);
  void Leave(Member& member);

  // Says that `waiting` calls of the member wait for a slot. More than before asks the others for
  // their idle connections. After it has grown, try connections() once more: a slot may have come
  // free before the wish was known.
  void SetWaiting(Member& member, uint32_t waiting);

  // The member has received a slot in OnSlotGranted(); `waiting` calls of it still wait.
  void SlotArrived(Member& member, uint32_t waiting);

  // True when workers other than the member's have waiting calls.
  bool others_wait(const Member& member);

  // Gives up one slot of connections(). It goes to a member that waits (another one than `from`, if
  // there is one) unless more than `limit` are in use.
  void ReleaseConnection(const Member* from, uint32_t limit);

  // How many endpoints there are, and how many of them have an address. Set by any worker: all see
  // the same.
  void SetMembership(size_t total, size_t healthy);

  // Adds the metrics of all workers.
  void Collect(telemetry::MetricsBuilder& builder);

 private:
  bool GrantLocked(const Member* from);
  void PostGrantLocked(Member& member);
  void AskForIdleLocked(const Member& asking);
  void SetWantedLocked(Member& member, uint32_t waiting);

  const std::string name_;
  UseCounter connections_;
  UseCounter pending_;
  UseCounter requests_;
  UseCounter retries_;
  alignas(telemetry::kCacheLine) std::atomic<uint32_t> wanted_{0};  // of all members
  std::atomic<size_t> membership_total_{0};
  std::atomic<size_t> membership_healthy_{0};

  std::mutex mutex_;
  std::vector<Member*> members_;
  std::vector<Member*> queue_;  // members that want slots, who came first first
};

// Finds the ClusterShared of a name, so that an edit of the policy, or a cluster that goes and
// comes back, finds the counters as they are. Lives as long as the process. Threads: any.
class ClusterRegistry {
 public:
  ClusterRegistry() = default;
  ClusterRegistry(const ClusterRegistry&) = delete;
  ClusterRegistry& operator=(const ClusterRegistry&) = delete;

  // Made if nobody holds one. It lives as long as a configuration or a worker holds it.
  std::shared_ptr<ClusterShared> Get(std::string_view name);

  // Adds the metrics of all clusters.
  void Collect(telemetry::MetricsBuilder& builder);

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::weak_ptr<ClusterShared>> clusters_;
  size_t sweep_at_ = 64;  // number of entries at which those that nobody holds are dropped
};

}  // namespace pillion::upstream

#endif  // PILLION_SIDECAR_UPSTREAM_CLUSTER_SHARED_H_
