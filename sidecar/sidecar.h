// The sidecar process: everything in it, from configuration to the last drained call.
//
//   auto sidecar = Sidecar::Create(bootstrap);
//   ...                                  // ports are open, nothing is served
//   int exit_status = (*sidecar)->Run();  // until Shutdown() has come to its end

#ifndef PILLION_SIDECAR_SIDECAR_H_
#define PILLION_SIDECAR_SIDECAR_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/net/loop.h"
#include "core/telemetry/access_log.h"
#include "core/telemetry/metrics.h"
#include "pillion/config/v1/bootstrap.pb.h"
#include "sidecar/admin/admin.h"
#include "sidecar/admin/api_server.h"
#include "sidecar/delivery/engine.h"
#include "sidecar/discovery/policy_source.h"
#include "sidecar/snapshot.h"
#include "sidecar/upstream/cluster_shared.h"
#include "sidecar/upstream/dns_resolver.h"
#include "sidecar/worker.h"

namespace pillion::sidecar {

class Sidecar final : public admin::Backend {
 public:
  // Opens the store and all ports. Errors say what cannot be had, and the fix.
  static absl::StatusOr<std::unique_ptr<Sidecar>> Create(config::v1::SidecarBootstrap bootstrap);
  ~Sidecar() override;

  // Serves until a shutdown has ended. Returns the exit status.
  int Run();

  // Begins the shutdown: stops accepting, lets running calls finish, cuts off the rest after
  // drain_timeout. A second call ends the process at once. Any thread.
  void Shutdown();

  // Opens the access log again, after it was moved away. Any thread.
  void ReopenLogs() { access_log_->Reopen(); }

 private:
  explicit Sidecar(config::v1::SidecarBootstrap bootstrap);
  absl::Status Open();
  absl::Status OpenStore();
  absl::Status OpenWorkers();
  // Where upstreams reach one of the listeners; empty if nobody can tell. REQUIRES: they are open.
  std::string OperationAuthority() const;
  absl::Status OpenListener(const config::v1::Listener& listener);
  absl::Status StartDeliveries();
  absl::Status StartApi();
  // Gives an attempt to a worker. The engine's thread.
  void Dispatch(delivery::ClaimedDelivery delivery);
  // When it returns, no worker is given an attempt any more. Any thread.
  void StopDispatching();
  void StartPolicySource();
  void StopPolicySource();
  std::string WhyNoPolicy() const;
  absl::Status Apply(std::shared_ptr<const config::v1::Policy> policy, const std::string& version);
  void Drain();
  void FinishWorkers();
  // Ends the process if the store hangs: nothing can end a thread that waits for a disk.
  void StopEngine();
  void OnWorkerFinished();

  // admin::Backend, on the main loop.
  admin::Readiness readiness() const override;
  const config::v1::SidecarBootstrap& bootstrap() const override { return bootstrap_; }
  std::shared_ptr<const Snapshot> snapshot() const override;
  discovery::SourceState source_state() const override;
  std::vector<admin::ListenerInfo> listeners() const override { return listeners_; }
  size_t worker_count() const override { return workers_.size(); }
  Worker& worker(size_t index) override { return *workers_[index]; }
  std::string_view io_name() const override { return workers_[0]->io_name(); }
  std::string RenderMetrics() const override { return metrics_.Render(); }
  delivery::Engine& engine() override { return *engine_; }
  bool draining() const override { return draining_; }
  void DrainListeners() override { Drain(); }
  void Quit() override { Shutdown(); }

  class DrainTimer;

  const config::v1::SidecarBootstrap bootstrap_;
  std::unique_ptr<net::Loop> loop_;
  telemetry::MetricsPage metrics_;
  std::unique_ptr<telemetry::AccessLog> access_log_;
  upstream::ClusterRegistry clusters_;
  std::unique_ptr<upstream::DnsResolver> resolver_;
  delivery::SystemClock clock_;
  delivery::SecureRandom random_;
  std::unique_ptr<delivery::Engine> engine_;
  std::atomic<uint32_t> open_connections_{0};
  WorkerOptions worker_options_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<admin::ListenerInfo> listeners_;
  std::unique_ptr<admin::AdminServer> admin_;
  std::unique_ptr<admin::ApiServer> api_;  // null: the bootstrap has none
  std::vector<telemetry::MetricsPage::Registration> collectors_;

  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_;         // guarded by mutex_
  std::unique_ptr<discovery::PolicySource> source_;  // the same; the main loop's to set

  std::mutex dispatch_mutex_;
  bool dispatching_ = true;  // guarded by dispatch_mutex_
  size_t next_worker_ = 0;   // the same

  std::atomic<bool> shutting_down_{false};
  // The main loop's:
  std::unique_ptr<DrainTimer> drain_timer_;
  size_t finished_workers_ = 0;
  bool draining_ = false;
};

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_SIDECAR_H_
