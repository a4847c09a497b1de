#include "sidecar/admin/api_server.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <mutex>
#include <utility>

#include "core/discovery/grpc_listen.h"
#include "core/strings.h"
#include "pillion/api/v1/deliveries.grpc.pb.h"
#include "sidecar/admin/deliveries_api.h"
#include "sidecar/delivery/engine.h"

namespace pillion::sidecar::admin {
namespace {

using api::v1::ChangeDeliveriesRequest;
using api::v1::ChangeDeliveriesResponse;
using delivery::ChangeRequest;

// One call: takes the answer on whatever thread it comes.
template <typename Response>
class Call final : public grpc::ServerUnaryReactor {
 public:
  explicit Call(Response* response) : response_(response) {}

  Reply<Response> reply() {
    return [this](absl::StatusOr<Response> answer) { Answer(std::move(answer)); };
  }

 private:
  void Answer(absl::StatusOr<Response> answer) {
    if (!answer.ok()) {
      // The codes of both are the same.
      Finish({static_cast<grpc::StatusCode>(answer.status().code()),
              std::string(answer.status().message())});
      return;
    }
    {
      std::lock_guard lock(mutex_);
      *response_ = *std::move(answer);
    }
    Finish(grpc::Status::OK);
  }
  void OnDone() override {
    // gRPC's thread deletes the response that another one wrote.
    mutex_.lock();
    mutex_.unlock();
    delete this;
  }

  std::mutex mutex_;
  Response* const response_;  // gRPC's, until OnDone()
};

}  // namespace

class ApiServer::Impl final : public api::v1::Deliveries::CallbackService {
 public:
  explicit Impl(delivery::Engine& engine) : engine_(engine) {}
  ~Impl() override {
    if (listener_.server != nullptr) listener_.server->Shutdown(std::chrono::system_clock::now());
  }

  absl::Status Listen(const std::string& address) {
    grpc::ServerBuilder builder;
    builder.RegisterService(this);
    absl::StatusOr<discovery::GrpcListener> listener = discovery::ListenGrpc(builder, address);
    if (!listener.ok()) {
      return absl::Status(listener.status().code(),
                          StrCat("api: ", FromAbsl(listener.status().message())));
    }
    listener_ = *std::move(listener);
    return absl::OkStatus();
  }
  const std::string& address() const { return listener_.address; }

  grpc::ServerUnaryReactor* ListDeliveries(grpc::CallbackServerContext*,
                                           const api::v1::ListDeliveriesRequest* request,
                                           api::v1::ListDeliveriesResponse* response) override {
    auto* call = new Call(response);
    admin::ListDeliveries(engine_, *request, call->reply());
    return call;
  }
  grpc::ServerUnaryReactor* GetDelivery(grpc::CallbackServerContext*,
                                        const api::v1::GetDeliveryRequest* request,
                                        api::v1::GetDeliveryResponse* response) override {
    auto* call = new Call(response);
    admin::GetDelivery(engine_, *request, call->reply());
    return call;
  }
  grpc::ServerUnaryReactor* ReplayDeliveries(grpc::CallbackServerContext*,
                                             const ChangeDeliveriesRequest* request,
                                             ChangeDeliveriesResponse* response) override {
    return Change(ChangeRequest::Kind::kReplay, *request, response);
  }
  grpc::ServerUnaryReactor* CancelDeliveries(grpc::CallbackServerContext*,
                                             const ChangeDeliveriesRequest* request,
                                             ChangeDeliveriesResponse* response) override {
    return Change(ChangeRequest::Kind::kCancel, *request, response);
  }
  grpc::ServerUnaryReactor* DropDeliveries(grpc::CallbackServerContext*,
                                           const ChangeDeliveriesRequest* request,
                                           ChangeDeliveriesResponse* response) override {
    return Change(ChangeRequest::Kind::kDrop, *request, response);
  }

 private:
  grpc::ServerUnaryReactor* Change(ChangeRequest::Kind kind, const ChangeDeliveriesRequest& request,
                                   ChangeDeliveriesResponse* response) {
    auto* call = new Call(response);
    ChangeDeliveries(engine_, kind, request, call->reply());
    return call;
  }

  delivery::Engine& engine_;
  discovery::GrpcListener listener_;
};

absl::StatusOr<std::unique_ptr<ApiServer>> ApiServer::Start(const std::string& address,
                                                            delivery::Engine& engine) {
  auto impl = std::make_unique<Impl>(engine);
  if (absl::Status status = impl->Listen(address); !status.ok()) return status;
  return std::unique_ptr<ApiServer>(new ApiServer(std::move(impl)));
}

ApiServer::ApiServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ApiServer::~ApiServer() = default;

const std::string& ApiServer::address() const { return impl_->address(); }

}  // namespace pillion::sidecar::admin
