#include "sidecar/worker.h"

#include <utility>

#include "core/check.h"
#include "core/http/problem.h"
#include "core/net/wait_queue.h"
#include "core/strings.h"
#include "core/telemetry/log.h"

namespace pillion::sidecar {
namespace {

constexpr log::Logger kLog("worker");

std::string TooManyConnections() {
  http::Problem problem(503, "UO", "the sidecar has limits.max_connections open already");
  const std::string body = http::ToJson(problem) + "\n";
  return StrCat("HTTP/1.1 503 Service Unavailable\r\ncontent-type: ", http::kProblemContentType,
                "\r\npillion-flag: UO\r\nconnection: close\r\ncontent-length: ", body.size(),
                "\r\n\r\n", body);
}

// How many callers may be told at a time that there are too many; the others are just closed.
constexpr int kMaxRefusing = 64;

// How long to wait when the process is out of descriptors or memory.
constexpr auto kAcceptPause = std::chrono::milliseconds(50);

}  // namespace

// A listener with what its connections share.
struct Worker::Port {
  Port(Worker& worker, std::string name, net::Listener listener,
       std::shared_ptr<const Snapshot> app)
      : name(std::move(name)),
        listener(std::make_unique<net::Listener>(std::move(listener))),
        app(std::move(app)),
        proxy(this->app == nullptr ? Direction::kOutbound : Direction::kInbound, worker.services_,
              this->app == nullptr ? worker.snapshot_ : this->app, worker.access_log_),
        context(*worker.loop_, &worker.scope_, proxy, worker.options_.server) {}

