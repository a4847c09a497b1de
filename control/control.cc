#include "control/control.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "control/node_registry.h"
#include "control/policy_store.h"
#include "control/rest.h"
#include "control/rest_server.h"
#include "control/xds_server.h"
#include "core/config/watch.h"
#include "core/net/loop.h"
#include "core/net/task_group.h"
#include "core/strings.h"
#include "core/telemetry/log.h"
#include "pillion/config/v1/bootstrap.pb.h"

namespace pillion::control {
namespace {

constexpr log::Logger kLog("control");

absl::Status Named(const char* field, const absl::Status& status) {
  return absl::Status(status.code(), StrCat(field, ": ", FromAbsl(status.message())));
}

}  // namespace

class Control::Impl {
 public:
  explicit Impl(const config::v1::ControlBootstrap& bootstrap)
      : bootstrap_(bootstrap),
        store_(bootstrap.state().path(),
               [this](std::shared_ptr<const Snapshot> snapshot) { xds_->Publish(snapshot); }),
        rest_handler_(store_, registry_) {}

  absl::Status Open() {
    if (absl::Status status = store_.Open(); !status.ok()) return status;
    absl::StatusOr<std::unique_ptr<net::Loop>> loop = net::Loop::Create(net::IoKind::kEpoll);
    if (!loop.ok()) return loop.status();
    loop_ = *std::move(loop);
    absl::StatusOr<std::unique_ptr<XdsServer>> xds =
        XdsServer::Start(bootstrap_.xds().address(), &registry_);
    if (!xds.ok()) return Named("xds.address", xds.status());
    xds_ = *std::move(xds);
    absl::StatusOr<std::unique_ptr<RestServer>> rest =
        RestServer::Open(*loop_, bootstrap_.rest().address(), rest_handler_);
    if (!rest.ok()) return Named("rest.address", rest.status());
    rest_ = *std::move(rest);
    return absl::OkStatus();
  }

  void Run() {
    kLog.Info("serving sidecars (xDS) on ", xds_->address());
    kLog.Info("serving people (REST) on ", rest_->address());
    kLog.Info("following the policy in ", bootstrap_.policy().directory());
    auto watcher = config::FileWatcher::Start({bootstrap_.policy().directory()},
                                              [this](auto files) { store_.Update(files); });
    net::TaskGroup serving(*loop_);
    serving.Spawn(Serve(serving.scope()));
    stop_ = [&serving] { serving.scope().Cancel(absl::CancelledError("stopping")); };
    loop_->Run();
    stop_ = [] {};
    kLog.Info("stopped");
  }

  // On the loop: before Run() has begun, the work waits for it.
  void Stop() {
    loop_->Post([this] { stop_(); });
  }

 private:
  net::Task<void> Serve(net::CancelScope& scope) {
    co_await rest_->Serve(scope);
    loop_->Stop();
  }

  const config::v1::ControlBootstrap bootstrap_;
  NodeRegistry registry_;
  PolicyStore store_;
  RestHandler rest_handler_;
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<RestServer> rest_;
  std::unique_ptr<XdsServer> xds_;
  std::function<void()> stop_ = [] {};
};

absl::StatusOr<std::unique_ptr<Control>> Control::Create(
    const config::v1::ControlBootstrap& bootstrap) {
  auto impl = std::make_unique<Impl>(bootstrap);
  if (absl::Status status = impl->Open(); !status.ok()) return status;
  return std::unique_ptr<Control>(new Control(std::move(impl)));
}

Control::Control(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Control::~Control() = default;

void Control::Run() { impl_->Run(); }
void Control::Stop() { impl_->Stop(); }

}  // namespace pillion::control
