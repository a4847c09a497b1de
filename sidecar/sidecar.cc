#include "sidecar/sidecar.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <thread>
#include <utility>

#include "core/config/defaults.h"
#include "core/counted.h"
#include "core/http/header_names.h"
#include "core/routing/visibility.h"
#include "core/strings.h"
#include "core/telemetry/log.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/actions/callback.h"
#include "sidecar/delivery/sqlite_store.h"
#include "sidecar/duration.h"

namespace pillion::sidecar {
namespace {

constexpr log::Logger kLog("sidecar");

// Next to one instance of a service more would only cost memory.
constexpr unsigned kDefaultWorkers = 2;

// How long the last commits may take. Normally they take milliseconds.
constexpr auto kStorePatience = std::chrono::seconds(10);

// What an inbound listener does, said as a policy: everything goes to the local service, which
// alone decides how long it takes.
config::v1::Policy AppPolicy(const config::v1::Listener& listener, uint32_t max_connections) {
  config::v1::Policy policy;
  config::v1::Cluster& cluster = *policy.add_clusters();
  cluster.set_name(StrCat("app-", listener.name()));
  cluster.add_endpoints()->set_address(listener.app());
  config::v1::CircuitBreakers& limits = *cluster.mutable_circuit_breakers();
  limits.set_max_connections(max_connections);
  limits.set_max_requests(max_connections);
  limits.set_max_pending_requests(max_connections);
  config::v1::VirtualHost& host = *policy.add_virtual_hosts();
  host.set_name(listener.name());
  host.add_domains("*");
  config::v1::Route& route = *host.add_routes();
  route.set_name(StrCat(listener.name(), "-app"));
  route.mutable_match()->set_prefix("");  // "OPTIONS *" included
  route.mutable_route()->set_cluster(cluster.name());
  route.mutable_route()->mutable_timeout()->set_seconds(0);
  // A caller must be able to tell a proxy's error from the service's.
  route.mutable_route()->add_response_headers_to_remove(
      std::string(http::HeaderName(http::HeaderId::kPillionFlag)));
  config::ApplyDefaults(&policy);
  return policy;
}

net::IoKind IoKindOf(config::v1::Runtime::Io io) {
  switch (io) {
    case config::v1::Runtime::EPOLL:
      return net::IoKind::kEpoll;
    case config::v1::Runtime::IO_URING:
      return net::IoKind::kIoUring;
    default:
      return net::IoKind::kAuto;
  }
}

// Virtual hosts that this service may not see are left out: control leaves them out itself.
std::shared_ptr<const config::v1::Policy> VisibleTo(
    const std::string& service, std::shared_ptr<const config::v1::Policy> policy) {
  auto visible = std::make_shared<config::v1::Policy>(*policy);
  auto& hosts = *visible->mutable_virtual_hosts();
  for (int i = hosts.size() - 1; i >= 0; --i) {
    if (!routing::IsVisibleTo(service, hosts.Get(i))) hosts.DeleteSubrange(i, 1);
  }
  return visible;
}

absl::flat_hash_map<std::string, int> DeliveryLimits(const config::v1::Policy& policy) {
  absl::flat_hash_map<std::string, int> limits;
  for (const config::v1::Cluster& cluster : policy.clusters()) {
    limits.emplace(cluster.name(), static_cast<int>(cluster.circuit_breakers().max_deliveries()));
  }
  return limits;
}

}  // namespace

class Sidecar::DrainTimer : public net::Timer {
 public:
  explicit DrainTimer(Sidecar& sidecar) : sidecar_(sidecar) {}

 private:
  void OnTimer() override {
    kLog.Warning("the drain timeout of ",
                 config::DurationText(config::ToAbslDuration(sidecar_.bootstrap_.drain_timeout())),
                 " is over: cutting off what still runs");
    for (std::unique_ptr<Worker>& worker : sidecar_.workers_) worker->CutOff();
  }

