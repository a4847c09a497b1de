// An answer from another thread, awaited on a loop.
//
//   auto [promise, future] = MakeFuture<int>(loop);
//   engine.Ask([promise = std::move(promise)](int answer) mutable { promise.Set(answer); });
//   absl::StatusOr<int> answer = co_await future.Get(scope);
//
// The promise may be set from any thread, once; whoever waited may have given up by then. A promise
// that goes without having been set answers with an Unavailable status.

#ifndef PILLION_CORE_NET_FUTURE_H_
#define PILLION_CORE_NET_FUTURE_H_

#include <memory>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "core/net/loop.h"
#include "core/net/task.h"
#include "core/net/wait_queue.h"

namespace pillion::net {
namespace internal {

template <typename T>
struct FutureState {  // touched by the loop's thread only
  std::optional<absl::StatusOr<T>> value;
  WaitQueue waiter;
};

}  // namespace internal

template <typename T>
class Promise {
 public:
  Promise(Loop& loop, std::shared_ptr<internal::FutureState<T>> state)
      : loop_(&loop), state_(std::move(state)) {}
  Promise(Promise&& other) noexcept : loop_(other.loop_), state_(std::move(other.state_)) {}
  Promise& operator=(Promise&&) = delete;
  ~Promise() {
    if (state_ != nullptr) Set(absl::UnavailableError("the answering side has stopped"));
  }

  // REQUIRES: not called before; the loop still exists.
  void Set(absl::StatusOr<T> value) {
    loop_->Post([state = std::move(state_), value = std::move(value)]() mutable {
      state->value.emplace(std::move(value));
      state->waiter.WakeAll();
    });
  }

 private:
  Loop* loop_;
  std::shared_ptr<internal::FutureState<T>> state_;
};

template <typename T>
class Future {
 public:
  explicit Future(std::shared_ptr<internal::FutureState<T>> state) : state_(std::move(state)) {}

  // REQUIRES: called at most once. The future itself may go before the task ends.
  Task<absl::StatusOr<T>> Get(CancelScope& scope) { return Await(std::move(state_), scope); }

 private:
  static Task<absl::StatusOr<T>> Await(std::shared_ptr<internal::FutureState<T>> state,
                                       CancelScope& scope) {
    while (!state->value) {
      absl::Status status = co_await state->waiter.Wait(scope);
      if (!status.ok()) co_return status;
    }
    co_return *std::move(state->value);
  }

  std::shared_ptr<internal::FutureState<T>> state_;
};

template <typename T>
std::pair<Promise<T>, Future<T>> MakeFuture(Loop& loop) {
  auto state = std::make_shared<internal::FutureState<T>>();
  return {Promise<T>(loop, state), Future<T>(state)};
}

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_FUTURE_H_
