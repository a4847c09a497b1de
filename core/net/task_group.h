// The owner of tasks that run beside each other.
//
//   TaskGroup connections(loop);
//   connections.Spawn(Serve(std::move(socket), connections.scope()));
//   ...
//   connections.scope().Cancel(absl::CancelledError("draining"));
//   co_await connections.Join();
//
// Belongs to one loop's thread. REQUIRES at destruction: every task has ended.

#ifndef PILLION_CORE_NET_TASK_GROUP_H_
#define PILLION_CORE_NET_TASK_GROUP_H_

#include <coroutine>
#include <cstddef>

#include "core/net/cancel.h"
#include "core/net/task.h"
#include "core/net/wait_queue.h"

namespace pillion::net {

class TaskGroup {
 public:
  explicit TaskGroup(Loop& loop, CancelScope* parent = nullptr);
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  ~TaskGroup();

  // Starts `task` at once; its frame is freed when it ends.
  void Spawn(Task<void> task);

  // What the group's tasks should wait in.
  CancelScope& scope() { return scope_; }

  // Number of tasks that have not ended.
  size_t size() const { return size_; }

  // Waits until no task is left, or until `scope` is canceled (then with its status).
  Task<absl::Status> Join(CancelScope& scope);
  // Waits without an end of its own: cancel the group's scope when the tasks have to hurry.
  Task<void> Join();

 private:
  struct Root;
  static Root Own(TaskGroup& group, Task<void> task);
  void OnEnd();

  Loop& loop_;
  CancelScope scope_;
  WaitQueue ended_;
  size_t size_ = 0;
};

}  // namespace pillion::net

#endif  // PILLION_CORE_NET_TASK_GROUP_H_
