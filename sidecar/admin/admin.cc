#include "sidecar/admin/admin.h"

#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/http/problem.h"
#include "core/net/wait_queue.h"
#include "core/strings.h"
#include "core/telemetry/log.h"
#include "core/version.h"
#include "pillion/config/v1/bootstrap.pb.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/admin/deliveries.h"
#include "sidecar/snapshot.h"
#include "sidecar/upstream/cluster_status.h"
#include "sidecar/worker.h"

namespace pillion::sidecar::admin {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kJson = "application/json";
constexpr auto kStopPatience = std::chrono::seconds(1);

std::string Text(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, options).ok()) return nullptr;
  return Json::parse(text, nullptr, false);
}

std::string TimeText(absl::Time time) {
  if (time == absl::Time() || time == absl::InfiniteFuture()) return "";
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

Json SourceJson(const discovery::SourceState& state) {
  Json json;
  json["kind"] = state.kind;
  json["from"] = state.from;
  json["connected"] = state.connected;
  json["connected_since"] = TimeText(state.connected_since);
  json["version"] = state.version;
  json["version_since"] = TimeText(state.version_since);
  json["from_last_good_copy"] = state.from_last_good_copy;
  json["last_error"] = state.last_error;
  json["applied"] = state.applied;
  json["rejected"] = state.rejected;
  return json;
}

// The value of `name` in a query, or "".
std::string_view QueryValue(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (ConsumePrefix(pair, name) && ConsumePrefix(pair, "=")) return pair;
  }
  return "";
}

}  // namespace

class AdminServer::Handler final : public http::RequestHandler {
 public:
  Handler(net::Loop& loop, Backend& backend)
      : loop_(loop), backend_(backend), started_(absl::Now()) {}

  net::Task<void> Handle(http::ServerExchange& exchange) override {
    if (exchange.parse_error()) {
      http::Problem problem(exchange.parse_error()->status, "DPE", exchange.parse_error()->reason);
      (void)co_await exchange.SendProblem(problem, exchange.scope());
      co_return;
    }
    const std::string_view path = exchange.request().path;
    if (path.starts_with("/.pillion/")) {
      co_await ServeDeliveries(exchange, loop_, backend_.engine());
      co_return;
    }
    if (path == "/clusters") {
      const std::string clusters = co_await Clusters(exchange.scope());
      (void)co_await exchange.SendWhole(200, kJson, clusters, exchange.scope());
      co_return;
    }
    co_await ServeSimple(exchange);
  }

 private:
  struct Endpoint {
    std::string_view method;
    std::string_view content_type;
    std::string (Handler::*body)(const http::RequestHead&, int* status);
  };

  // What needs no waiting.
  net::Task<void> ServeSimple(http::ServerExchange& exchange) {
    static const std::map<std::string_view, Endpoint>& endpoints =
        *new std::map<std::string_view, Endpoint>{
            {"/", {"GET", "text/plain", &Handler::Index}},
            {"/ready", {"GET", "text/plain", &Handler::Ready}},
            {"/config_dump", {"GET", kJson, &Handler::ConfigDump}},
            {"/listeners", {"GET", kJson, &Handler::Listeners}},
            {"/stats/prometheus", {"GET", telemetry::MetricsPage::kContentType, &Handler::Metrics}},
            {"/server_info", {"GET", kJson, &Handler::ServerInfo}},
            {"/drain_listeners", {"POST", "text/plain", &Handler::DrainListeners}},
            {"/quitquitquit", {"POST", "text/plain", &Handler::Quit}},
            {"/logging", {"POST", "text/plain", &Handler::Logging}},
        };
    const http::RequestHead& request = exchange.request();
    const auto found = endpoints.find(request.path);
    if (found == endpoints.end()) {
      http::Problem problem(404, "", "no such admin endpoint; GET / lists them");
      (void)co_await exchange.SendProblem(problem, exchange.scope());
      co_return;
    }
    const Endpoint& endpoint = found->second;
    const bool allowed =
        request.method == endpoint.method || (request.method == "HEAD" && endpoint.method == "GET");
    if (!allowed) {
      http::Problem problem(405, "", StrCat("use ", endpoint.method));
      problem.headers.emplace_back("allow", std::string(endpoint.method));
      (void)co_await exchange.SendProblem(problem, exchange.scope());
      co_return;
    }
    int status = 200;
    const std::string body = (this->*endpoint.body)(request, &status);
    (void)co_await exchange.SendWhole(status, endpoint.content_type, body, exchange.scope());
  }

  std::string Index(const http::RequestHead&, int*) {
    return "GET  /ready             200 when the sidecar can take calls, else 503 with the reason\n"
           "GET  /config_dump       bootstrap, policy in effect with warnings, state of its "
           "source\n"
           "GET  /clusters          endpoints, connections and calls of each cluster\n"
           "GET  /listeners         addresses with their real ports\n"
           "GET  /stats/prometheus  metrics\n"
           "GET  /server_info       node, version, uptime, I/O backend\n"
           "GET  /.pillion/deliveries?state=failed   deliveries; POST ...:replay, :cancel, :drop\n"
           "POST /drain_listeners   stop taking connections\n"
           "POST /quitquitquit      drain and end\n"
           "POST /logging?level=    trace, debug, info, warn, error or off\n";
  }

