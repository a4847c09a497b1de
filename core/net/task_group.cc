#include "core/net/task_group.h"

#include <cstdlib>
#include <utility>

#include "core/check.h"
#include "core/net/frame_pool.h"
#include "core/net/loop.h"

namespace pillion::net {

// The outermost coroutine of a spawned task: runs at once and frees itself at its end.
struct TaskGroup::Root {
  struct promise_type {
    static void* operator new(size_t size) { return AllocateFrame(size); }
    static void operator delete(void* frame, size_t size) { FreeFrame(frame, size); }
    Root get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::abort(); }
  };
};

TaskGroup::TaskGroup(Loop& loop, CancelScope* parent) : loop_(loop), scope_(loop, parent) {}

TaskGroup::~TaskGroup() { PILLION_CHECK(size_ == 0); }

TaskGroup::Root TaskGroup::Own(TaskGroup& group, Task<void> task) {
  {
    Task<void> owned = std::move(task);
    co_await owned;
  }
  group.OnEnd();
}

void TaskGroup::Spawn(Task<void> task) {
  ++size_;
  Own(*this, std::move(task));
}

void TaskGroup::OnEnd() {
  --size_;
  if (size_ == 0) ended_.WakeAll();
}

Task<absl::Status> TaskGroup::Join(CancelScope& scope) {
  while (size_ > 0) {
    absl::Status status = co_await ended_.Wait(scope);
    if (!status.ok()) co_return status;
  }
  co_return absl::OkStatus();
}

Task<void> TaskGroup::Join() {
  CancelScope never(loop_);
  absl::Status status = co_await Join(never);
  PILLION_CHECK(status.ok());
}

}  // namespace pillion::net
