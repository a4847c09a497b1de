// Task<T>: a coroutine that runs on one loop and is awaited exactly once.
//
//   Task<absl::StatusOr<int>> Answer(Socket& socket, CancelScope& scope) {
//     ...
//     co_return 42;
//   }
//   auto answer = co_await Answer(socket, scope);
//
// A task starts when it is awaited and runs on the awaiting coroutine's thread. A child that ends
// without waiting costs no suspension of its parent, so a loop around it uses no stack whatever the
// compiler does about tail calls. A task that was started must end before its Task object goes:
// cancel its scope and wait; a suspended task is never destroyed.
//
// To start a task without awaiting it, give it to a TaskGroup (core/net/task_group.h).

#ifndef PILLION_CORE_NET_TASK_H_
#define PILLION_CORE_NET_TASK_H_

#include <coroutine>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <utility>

#include "core/net/frame_pool.h"

namespace pillion::net {

template <typename T>
class Task;

namespace internal {

class TaskPromiseBase {
 public:
  static void* operator new(size_t size) { return AllocateFrame(size); }
  static void operator delete(void* frame, size_t size) { FreeFrame(frame, size); }

  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      // The parent destroys this frame while it runs: nothing of it may be touched afterwards.
      if (std::coroutine_handle<> parent = self.promise().parent_; parent) parent.resume();
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() const noexcept { std::abort(); }

  // Set once the parent has really suspended: null while the task runs inside its parent's await.
  std::coroutine_handle<> parent_;
};

template <typename T>
class TaskPromise : public TaskPromiseBase {
 public:
  Task<T> get_return_object();
  template <typename U>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T TakeValue() { return std::move(*value_); }

 private:
  std::optional<T> value_;
};

template <>
class TaskPromise<void> : public TaskPromiseBase {
 public:
  Task<void> get_return_object();
  void return_void() const noexcept {}
  void TakeValue() const noexcept {}
};

}  // namespace internal

template <typename T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = internal::TaskPromise<T>;

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> parent) {
    handle_.resume();
    if (handle_.done()) return false;
    handle_.promise().parent_ = parent;
    return true;
  }
  T await_resume() { return handle_.promise().TakeValue(); }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}

  std::coroutine_handle<promise_type> handle_;
};

// A value that is there already, or the task that will give it. For functions that seldom wait, so
// that they cost no coroutine when they do not. Awaited like a Task, once.
template <typename T>
class [[nodiscard]] ValueOrTask {
 public:
  ValueOrTask(T value) : value_(std::move(value)) {}
  ValueOrTask(Task<T> task) : task_(std::move(task)) {}

  bool await_ready() const noexcept { return value_.has_value(); }
  bool await_suspend(std::coroutine_handle<> parent) { return task_->await_suspend(parent); }
  T await_resume() { return value_ ? *std::move(value_) : task_->await_resume(); }

 private:
  std::optional<T> value_;
  std::optional<Task<T>> task_;
};

namespace internal {

template <typename T>
Task<T> TaskPromise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<TaskPromise<T>>::from_promise(*this));
}

inline Task<void> TaskPromise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<TaskPromise<void>>::from_promise(*this));
}

}  // namespace internal
}  // namespace pillion::net

#endif  // PILLION_CORE_NET_TASK_H_