  Sidecar& sidecar_;
};

Sidecar::Sidecar(config::v1::SidecarBootstrap bootstrap) : bootstrap_(std::move(bootstrap)) {}

absl::StatusOr<std::unique_ptr<Sidecar>> Sidecar::Create(config::v1::SidecarBootstrap bootstrap) {
  std::unique_ptr<Sidecar> sidecar(new Sidecar(std::move(bootstrap)));
  absl::Status opened = sidecar->Open();
  if (!opened.ok()) return opened;
  return sidecar;
}

Sidecar::~Sidecar() {
  StopPolicySource();
  if (engine_ != nullptr) engine_->Stop();
}

absl::Status Sidecar::Open() {
  absl::StatusOr<std::unique_ptr<net::Loop>> loop = net::Loop::Create(net::IoKind::kEpoll);
  if (!loop.ok()) return loop.status();
  loop_ = *std::move(loop);

  telemetry::AccessLog::Options access;
  access.path = bootstrap_.log().access();
  access.format = bootstrap_.log().format() == config::v1::JSON
                      ? telemetry::AccessLog::Format::kJson
                      : telemetry::AccessLog::Format::kText;
  absl::StatusOr<std::unique_ptr<telemetry::AccessLog>> access_log =
      telemetry::AccessLog::Open(std::move(access));
  if (!access_log.ok()) return access_log.status();
  access_log_ = *std::move(access_log);

  absl::Status status = OpenStore();
  if (status.ok()) status = OpenWorkers();
  if (!status.ok()) return status;
  absl::StatusOr<std::unique_ptr<admin::AdminServer>> admin =
      admin::AdminServer::Open(*loop_, bootstrap_.admin().address(), *this);
  if (!admin.ok()) return admin.status();
  admin_ = *std::move(admin);
  status = StartDeliveries();
  if (status.ok() && bootstrap_.has_api()) status = StartApi();
  return status;
}

absl::Status Sidecar::OpenStore() {
  absl::StatusOr<std::unique_ptr<delivery::SqliteStore>> store =
      delivery::SqliteStore::Open(bootstrap_.store().path());
  if (!store.ok()) return store.status();
  delivery::EngineOptions options;
  options.owner = bootstrap_.node().id();
  options.callback_of = CallbackOf;
  options.max_pending = static_cast<int64_t>(bootstrap_.store().max_pending());
  options.max_store_bytes = static_cast<int64_t>(bootstrap_.store().max_bytes());
  engine_ = std::make_unique<delivery::Engine>(options, *std::move(store), &clock_, &random_);
  return absl::OkStatus();
}

absl::Status Sidecar::OpenWorkers() {
  resolver_ = std::make_unique<upstream::DnsResolver>();

  const config::v1::Limits& limits = bootstrap_.limits();
  worker_options_.node_id = bootstrap_.node().id();
  worker_options_.service = bootstrap_.node().service();
  worker_options_.io = IoKindOf(bootstrap_.runtime().io());
  worker_options_.server.head.max_header_bytes = limits.max_header_bytes();
  worker_options_.server.head.max_request_line = limits.max_target_bytes();
  worker_options_.server.head.max_headers = limits.max_headers();
  worker_options_.server.request_headers_timeout = ToChrono(limits.request_headers_timeout());
  worker_options_.server.idle_timeout = ToChrono(limits.idle_timeout());
  worker_options_.max_connections = limits.max_connections();
  worker_options_.engine = engine_.get();
  worker_options_.resolver = resolver_.get();
  worker_options_.access_log = access_log_.get();
  worker_options_.open_connections = &open_connections_;
  worker_options_.want_cluster = [this](const std::string& name) {
    // The main loop's thread makes the source and ends it.
    loop_->Post([this, name] {
      if (source_ != nullptr) source_->WantCluster(name);
    });
  };

  worker_options_.why_no_policy = [this] { return WhyNoPolicy(); };

  size_t count = bootstrap_.runtime().workers();
  if (count == 0) count = std::clamp(std::thread::hardware_concurrency(), 1u, kDefaultWorkers);
  for (size_t i = 0; i < count; ++i) {
    absl::StatusOr<std::unique_ptr<Worker>> worker = Worker::Create(i, worker_options_);
    if (!worker.ok()) {
      return absl::Status(worker.status().code(),
                          StrCat("runtime.io: ", FromAbsl(worker.status().message())));
    }
    workers_.push_back(*std::move(worker));
  }
  for (const config::v1::Listener& listener : bootstrap_.listeners()) {
    absl::Status opened = OpenListener(listener);
    if (!opened.ok()) return opened;
  }
  worker_options_.operation_authority = OperationAuthority();
  return absl::OkStatus();
}

std::string Sidecar::OperationAuthority() const {
  if (!bootstrap_.node().address().empty()) return bootstrap_.node().address();
  const auto inbound =
      std::find_if(listeners_.begin(), listeners_.end(),
                   [](const admin::ListenerInfo& info) { return info.direction == "INBOUND"; });
  const std::string& address =
      (inbound != listeners_.end() ? *inbound : listeners_.front()).address;
  const absl::StatusOr<net::Address> parsed = net::Address::Parse(address);
  const bool reachable = parsed.ok() && !parsed->is_unix() && parsed->host() != "0.0.0.0" &&
                         parsed->host() != "[::]" && parsed->host() != "::";
  return reachable ? address : "";
}

absl::Status Sidecar::OpenListener(const config::v1::Listener& listener) {
  absl::StatusOr<net::Address> address = net::Address::Parse(listener.address());
  if (!address.ok()) return address.status();
  std::shared_ptr<const Snapshot> app;
  if (listener.direction() == config::v1::Listener::INBOUND) {
    absl::StatusOr<std::shared_ptr<const Snapshot>> compiled =
        CompileSnapshot(std::make_shared<config::v1::Policy>(
                            AppPolicy(listener, bootstrap_.limits().max_connections())),
                        "bootstrap", clusters_);
    if (!compiled.ok()) return compiled.status();
    app = *std::move(compiled);
  }
  const net::Listener* first = nullptr;
  for (std::unique_ptr<Worker>& worker : workers_) {
    absl::StatusOr<const net::Listener*> opened =
        worker->Listen(listener.name(), *address, app, first);
    if (!opened.ok()) {
      return absl::Status(
          opened.status().code(),
          StrCat("listener '", listener.name(), "': ", FromAbsl(opened.status().message())));
    }
    if (first == nullptr) first = *opened;
  }
  admin::ListenerInfo info;
  info.name = listener.name();
  info.address = first->address().ToString();
  info.direction = app == nullptr ? "OUTBOUND" : "INBOUND";
  info.app = listener.app();
  listeners_.push_back(std::move(info));
  return absl::OkStatus();
}

absl::Status Sidecar::StartDeliveries() {
  // The workers do not run yet: what is dispatched already waits in their mailboxes.
  return engine_->Start(
      [this](delivery::ClaimedDelivery delivery) { Dispatch(std::move(delivery)); },
      [this](uint64_t claim) {
        for (std::unique_ptr<Worker>& worker : workers_) worker->AbortAttempt(claim);
      });
}

absl::Status Sidecar::StartApi() {
  absl::StatusOr<std::unique_ptr<admin::ApiServer>> api =
      admin::ApiServer::Start(bootstrap_.api().address(), *engine_);
  if (!api.ok()) return api.status();
  api_ = *std::move(api);
  return absl::OkStatus();
}

void Sidecar::Dispatch(delivery::ClaimedDelivery delivery) {
  std::lock_guard lock(dispatch_mutex_);
  if (dispatching_) {
    workers_[next_worker_++ % workers_.size()]->Attempt(std::move(delivery));
  } else {
    delivery::AttemptOutcome outcome;
    outcome.verdict = delivery::AttemptOutcome::Verdict::kAborted;
    engine_->Complete(delivery.claim, std::move(outcome));
  }
}

void Sidecar::StopDispatching() {
  engine_->StopDispatching();
  // What it dispatches nevertheless, as it was about to, goes back instead of to a worker.
  std::lock_guard lock(dispatch_mutex_);
  dispatching_ = false;
}

void Sidecar::StartPolicySource() {
  auto apply = [this](std::shared_ptr<const config::v1::Policy> policy,
                      const std::string& version) { return Apply(std::move(policy), version); };
  const std::string last_good_path = StrCat(bootstrap_.store().path(), "/last_good_policy");
  const config::v1::PolicySource& source = bootstrap_.policy();
  std::unique_ptr<discovery::PolicySource> started;
  if (source.has_control()) {
    discovery::ControlOptions options;
    options.address = source.control().address();
    options.node_id = bootstrap_.node().id();
    options.service = bootstrap_.node().service();
    options.last_good_path = last_good_path;
    started = discovery::FollowControl(std::move(options), std::move(apply));
  } else {
    started = discovery::WatchPolicyFiles({source.files().begin(), source.files().end()},
                                          last_good_path, std::move(apply));
  }
  std::lock_guard lock(mutex_);
  source_ = std::move(started);
}

// Its end waits for its thread, which may be in Apply(): not under the mutex.
void Sidecar::StopPolicySource() {
  std::unique_ptr<discovery::PolicySource> ended;
  std::lock_guard lock(mutex_);
  ended = std::move(source_);
}

// What is told to callers as long as there is no policy. Any thread.
std::string Sidecar::WhyNoPolicy() const {
  const discovery::SourceState state = source_state();
  const std::string_view all = state.last_error;
  const std::string_view first = all.substr(0, all.find('\n'));
  if (state.refusing) {
    return StrCat("the policy was refused, and there is none from before: ", first,
                  first.size() + 1 < all.size()
                      ? " (/ready on the admin listener and the log have all mistakes)"
                      : "");
  }
  if (!first.empty()) return StrCat("no policy has arrived yet: ", first);
  if (state.kind == "control" && state.connected) {
    return StrCat("no policy has arrived yet: control at ", state.from,
                  " has sent none so far; `pillionctl status` says why");
  }
  return "no policy has arrived yet: is control running, or a policy file named?";
}

absl::Status Sidecar::Apply(std::shared_ptr<const config::v1::Policy> policy,
                            const std::string& version) {
  policy = VisibleTo(bootstrap_.node().service(), std::move(policy));
  absl::StatusOr<std::shared_ptr<const Snapshot>> snapshot =
      CompileSnapshot(std::move(policy), version, clusters_);
  if (!snapshot.ok()) return snapshot.status();
  engine_->LimitClusters(DeliveryLimits(*(*snapshot)->policy));
  // First the workers, then /ready: a call made after it said yes finds the policy.
  for (std::unique_ptr<Worker>& worker : workers_) worker->SetSnapshot(*snapshot);
  {
    std::lock_guard lock(mutex_);
    snapshot_ = *snapshot;
  }
  for (const std::string& warning : (*snapshot)->warnings) kLog.Warning(warning);
  kLog.Info("policy ", version,
            " is in effect: ", Counted((*snapshot)->policy->virtual_hosts_size(), "virtual host"),
            ", ", Counted((*snapshot)->policy->clusters_size(), "cluster"), ", ",
            Counted((*snapshot)->policy->subscriptions_size(), "subscription"));
  return absl::OkStatus();
}

int Sidecar::Run() {
  collectors_.push_back(metrics_.Register([this](telemetry::MetricsBuilder& builder) {
    for (const std::unique_ptr<Worker>& worker : workers_) worker->Collect(builder);
    clusters_.Collect(builder);
    access_log_->Collect(builder);
    admin::CollectDeliveries(builder, *engine_);
    admin::CollectPolicy(builder, source_state());
  }));
  std::string why_no_io_uring;
  if (const absl::Status& status = workers_[0]->io_uring_status(); !status.ok()) {
    why_no_io_uring = StrCat(" (not io_uring: ", FromAbsl(status.message()), ")");
  }
  kLog.Info("node ", bootstrap_.node().id(), " of service ", bootstrap_.node().service(), ": ",
            workers_.size(), " workers on ", io_name(), why_no_io_uring, "; store ",
            bootstrap_.store().path());
  // No attempt has ended yet: these are all that the last process left.
  const delivery::EngineStats found = engine_->stats();
  kLog.Info("found in the store: ", found.pending + found.running, " pending, ", found.dead,
            " failed (dead letters)");
  for (const admin::ListenerInfo& listener : listeners_) {
    kLog.Info("listener '", listener.name, "' (", listener.direction, ") on ", listener.address);
  }
  kLog.Info("admin on ", admin_->address().ToString());
  if (api_ != nullptr) kLog.Info("api on ", api_->address());
  for (std::unique_ptr<Worker>& worker : workers_) worker->Start();
  StartPolicySource();
  admin_->Start();
  loop_->Run();
  StopPolicySource();
  for (std::unique_ptr<Worker>& worker : workers_) worker->Stop();
  StopEngine();
  kLog.Info("stopped");
  return 0;
}

void Sidecar::StopEngine() {
  std::promise<void> stopped;
  std::thread stopping([&] {
    engine_->Stop();
    api_.reset();  // its calls have all been answered by now
    stopped.set_value();
  });
  if (stopped.get_future().wait_for(kStorePatience) != std::future_status::ready) {
    kLog.Error("the store does not answer: ending without it; what it has not stored of the ",
               "deliveries is lost, and they run again");
    _exit(1);
  }
  stopping.join();
}

void Sidecar::Shutdown() {
  if (shutting_down_.exchange(true)) {
    kLog.Warning("told to stop a second time: ending at once");
    _exit(1);
  }
  loop_->Post([this] {
    StopDispatching();
    kLog.Info("shutting down: no new calls; running ones may finish");
    drain_timer_ = std::make_unique<DrainTimer>(*this);
    drain_timer_->Arm(loop_->timers(), net::Clock::now() + ToChrono(bootstrap_.drain_timeout()));
    Drain();
    FinishWorkers();
  });
}

void Sidecar::Drain() {
  if (draining_) return;
  draining_ = true;
  for (std::unique_ptr<Worker>& worker : workers_) worker->Drain();
}

void Sidecar::FinishWorkers() {
  for (std::unique_ptr<Worker>& worker : workers_) {
    worker->Finish([this] { loop_->Post([this] { OnWorkerFinished(); }); });
  }
}

void Sidecar::OnWorkerFinished() {
  ++finished_workers_;
  if (finished_workers_ < workers_.size()) return;
  drain_timer_.reset();
  admin_->Stop([this] { loop_->Stop(); });
}

admin::Readiness Sidecar::readiness() const {
  admin::Readiness readiness;
  if (draining_) {
    readiness.why = "draining";
  } else if (snapshot() == nullptr) {
    const std::string error = source_state().last_error;
    readiness.why = error.empty() ? "no policy has arrived yet" : error;
  } else {
    readiness.ready = true;
  }
  return readiness;
}

std::shared_ptr<const Snapshot> Sidecar::snapshot() const {
  std::lock_guard lock(mutex_);
  return snapshot_;
}

discovery::SourceState Sidecar::source_state() const {
  std::lock_guard lock(mutex_);
  return source_ == nullptr ? discovery::SourceState() : source_->state();
}

}  // namespace pillion::sidecar