  std::string Ready(const http::RequestHead&, int* status) {
    const Readiness readiness = backend_.readiness();
    if (readiness.ready) return "ready\n";
    *status = 503;
    return StrCat("not ready: ", readiness.why, "\n");
  }

  std::string ConfigDump(const http::RequestHead&, int*) {
    Json json;
    json["bootstrap"] = ToJson(backend_.bootstrap());
    const std::shared_ptr<const Snapshot> snapshot = backend_.snapshot();
    discovery::SourceState source = backend_.source_state();
    // The source hears a moment later that its policy is in effect.
    if (snapshot != nullptr) source.version = snapshot->version;
    json["policy_source"] = SourceJson(source);
    json["version"] = snapshot == nullptr ? "" : snapshot->version;
    json["warnings"] = snapshot == nullptr ? std::vector<std::string>() : snapshot->warnings;
    json["policy"] = snapshot == nullptr ? Json() : ToJson(*snapshot->policy);
    return Text(json);
  }

  std::string Listeners(const http::RequestHead&, int*) {
    Json json = Json::array();
    for (const ListenerInfo& listener : backend_.listeners()) {
      Json entry;
      entry["name"] = listener.name;
      entry["address"] = listener.address;
      entry["direction"] = listener.direction;
      if (!listener.app.empty()) entry["app"] = listener.app;
      json.push_back(std::move(entry));
    }
    return Text(json);
  }

  std::string Metrics(const http::RequestHead&, int*) { return backend_.RenderMetrics(); }

  std::string ServerInfo(const http::RequestHead&, int*) {
    Json json;
    json["version"] = kVersion;
    json["state"] = backend_.draining() ? "DRAINING" : "LIVE";
    json["node"] = ToJson(backend_.bootstrap().node());
    json["pid"] = getpid();
    json["uptime_seconds"] = absl::ToInt64Seconds(absl::Now() - started_);
    json["workers"] = backend_.worker_count();
    json["io"] = std::string(backend_.io_name());
    return Text(json);
  }

  std::string DrainListeners(const http::RequestHead&, int*) {
    backend_.DrainListeners();
    return "draining\n";
  }

  std::string Quit(const http::RequestHead&, int*) {
    backend_.Quit();
    return "shutting down\n";
  }

  std::string Logging(const http::RequestHead& request, int* status) {
    const std::string_view name = QueryValue(request.query, "level");
    const std::optional<log::Level> level = log::ParseLevel(name);
    if (!level) {
      *status = 400;
      return StrCat("'", name, "' is not a level: use trace, debug, info, warn, error or off\n");
    }
    log::SetLevel(*level);
    return StrCat("level is ", log::LevelName(*level), "\n");
  }

  // Asks every worker, as pools are theirs.
  net::Task<std::string> Clusters(net::CancelScope& scope) {
    std::vector<upstream::ClusterManager*> managers;
    for (size_t i = 0; i < backend_.worker_count(); ++i) {
      managers.push_back(&backend_.worker(i).clusters());
    }
    absl::StatusOr<std::vector<upstream::ClusterStatus>> clusters =
        co_await upstream::DescribeClusters(std::move(managers), scope);
    co_return clusters.ok() ? upstream::ToJson(*clusters) : std::string();
  }

  net::Loop& loop_;
  Backend& backend_;
  const absl::Time started_;
};

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Open(net::Loop& loop,
                                                               const std::string& address,
                                                               Backend& backend) {
  absl::StatusOr<net::Address> parsed = net::Address::Parse(address);
  if (!parsed.ok()) return parsed.status();
  absl::StatusOr<net::Listener> listener =
      net::Listener::Bind(loop, *parsed, net::Listener::Options());
  if (!listener.ok()) {
    return absl::Status(listener.status().code(),
                        StrCat("admin: ", FromAbsl(listener.status().message())));
  }
  if (!parsed->is_loopback()) {
    log::Warning("the admin endpoints on ", address,
                 " can be reached from other machines: anybody there can stop this sidecar");
  }
  return std::unique_ptr<AdminServer>(new AdminServer(loop, *std::move(listener), backend));
}

AdminServer::AdminServer(net::Loop& loop, net::Listener listener, Backend& backend)
    : loop_(loop),
      listener_(std::move(listener)),
      scope_(loop),
      handler_(std::make_unique<Handler>(loop, backend)),
      context_(loop, &scope_, *handler_, http::ServerOptions()),
      acceptor_(loop, &scope_),
      connections_(loop, &scope_),
      background_(loop) {}

AdminServer::~AdminServer() = default;

void AdminServer::Start() { acceptor_.Spawn(AcceptAll()); }