  const std::string name;
  std::unique_ptr<net::Listener> listener;  // none once draining
  const std::shared_ptr<const Snapshot> app;
  Proxy proxy;
  http::ServerContext context;
};

absl::StatusOr<std::unique_ptr<Worker>> Worker::Create(size_t index, const WorkerOptions& options) {
  absl::StatusOr<std::unique_ptr<net::Loop>> loop = net::Loop::Create(options.io);
  if (!loop.ok()) return loop.status();
  return std::unique_ptr<Worker>(new Worker(index, options, *std::move(loop)));
}

Worker::Worker(size_t index, const WorkerOptions& options, std::unique_ptr<net::Loop> loop)
    : index_(index),
      options_(options),
      loop_(std::move(loop)),
      clusters_(*loop_, *options.resolver),
      services_{*loop_,
                clusters_,
                *options.engine,
                options.node_id,
                options.service,
                options.operation_authority,
                options.why_no_policy},
      access_log_(*options.access_log->NewSink()),
      scope_(*loop_),
      acceptors_(*loop_, &scope_),
      connections_(*loop_, &scope_),
      attempts_(services_, snapshot_, options.want_cluster),
      background_(*loop_) {}

Worker::~Worker() { PILLION_CHECK(!thread_.joinable()); }

absl::StatusOr<const net::Listener*> Worker::Listen(const std::string& name,
                                                    const net::Address& address,
                                                    std::shared_ptr<const Snapshot> app,
                                                    const net::Listener* shared) {
  absl::StatusOr<net::Listener> listener = [&]() -> absl::StatusOr<net::Listener> {
    if (shared != nullptr && address.is_unix()) return shared->Share(*loop_);
    net::Listener::Options listen;
    listen.reuse_port = true;
    listen.first = shared == nullptr;
    return net::Listener::Bind(*loop_, shared == nullptr ? address : shared->address(), listen);
  }();
  if (!listener.ok()) return listener.status();
  ports_.push_back(std::make_unique<Port>(*this, name, *std::move(listener), std::move(app)));
  return ports_.back()->listener.get();
}

void Worker::Start() {
  thread_ = std::thread([this] {
    log::SetThreadName(StrCat("worker-", index_));
    ApplyClusters();
    for (std::unique_ptr<Port>& port : ports_) acceptors_.Spawn(AcceptAll(*port));
    loop_->Run();
  });
}

void Worker::SetSnapshot(std::shared_ptr<const Snapshot> snapshot) {
  loop_->Post([this, snapshot = std::move(snapshot)]() mutable {
    // Counted by this worker alone: calls on several workers would fight for one count.
    auto own = std::make_shared<const std::shared_ptr<const Snapshot>>(std::move(snapshot));
    snapshot_ = std::shared_ptr<const Snapshot>(own, own->get());
    ApplyClusters();
    attempts_.OnSnapshot();
  });
}

void Worker::ApplyClusters() {
  std::vector<std::shared_ptr<const upstream::ClusterConfig>> all;
  auto add = [&](const Snapshot* snapshot) {
    if (snapshot == nullptr) return;
    for (const auto& [name, cluster] : snapshot->clusters) all.push_back(cluster);
  };
  add(snapshot_.get());
  for (const std::unique_ptr<Port>& port : ports_) add(port->app.get());
  clusters_.Apply(all);
}

void Worker::Attempt(delivery::ClaimedDelivery delivery) {
  loop_->Post(
      [this, delivery = std::move(delivery)]() mutable { attempts_.Start(std::move(delivery)); });
}

void Worker::AbortAttempt(uint64_t claim) {
  loop_->Post([this, claim] { attempts_.Abort(claim); });
}

net::Task<void> Worker::AcceptAll(Port& port) {
  while (true) {
    absl::StatusOr<net::Socket> socket = co_await port.listener->Accept(acceptors_.scope());
    if (socket.ok()) {
      connections_.Spawn(Serve(*std::move(socket), port));
      continue;
    }
    if (acceptors_.scope().canceled()) {
      // Connections that the kernel took for us already are not to be lost.
      if (!port.listener->readable()) co_return;
      net::CancelScope last(*loop_);
      last.SetDeadline(loop_->now(), "draining");
      absl::StatusOr<net::Socket> late = co_await port.listener->Accept(last);
      if (!late.ok()) co_return;
      connections_.Spawn(Serve(*std::move(late), port));
      continue;
    }
    static log::Limited limited(kLog);
    limited.Warning("cannot accept on ", port.name, ": ", socket.status().ToString());
    (void)co_await net::SleepUntil(loop_->now() + kAcceptPause, acceptors_.scope());
  }
}

net::Task<void> Worker::Serve(net::Socket socket, Port& port) {
  telemetry::DownstreamStats& stats = port.proxy.stats();
  std::atomic<uint32_t>& open = *options_.open_connections;
  if (open.fetch_add(1, std::memory_order_relaxed) < options_.max_connections) {
    stats.cx_total.Add();
    stats.cx_active.Add();
    co_await http::ServeConnection(std::move(socket), port.context, connections_.scope());
    stats.cx_active.Subtract();
    open.fetch_sub(1, std::memory_order_relaxed);
  } else {
    open.fetch_sub(1, std::memory_order_relaxed);
    stats.cx_overflow.Add();
    if (refusing_ >= kMaxRefusing) co_return;
    ++refusing_;
    co_await Refuse(std::move(socket));
    --refusing_;
  }
}

net::Task<void> Worker::Refuse(net::Socket socket) {
  net::CancelScope scope(*loop_, &connections_.scope());
  scope.SetDeadline(loop_->now() + std::chrono::seconds(1), "refusing");
  const std::string answer = TooManyConnections();
  absl::Status sent = co_await socket.Send(scope, answer);
  if (!sent.ok()) co_return;
  // The request is read and dropped: closing over it would reset the connection, and the answer
  // with it.
  socket.ShutdownSend();
  net::Buffer dropped;
  bool more = true;
  while (more) {
    absl::StatusOr<size_t> received = co_await socket.Receive(dropped, scope);
    more = received.ok() && *received > 0;
    dropped.Release();
  }
}

void Worker::Drain() {
  loop_->Post([this] { background_.Spawn(CloseListeners()); });
}

net::Task<void> Worker::CloseListeners() {
  acceptors_.scope().Cancel(absl::CancelledError("draining"));
  co_await acceptors_.Join();
  for (std::unique_ptr<Port>& port : ports_) {
    port->listener.reset();
    port->context.Drain();
  }
}

void Worker::Finish(std::function<void()> done) {
  loop_->Post(
      [this, done = std::move(done)]() mutable { background_.Spawn(FinishAll(std::move(done))); });
}

net::Task<void> Worker::FinishAll(std::function<void()> done) {
  co_await acceptors_.Join();
  co_await connections_.Join();
  co_await attempts_.Join();
  done();
}

void Worker::CutOff() {
  loop_->Post([this] {
    scope_.Cancel(absl::CancelledError("the drain timeout is over"));
    attempts_.AbortAll();
  });
}

void Worker::Stop() {
  loop_->Stop();
  if (thread_.joinable()) thread_.join();
}

void Worker::Collect(telemetry::MetricsBuilder& builder) const {
  for (const std::unique_ptr<Port>& port : ports_) {
    port->proxy.stats().Collect(builder, port->name);
  }
}

}  // namespace pillion::sidecar
