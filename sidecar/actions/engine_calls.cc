#include "sidecar/actions/engine_calls.h"

#include <optional>
#include <utility>

#include "core/net/future.h"

namespace pillion::sidecar {
namespace {

// A callback that answers a future on the scope's loop.
template <typename T>
delivery::Callback<T> Answering(net::Promise<T> promise) {
  return [promise = std::move(promise)](absl::StatusOr<T> answer) mutable {
    promise.Set(std::move(answer));
  };
}

}  // namespace

net::Task<absl::StatusOr<delivery::Accepted>> Accept(delivery::Engine& engine,
                                                     delivery::AcceptRequest request,
                                                     net::CancelScope& scope, std::string* id) {
  auto [promise, future] = net::MakeFuture<delivery::Accepted>(scope.loop());
  std::string made = engine.Accept(std::move(request), Answering(std::move(promise)));
  if (id != nullptr) *id = std::move(made);
  return future.Get(scope);
}

net::Task<absl::StatusOr<std::vector<delivery::Accepted>>> AcceptAll(
    delivery::Engine& engine, std::vector<delivery::AcceptRequest> requests,
    net::CancelScope& scope) {
  auto [promise, future] = net::MakeFuture<std::vector<delivery::Accepted>>(scope.loop());
  engine.AcceptAll(std::move(requests), Answering(std::move(promise)));
  return future.Get(scope);
}

net::Task<absl::StatusOr<delivery::MessageView>> GetStatus(delivery::Engine& engine, std::string id,
                                                           net::CancelScope& scope) {
  auto [promise, future] = net::MakeFuture<delivery::MessageView>(scope.loop());
  engine.Get(std::move(id), Answering(std::move(promise)));
  return future.Get(scope);
}

net::Task<absl::StatusOr<delivery::DeliveryResult>> GetResult(delivery::Engine& engine,
                                                              std::string id,
                                                              net::CancelScope& scope) {
  auto [promise, future] = net::MakeFuture<delivery::DeliveryResult>(scope.loop());
  engine.GetResult(std::move(id), Answering(std::move(promise)));
  return future.Get(scope);
}

net::Task<absl::StatusOr<delivery::MessageView>> Cancel(delivery::Engine& engine, std::string id,
                                                        net::CancelScope& scope) {
  auto [promise, future] = net::MakeFuture<delivery::MessageView>(scope.loop());
  engine.Cancel(std::move(id), Answering(std::move(promise)));
  return future.Get(scope);
}

net::Task<absl::StatusOr<delivery::MessageView>> ReportProgress(delivery::Engine& engine,
                                                                std::string id,
                                                                int percent_complete,
                                                                net::CancelScope& scope) {
  auto [promise, future] = net::MakeFuture<delivery::MessageView>(scope.loop());
  engine.ReportProgress(std::move(id), percent_complete, Answering(std::move(promise)));
  return future.Get(scope);
}

struct StatusWatch::State {  // the loop's thread only
  std::optional<absl::StatusOr<delivery::MessageView>> unseen;
  net::WaitQueue waiter;
};

StatusWatch::StatusWatch(delivery::Engine& engine, std::string id, net::Loop& loop)
    : engine_(engine), state_(std::make_shared<State>()) {
  watch_ = engine_.Watch(std::move(id),
                         [state = state_, &loop](absl::StatusOr<delivery::MessageView> view) {
                           loop.Post([state, view = std::move(view)]() mutable {
                             state->unseen.emplace(std::move(view));
                             state->waiter.WakeAll();
                           });
                         });
}

StatusWatch::~StatusWatch() { engine_.Unwatch(watch_); }

net::Task<absl::StatusOr<delivery::MessageView>> StatusWatch::Next(net::CancelScope& scope) {
  while (!state_->unseen) {
    absl::Status status = co_await state_->waiter.Wait(scope);
    if (!status.ok()) co_return status;
  }
  absl::StatusOr<delivery::MessageView> view = *std::move(state_->unseen);
  state_->unseen.reset();
  co_return view;
}

}  // namespace pillion::sidecar
