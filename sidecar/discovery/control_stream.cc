#include "sidecar/discovery/control_stream.h"

#include <grpcpp/grpcpp.h>

#include <utility>

#include "core/discovery/grpc_log.h"
#include "envoy/service/discovery/v3/discovery.grpc.pb.h"

namespace pillion::discovery {
namespace {

using envoy::service::discovery::v3::AggregatedDiscoveryService;
using Request = envoy::service::discovery::v3::DeltaDiscoveryRequest;
using Response = envoy::service::discovery::v3::DeltaDiscoveryResponse;

std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address) {
  SendGrpcLogToProcessLog();
  grpc::ChannelArguments arguments;
  // The source has a back-off of its own: each attempt gets a fresh connection and one try.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS,
                   5'000);  // which is also how long connecting may take
  // HTTP_PROXY may point the local service to this very sidecar; control is not to be reached
  // through it.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Notice a control that is gone without saying so.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetMaxReceiveMessageSize(-1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

void StreamMailbox::Put(StreamEvent event) {
  std::lock_guard lock(mutex_);
  events_.push_back(std::move(event));
  changed_.notify_all();
}

std::optional<StreamEvent> StreamMailbox::Take(absl::Time deadline) {
  std::unique_lock lock(mutex_);
  const auto ready = [this] { return closed_ || !events_.empty(); };
  if (deadline == absl::InfiniteFuture()) {
    changed_.wait(lock, ready);
  } else {
    changed_.wait_until(lock, absl::ToChronoTime(deadline), ready);
  }
  if (closed_ || events_.empty()) return std::nullopt;
  StreamEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void StreamMailbox::Close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

bool StreamMailbox::closed() const {
  std::lock_guard lock(mutex_);
  return closed_;
}

// gRPC calls the On... methods on its threads, OnDone last. A read is always under way until the
// stream ends, which is why a write may be started from another thread as long as no read has
// failed.
class ControlStream::Reactor : public grpc::ClientBidiReactor<Request, Response> {
 public:
  Reactor(const std::string& address, StreamMailbox* mailbox)
      : mailbox_(*mailbox), stub_(AggregatedDiscoveryService::NewStub(OpenChannel(address))) {
    stub_->async()->DeltaAggregatedResources(&context_, this);
    StartRead(&response_);
    StartCall();
  }

  ~Reactor() override {
    context_.TryCancel();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return done_; });
  }

  void Send(Request request) {
    std::lock_guard lock(mutex_);
    if (ended_) return;
    to_send_.push_back(std::move(request));
    if (to_send_.size() == 1) StartWrite(&to_send_.front());
  }

  void OnReadInitialMetadataDone(bool ok) override {
    if (ok) mailbox_.Put({StreamEvent::Kind::kOpened, nullptr, absl::OkStatus()});
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      std::lock_guard lock(mutex_);
      ended_ = true;
      return;
    }
    auto response = std::make_shared<Response>();
    response->Swap(&response_);
    mailbox_.Put({StreamEvent::Kind::kResponse, std::move(response), absl::OkStatus()});
    StartRead(&response_);
  }

  void OnWriteDone(bool ok) override {
    std::lock_guard lock(mutex_);
    to_send_.pop_front();
    if (ok && !ended_ && !to_send_.empty()) StartWrite(&to_send_.front());
  }

  void OnDone(const grpc::Status& status) override {
    mailbox_.Put(
        {StreamEvent::Kind::kEnded, nullptr,
         absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message())});
    std::lock_guard lock(mutex_);
    done_ = true;
    changed_.notify_all();  // under the lock: afterwards this object may be gone
  }

 private:
  StreamMailbox& mailbox_;
  const std::unique_ptr<AggregatedDiscoveryService::Stub> stub_;
  grpc::ClientContext context_;
  Response response_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<Request> to_send_;  // the first is being sent
  bool ended_ = false;
  bool done_ = false;
};

ControlStream::ControlStream(const std::string& address, StreamMailbox* mailbox)
    : reactor_(std::make_unique<Reactor>(address, mailbox)) {}

ControlStream::~ControlStream() = default;

void ControlStream::Send(Request request) { reactor_->Send(std::move(request)); }

}  // namespace pillion::discovery
