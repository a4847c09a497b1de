// One worker: a thread with its loop, its listeners, its upstream connections and its counters.
// Workers share nothing but what is immutable; they are told things by mailbox.

#ifndef PILLION_SIDECAR_WORKER_H_
#define PILLION_SIDECAR_WORKER_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "core/http/server.h"
#include "core/net/address.h"
#include "core/net/loop.h"
#include "core/net/socket.h"
#include "core/net/task_group.h"
#include "core/telemetry/access_log.h"
#include "core/telemetry/metrics.h"
#include "sidecar/actions/attempt.h"
#include "sidecar/proxy.h"
#include "sidecar/snapshot.h"
#include "sidecar/upstream/cluster_manager.h"

namespace pillion::sidecar {

// What every worker of the process is given. Outlives the workers.
struct WorkerOptions {
  std::string node_id;
  std::string service;
  std::string operation_authority;  // see Services; may be set until Start()
  net::IoKind io = net::IoKind::kAuto;
  http::ServerOptions server;
  uint32_t max_connections = 10000;  // of the process
  delivery::Engine* engine = nullptr;
  upstream::DnsResolver* resolver = nullptr;
  telemetry::AccessLog* access_log = nullptr;
  std::atomic<uint32_t>* open_connections = nullptr;  // of the process
  // Called on the workers' threads:
  AttemptRunner::WantCluster want_cluster;
  std::function<std::string()> why_no_policy;  // see Services
};

class Worker {
 public:
  // Errors: the loop cannot be made.
  static absl::StatusOr<std::unique_ptr<Worker>> Create(size_t index, const WorkerOptions& options);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  // REQUIRES: not started, or stopped.
  ~Worker();

  // Opens a listener. An inbound one forwards to `app`, its own snapshot; an outbound one follows
  // the policy. With `shared`, another worker's listener on the same address. Returns it, so that
  // the next worker can share it. Errors: the address, and what is wrong with it. REQUIRES: not
  // started.
  absl::StatusOr<const net::Listener*> Listen(const std::string& name, const net::Address& address,
                                              std::shared_ptr<const Snapshot> app,
                                              const net::Listener* shared);

  void Start();

  // The policy for the calls that begin from now on. Any thread.
  void SetSnapshot(std::shared_ptr<const Snapshot> snapshot);

  // Makes one attempt of a delivery; its outcome goes to the engine. Any thread.
  void Attempt(delivery::ClaimedDelivery delivery);
  // Aborts the attempt if it runs here. Any thread.
  void AbortAttempt(uint64_t claim);

  // Stops accepting and closes idle connections; the others close with their current answer. Any
  // thread, once.
  void Drain();
  // Calls `done` on the worker's thread when the last call and the last attempt have ended.
  // REQUIRES: Drain() was called, and no attempt comes any more. Any thread, once.
  void Finish(std::function<void()> done);
  // Cuts off what still runs, so that Finish() comes to its end. Any thread.
  void CutOff();
  // Ends the thread. REQUIRES: finished.
  void Stop();

  std::string_view io_name() const { return loop_->io_name(); }
  // OK, or why `io: AUTO` did not take io_uring.
  const absl::Status& io_uring_status() const { return loop_->io_uring_status(); }
  // Any thread.
  void Collect(telemetry::MetricsBuilder& builder) const;
  net::Loop& loop() { return *loop_; }
  upstream::ClusterManager& clusters() { return clusters_; }

 private:
  struct Port;

  Worker(size_t index, const WorkerOptions& options, std::unique_ptr<net::Loop> loop);
  void ApplyClusters();
  net::Task<void> AcceptAll(Port& port);
  net::Task<void> Serve(net::Socket socket, Port& port);
  net::Task<void> Refuse(net::Socket socket);
  net::Task<void> CloseListeners();
  net::Task<void> FinishAll(std::function<void()> done);

  const size_t index_;
  const WorkerOptions& options_;
  const std::unique_ptr<net::Loop> loop_;
  upstream::ClusterManager clusters_;
  Services services_;
  std::shared_ptr<const Snapshot> snapshot_;
  telemetry::AccessLog::Sink& access_log_;
  net::CancelScope scope_;  // everything that runs here
  net::TaskGroup acceptors_;
  net::TaskGroup connections_;
  int refusing_ = 0;  // connections that are told that there are too many
  AttemptRunner attempts_;
  std::vector<std::unique_ptr<Port>> ports_;
  net::TaskGroup background_;
  std::thread thread_;
};

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_WORKER_H_
