#include "sidecar/delivery/command_queue.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

namespace pillion::delivery {
namespace {

int64_t BytesOf(const Command& command) {
  if (const auto* accept = std::get_if<AcceptCommand>(&command)) {
    return SizeOf(accept->request.message);
  }
  int64_t bytes = 0;
  if (const auto* all = std::get_if<AcceptAllCommand>(&command)) {
    for (const AcceptCommand& accept : all->accepts) bytes += SizeOf(accept.request.message);
  }
  return bytes;
}

bool IsAccept(const Command& command) {
  return std::holds_alternative<AcceptCommand>(command) ||
         std::holds_alternative<AcceptAllCommand>(command);
}

// Those that nobody waits for, and whose number is limited elsewhere.
bool IsUnlimited(const Command& command) {
  return std::holds_alternative<CompleteCommand>(command) ||
         std::holds_alternative<HeldCommand>(command) ||
         std::holds_alternative<UnwatchCommand>(command) ||
         std::holds_alternative<HurryCommand>(command) ||
         std::holds_alternative<ClusterLimitsCommand>(command);
}

}  // namespace

absl::Status CommandQueue::Push(Command& command) {
  const int64_t bytes = BytesOf(command);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return absl::CancelledError("the delivery engine is stopping");
  if (!IsUnlimited(command)) {
    // A message larger than the whole limit must still get through, alone.
    const bool too_many_bytes = bytes > 0 && bytes_ > 0 && bytes_ + bytes > max_bytes_;
    if (commands_ >= max_commands_ || too_many_bytes) {
      rejected_ += IsAccept(command);
      return absl::ResourceExhaustedError(absl::StrCat("the store cannot keep up: ", commands_,
                                                       " requests with ", bytes_,
                                                       " bytes wait for it; try again later"));
    }
    ++commands_;
    bytes_ += bytes;
  }
  queue_.push_back(std::move(command));
  // More than the first need not wake a thread that has not come round to the first.
  if (queue_.size() == 1) wakeup_.notify_one();
  return absl::OkStatus();
}

std::vector<Command> CommandQueue::Take(absl::Time wake_at) {
  std::unique_lock<std::mutex> lock(mutex_);
  commands_ -= std::exchange(taken_commands_, 0);
  bytes_ -= std::exchange(taken_bytes_, 0);
  if (queue_.empty() && !closed_ && wake_at > clock_->Now())
    clock_->WaitUntil(lock, wakeup_, wake_at);
  taken_commands_ = commands_;
  taken_bytes_ = bytes_;
  return std::exchange(queue_, {});
}

void CommandQueue::Close() {
  const std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
  wakeup_.notify_one();
}

bool CommandQueue::finished() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return closed_ && queue_.empty();
}

void CommandQueue::AddTo(EngineStats& stats) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  stats.rejected_by_queue = rejected_;
  stats.queued = static_cast<int64_t>(commands_);
  stats.queued_bytes = bytes_;
}

}  // namespace pillion::delivery
