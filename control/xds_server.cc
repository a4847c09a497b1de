#include "control/xds_server.h"

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "control/delta_session.h"
#include "control/node_registry.h"
#include "control/snapshot.h"
#include "core/discovery/grpc_listen.h"
#include "core/discovery/resource_types.h"
#include "core/strings.h"
#include "envoy/service/discovery/v3/discovery.grpc.pb.h"

namespace pillion::control {
namespace {

using envoy::service::discovery::v3::AggregatedDiscoveryService;
using Request = DeltaSession::Request;
using Response = DeltaSession::Response;

constexpr size_t kMaxNodeIdBytes = 256;

// "ipv4:127.0.0.1:4711" and "ipv6:%5B::1%5D:4711" as people write them.
std::string PeerAddress(const std::string& peer) {
  std::string address =
      absl::StrReplaceAll(peer, {{"%5B", "["}, {"%5D", "]"}, {"%5b", "["}, {"%5d", "]"}});
  return std::string(absl::StripPrefix(absl::StripPrefix(address, "ipv4:"), "ipv6:"));
}

}  // namespace

class XdsServer::Impl {
 public:
  Impl(NodeRegistry* registry) : registry_(*registry), service_(*this) {}
  ~Impl();

  absl::Status Start(const std::string& address);
  const std::string& address() const { return address_; }
  void Publish(std::shared_ptr<const Snapshot> snapshot);

 private:
  class Stream;

  class Service : public AggregatedDiscoveryService::CallbackService {
   public:
    explicit Service(Impl& server) : server_(server) {}
    grpc::ServerBidiReactor<Request, Response>* DeltaAggregatedResources(
        grpc::CallbackServerContext* context) override;

   private:
    Impl& server_;
  };

  NodeRegistry& registry_;
  std::string address_;
  std::mutex mutex_;  // guards what follows, and the state of every stream
  std::condition_variable stream_ended_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::set<Stream*> streams_;
  Service service_;
  std::unique_ptr<grpc::Server> server_;
};

// One node's stream. gRPC calls the On... methods on its threads, and deletes nothing: OnDone, the
// last one, does.
class XdsServer::Impl::Stream : public grpc::ServerBidiReactor<Request, Response> {
 public:
  Stream(Impl& server, grpc::CallbackServerContext* context)
      : server_(server), peer_(PeerAddress(context->peer())) {
    std::lock_guard lock(server_.mutex_);
    server_.streams_.insert(this);
    StartSendInitialMetadata();  // tells the node that it is connected, even if there is nothing to
                                 // send
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    std::lock_guard lock(server_.mutex_);
    if (!ok) return End(grpc::Status::OK);
    if (!node_.has_value() && !Identify()) return;
    Take(session_.OnRequest(request_));
    if (end_.has_value()) return;
    Pump();
    StartRead(&request_);
  }

  void OnWriteDone(bool ok) override {
    std::lock_guard lock(server_.mutex_);
    writing_ = false;
    if (!ok) End(grpc::Status::OK);
    if (end_.has_value()) return FinishIfIdle();
    Pump();
  }

  void OnCancel() override {
    std::lock_guard lock(server_.mutex_);
    End(grpc::Status::CANCELLED);
  }

  void OnDone() override {
    {
      std::lock_guard lock(server_.mutex_);
      if (node_.has_value()) server_.registry_.Disconnected(*node_);
      server_.streams_.erase(this);
      server_.stream_ended_.notify_all();  // under the lock: afterwards the server may be gone
    }
    delete this;
  }

  // Sends the next thing that the node lacks. REQUIRES: the server's mutex is held.
  void Pump() {
    if (writing_ || end_.has_value() || !node_.has_value() || server_.snapshot_ == nullptr) return;
    const Snapshot& snapshot = *server_.snapshot_;
    const std::shared_ptr<const ResourcesByType> view = snapshot.ViewFor(service_);
    if (!session_.Next(*view, snapshot.resources().at(discovery::ClusterUrl()),
                       snapshot.version().id, &response_)) {
      return;
    }
    if (response_.type_url() == discovery::PolicyVersionUrl())
      server_.registry_.Sent(*node_, snapshot.version().id);
    writing_ = true;
    StartWrite(&response_);
  }