net::Task<void> AdminServer::AcceptAll() {
  while (!acceptor_.scope().canceled()) {
    absl::StatusOr<net::Socket> socket = co_await listener_.Accept(acceptor_.scope());
    if (socket.ok()) {
      connections_.Spawn(http::ServeConnection(*std::move(socket), context_, connections_.scope()));
    } else {
      (void)co_await net::SleepUntil(loop_.now() + std::chrono::milliseconds(50),
                                     acceptor_.scope());
    }
  }
}

void AdminServer::Stop(std::function<void()> done) { background_.Spawn(StopAll(std::move(done))); }

net::Task<void> AdminServer::StopAll(std::function<void()> done) {
  acceptor_.scope().Cancel(absl::CancelledError("stopping"));
  co_await acceptor_.Join();
  context_.Drain();
  net::CancelScope patience(loop_);
  patience.SetDeadline(loop_.now() + kStopPatience, "stopping");
  absl::Status ended = co_await connections_.Join(patience);
  if (!ended.ok()) {
    scope_.Cancel(absl::CancelledError("stopping"));
    co_await connections_.Join();
  }
  done();
}

void CollectDeliveries(telemetry::MetricsBuilder& builder, const delivery::Engine& engine) {
  const delivery::EngineStats stats = engine.stats();
  auto count = [&](std::string_view name, std::string_view help, int64_t value) {
    builder.AddCounter(name, help, static_cast<uint64_t>(value));
  };
  auto gauge = [&](std::string_view name, std::string_view help, int64_t value) {
    builder.AddGauge(name, help, static_cast<double>(value));
  };
  count("pillion_delivery_accepted_total", "Operations and messages accepted.", stats.accepted);
  count("pillion_delivery_repeated_total", "Accepts answered by their idempotency key.",
        stats.repeated);
  static constexpr std::string_view kRejected = "pillion_delivery_rejected_total";
  static constexpr std::string_view kRejectedHelp =
      "Accepts refused: too much waits for the next commit, a backlog is full, or the store is "
      "full or fails.";
  const std::pair<std::string_view, int64_t> rejected[] = {{"queue", stats.rejected_by_queue},
                                                           {"backlog", stats.rejected_by_backlog},
                                                           {"store", stats.rejected_by_store}};
  for (const auto& [reason, value] : rejected) {
    builder.AddCounter(kRejected, kRejectedHelp, static_cast<uint64_t>(value),
                       {{"reason", reason}});
  }
  count("pillion_delivery_attempts_total", "Attempts begun.", stats.attempts);
  count("pillion_delivery_retries_total", "Attempts that failed and are repeated.", stats.retries);
  static constexpr std::string_view kFinished = "pillion_delivery_finished_total";
  static constexpr std::string_view kFinishedHelp = "Deliveries that came to an end, by state.";
  const std::pair<std::string_view, int64_t> finished[] = {{"succeeded", stats.succeeded},
                                                           {"failed", stats.failed},
                                                           {"canceled", stats.canceled},
                                                           {"expired", stats.expired}};
  for (const auto& [state, value] : finished) {
    builder.AddCounter(kFinished, kFinishedHelp, static_cast<uint64_t>(value), {{"state", state}});
  }
  count("pillion_delivery_store_commits_total", "Transactions of the store.", stats.commits);
  count("pillion_delivery_store_errors_total", "Transactions that failed.", stats.store_errors);
  gauge("pillion_delivery_pending", "Deliveries that wait.", stats.pending);
  gauge("pillion_delivery_running", "Attempts that run.", stats.running);
  gauge("pillion_delivery_dead_letters", "Deliveries that failed for good and are kept.",
        stats.dead);
  gauge("pillion_delivery_queued", "Commands that wait for the next commit.", stats.queued);
  gauge("pillion_delivery_store_bytes", "What the store uses of its file.", stats.store_bytes);
  for (const auto& [target, backlog] : engine.backlogs()) {
    const std::string_view kind = target.kind == delivery::TargetKind::kRoute      ? "route"
                                  : target.kind == delivery::TargetKind::kCallback ? "callback"
                                                                                   : "subscription";
    builder.AddGauge("pillion_delivery_backlog", "Deliveries that are accepted and not final.",
                     static_cast<double>(backlog.deliveries),
                     {{"kind", kind}, {"target", target.name}});
    builder.AddGauge("pillion_delivery_backlog_bytes", "The bytes of their messages.",
                     static_cast<double>(backlog.bytes), {{"kind", kind}, {"target", target.name}});
  }
}

void CollectPolicy(telemetry::MetricsBuilder& builder, const discovery::SourceState& state) {
  builder.AddCounter("pillion_policy_applied_total", "Policies put into effect.", state.applied);
  builder.AddCounter("pillion_policy_rejected_total", "Policies refused.", state.rejected);
  builder.AddGauge("pillion_policy_source_connected",
                   "1 while the source of the policy can be reached.", state.connected ? 1 : 0);
  builder.AddGauge("pillion_policy_rejected",
                   "1 while the newest policy is refused and an older one stays in effect.",
                   state.refusing ? 1 : 0);
}

}  // namespace pillion::sidecar::admin
