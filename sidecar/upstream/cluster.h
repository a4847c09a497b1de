// One cluster in one worker: its hosts, its pool of connections, and the calls that wait for one.
//
// An idle connection that is handed out was the last to come back (LIFO), so that what is not
// needed grows old and is closed. A call that finds max_connections of the process in use waits,
// first come first served; what then comes back is handed on without going through the pool, now
// and then to another worker whose calls wait as well (see cluster_shared.h).
//
// Every connection, opening ones included, holds one slot of ClusterShared::connections().
//
// Belongs to its loop's thread. Used through ClusterManager.

#ifndef PILLION_SIDECAR_UPSTREAM_CLUSTER_H_
#define PILLION_SIDECAR_UPSTREAM_CLUSTER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include "core/net/cancel.h"
#include "core/net/task.h"
#include "core/net/wait_queue.h"
#include "sidecar/upstream/acquire.h"
#include "sidecar/upstream/cluster_config.h"
#include "sidecar/upstream/cluster_shared.h"
#include "sidecar/upstream/host_set.h"

namespace pillion::upstream {

class Cluster final : public ClusterShared::Member {
 public:
  // `on_idle` runs when a connection is put into the pool: Sweep() has work from then on. Call
  // Start() before anything else.
  Cluster(net::Loop& loop, DnsResolver& resolver, telemetry::FastRandom& random,
          std::shared_ptr<const ClusterConfig> config, std::function<void()> on_idle);
  // REQUIRES: not in_use().
  ~Cluster() override;

  void Start();
  // The cluster as the policy has it now. Closes connections only to hosts that are gone, or beyond
  // the limit.
  void Configure(std::shared_ptr<const ClusterConfig> config);
  // The cluster is no longer in the policy: closes what is idle; calls that know it may go on.
  void Retire();
  bool retired() const { return retired_; }

  // As ClusterManager::Acquire().
  net::ValueOrTask<AcquireResult> Acquire(AcquireOptions options, net::CancelScope& scope);

  // Closes connections that were idle for too long or that the upstream closed. True while there is
  // reason to come again.
  bool Sweep();

  // Leases or calls of Acquire() exist.
  bool in_use() const { return users_ > 0; }

  const ClusterConfig& config() const { return *config_; }
  const HostSet& hosts() const { return hosts_; }

 private:
  friend class Lease;
  struct Waiter;
  class User;

  static AcquireResult Fail(AcquireFailure failure, absl::Status status, HostId host = 0);

  net::Task<AcquireResult> AcquireSlowly(Host* host, AcquireOptions options,
                                         net::CancelScope& scope);
  net::Task<void> AwaitDns(net::CancelScope& scope);
  net::Task<absl::Status> AwaitTurn(Waiter& waiter, net::CancelScope& scope);
  net::Task<AcquireResult> Connect(Host* host, net::CancelScope& scope);
  AcquireResult Overflow();
  AcquireResult NoHost();

  std::unique_ptr<http::ClientConnection> TakeIdle(Host& host);
  Host* AnyIdleHost() const;
  AcquireResult Grant(Host& host, std::unique_ptr<http::ClientConnection> connection, bool reused);

  // What comes back: a connection that can serve again, or a slot.
  void EndLease(Host& host, std::unique_ptr<http::ClientConnection> connection, bool reusable);
  void GiveBack(Host& host, std::unique_ptr<http::ClientConnection> connection, bool reusable);
  void Return(Host& host, std::unique_ptr<http::ClientConnection> connection);
  void ReturnSlot();
  void Close(std::unique_ptr<http::ClientConnection> connection);  // the slot stays taken
  void CloseIdle(Host& host);
  bool CloseOldestIdle();
  bool over_limit() const;
  bool MayServeOwn();
  void GiveToFirst(Host* host, std::unique_ptr<http::ClientConnection> connection);
  void GrantFreeSlots();
  void OnSlotGranted() override;
  void OnIdleWanted() override;

  ClusterShared& shared() const { return *config_->shared; }
  uint32_t max_connections() const { return config_->circuit_breakers.max_connections; }

  std::shared_ptr<const ClusterConfig> config_;
  const std::function<void()> on_idle_;
  HostSet hosts_;
  net::WaitQueue hosts_changed_;
  std::deque<Waiter*> waiters_;
  size_t idle_ = 0;  // connections in the pool, of all hosts
  size_t users_ = 0;
  uint32_t own_turns_ = 0;  // times in a row that own waiters came before those of other workers
  bool retired_ = false;
};

}  // namespace pillion::upstream

#endif  // PILLION_SIDECAR_UPSTREAM_CLUSTER_H_