 private:
  bool Identify() {
    const auto& node = request_.node();
    if (node.id().empty() || node.id().size() > kMaxNodeIdBytes ||
        node.cluster().size() > kMaxNodeIdBytes) {
      End({grpc::StatusCode::INVALID_ARGUMENT,
           StrCat("the first request of a stream must have node.id (and node.cluster, the "
                  "service), at most ",
                  kMaxNodeIdBytes, " bytes each")});
      return false;
    }
    service_ = node.cluster();
    node_ = server_.registry_.Connected(
        node.id(), service_, peer_,
        node.user_agent_version().empty()
            ? node.user_agent_name()
            : StrCat(node.user_agent_name(), "/", node.user_agent_version()));
    return true;
  }

  void Take(const DeltaSession::Outcome& outcome) {
    if (outcome.runs_version.has_value()) server_.registry_.Applied(*node_, *outcome.runs_version);
    if (!outcome.verdict.has_value()) return;
    const DeltaSession::Verdict& verdict = *outcome.verdict;
    if (!verdict.accepted) {
      server_.registry_.Rejected(*node_, {verdict.policy_version,
                                          std::string(discovery::ShortTypeName(verdict.type_url)),
                                          verdict.reason,
                                          {}});
    } else if (verdict.type_url == discovery::PolicyVersionUrl()) {
      server_.registry_.Applied(*node_, verdict.policy_version);
    }
  }

  void End(grpc::Status status) {
    if (!end_.has_value()) {
      end_ = std::move(status);
      FinishIfIdle();
    }
  }

  // gRPC allows Finish() once, and not beside a write.
  void FinishIfIdle() {
    if (writing_ || finished_) return;
    finished_ = true;
    Finish(*end_);
  }

  Impl& server_;
  const std::string peer_;
  std::string service_;
  std::optional<NodeRegistry::Handle> node_;  // set by the first request
  DeltaSession session_;
  Request request_;
  Response response_;
  bool writing_ = false;
  std::optional<grpc::Status> end_;  // how the stream is to end, once it is to
  bool finished_ = false;
};

grpc::ServerBidiReactor<Request, Response>* XdsServer::Impl::Service::DeltaAggregatedResources(
    grpc::CallbackServerContext* context) {
  return new Stream(server_, context);
}

absl::Status XdsServer::Impl::Start(const std::string& address) {
  grpc::ServerBuilder builder;
  // Notice a peer that is gone without saying so, and allow sidecars to do the same.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.RegisterService(&service_);
  absl::StatusOr<discovery::GrpcListener> listener = discovery::ListenGrpc(builder, address);
  if (!listener.ok()) return listener.status();
  server_ = std::move(listener->server);
  address_ = std::move(listener->address);
  return absl::OkStatus();
}

void XdsServer::Impl::Publish(std::shared_ptr<const Snapshot> snapshot) {
  std::lock_guard lock(mutex_);
  snapshot_ = std::move(snapshot);
  for (Stream* stream : streams_) stream->Pump();
}

XdsServer::Impl::~Impl() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now());  // cancels the streams at once: they never
                                                        // end by themselves
  std::unique_lock lock(mutex_);
  stream_ended_.wait(lock, [this] { return streams_.empty(); });
}

absl::StatusOr<std::unique_ptr<XdsServer>> XdsServer::Start(const std::string& address,
                                                            NodeRegistry* registry) {
  auto impl = std::make_unique<Impl>(registry);
  if (absl::Status status = impl->Start(address); !status.ok()) return status;
  return std::unique_ptr<XdsServer>(new XdsServer(std::move(impl)));
}

XdsServer::XdsServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
XdsServer::~XdsServer() = default;

const std::string& XdsServer::address() const { return impl_->address(); }
void XdsServer::Publish(std::shared_ptr<const Snapshot> snapshot) {
  impl_->Publish(std::move(snapshot));
}

}  // namespace pillion::control
