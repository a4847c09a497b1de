// The admin endpoints of a sidecar: what it is, what it does, and a few switches. HTTP on an
// address of its own (loopback by default), served by the main loop.
//
//   GET  /ready /config_dump /clusters /listeners /stats/prometheus /server_info
//   POST /drain_listeners /quitquitquit /logging?level=debug
//   /.pillion/deliveries: see deliveries.h

#ifndef PILLION_SIDECAR_ADMIN_ADMIN_H_
#define PILLION_SIDECAR_ADMIN_ADMIN_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/http/server.h"
#include "core/net/address.h"
#include "core/net/loop.h"
#include "core/net/socket.h"
#include "core/net/task_group.h"
#include "core/telemetry/metrics.h"
#include "sidecar/delivery/engine.h"
#include "sidecar/discovery/policy_source.h"

namespace pillion::config::v1 {
class SidecarBootstrap;
}

namespace pillion::sidecar {
class Worker;
struct Snapshot;
}  // namespace pillion::sidecar

namespace pillion::sidecar::admin {

struct Readiness {
  bool ready = false;
  std::string why;  // when it is not
};

struct ListenerInfo {
  std::string name;
  std::string address;  // with the real port
  std::string direction;
  std::string app;  // inbound: where calls go
};

// What the endpoints show and do. Called on the main loop.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual Readiness readiness() const = 0;
  virtual const config::v1::SidecarBootstrap& bootstrap() const = 0;
  virtual std::shared_ptr<const Snapshot> snapshot() const = 0;  // null: none yet
  virtual discovery::SourceState source_state() const = 0;
  virtual std::vector<ListenerInfo> listeners() const = 0;
  virtual size_t worker_count() const = 0;
  virtual Worker& worker(size_t index) = 0;
  virtual std::string_view io_name() const = 0;
  virtual std::string RenderMetrics() const = 0;
  virtual delivery::Engine& engine() = 0;
  virtual bool draining() const = 0;
  virtual void DrainListeners() = 0;
  virtual void Quit() = 0;
};

class AdminServer {
 public:
  // Opens the address. Errors: it cannot be had.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Open(net::Loop& loop,
                                                           const std::string& address,
                                                           Backend& backend);
  ~AdminServer();

  void Start();
  // Lets running answers finish, for a second at most, then calls `done`.
  void Stop(std::function<void()> done);
  const net::Address& address() const { return listener_.address(); }

 private:
  class Handler;

  AdminServer(net::Loop& loop, net::Listener listener, Backend& backend);
  net::Task<void> AcceptAll();
  net::Task<void> StopAll(std::function<void()> done);

  net::Loop& loop_;
  net::Listener listener_;
  net::CancelScope scope_;
  std::unique_ptr<Handler> handler_;
  http::ServerContext context_;
  net::TaskGroup acceptor_;
  net::TaskGroup connections_;
  net::TaskGroup background_;
};

// Metrics of the delivery engine and of the policy source: pillion_delivery_* and pillion_policy_*.
void CollectDeliveries(telemetry::MetricsBuilder& builder, const delivery::Engine& engine);
void CollectPolicy(telemetry::MetricsBuilder& builder, const discovery::SourceState& state);

}  // namespace pillion::sidecar::admin

#endif  // PILLION_SIDECAR_ADMIN_ADMIN_H_
