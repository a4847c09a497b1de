#include "sidecar/delivery/command_queue.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

namespace pillion::delivery {
namespace {

// Of each delivery of a batch besides its message, which may be small: what it takes in memory, and
// so that a batch of many is as large as the work that it is.
constexpr int64_t kBytesInBatch = 512;

int64_t BytesOf(const Command& command) {
  if (const auto* accept = std::get_if<AcceptCommand>(&command)) {
    return SizeOf(accept->request.message);
  }
  int64_t bytes = 0;
  if (const auto* all = std::get_if<AcceptAllCommand>(&command)) {
    for (const AcceptCommand& accept : all->accepts) {
      bytes += SizeOf(accept.request.message) +
               kBytesInBatch * static_cast<int64_t>(accept.request.deliveries.size());
    }
  }
  return bytes;
}

// What becomes of it must not overtake it.
bool IsHeld(const Command& command) {
  const auto* accept = std::get_if<AcceptCommand>(&command);
  return accept != nullptr && accept->request.held;
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
  const bool large = bytes > static_cast<int64_t>(kLargeBody) && !IsHeld(command);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return absl::CancelledError("the delivery engine is stopping");
  if (!IsUnlimited(command)) {
    // A message larger than the whole limit must still get through, alone.
    const bool too_many_bytes = bytes > 0 && all_.bytes > 0 && all_.bytes + bytes > max_bytes_;
    if (all_.commands >= max_commands_ || too_many_bytes) {
      rejected_ += IsAccept(command);
      return absl::ResourceExhaustedError(absl::StrCat("the store cannot keep up: ", all_.commands,
                                                       " requests with ", all_.bytes,
                                                       " bytes wait for it; try again later"));
    }
    all_.Add(bytes);
    if (!large) queued_.Add(bytes);
  }
  // More than the first need not wake a thread that has not come round to the first.
  if (queue_.empty() && large_.empty()) wakeup_.notify_one();
  if (large) {
    large_.push_back(std::move(command));
  } else {
    queue_.push_back(std::move(command));
  }
  return absl::OkStatus();
}

std::vector<Command> CommandQueue::Take(absl::Time wake_at) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (queue_.empty() && large_.empty() && !closed_ && wake_at > clock_->Now())
    clock_->WaitUntil(lock, wakeup_, wake_at);
  std::vector<Command> taken = std::exchange(queue_, {});
  taken_ = std::exchange(queued_, Load());
  int64_t large_bytes = 0;
  // Every other commit is for the small ones alone, while there are any.
  const bool small_only = std::exchange(took_large_, false) && !taken.empty();
  while (!small_only && !large_.empty() &&
         large_bytes < static_cast<int64_t>(kLargeBytesInOneCommit)) {
    took_large_ = true;
    const int64_t bytes = BytesOf(large_.front());
    taken_.Add(bytes);
    large_bytes += bytes;
    taken.push_back(std::move(large_.front()));
    large_.pop_front();
  }
  return taken;
}

void CommandQueue::Release() {
  const std::lock_guard<std::mutex> lock(mutex_);
  all_.commands -= taken_.commands;
  all_.bytes -= taken_.bytes;
  taken_ = Load();
}

void CommandQueue::Close() {
  const std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
  wakeup_.notify_one();
}

bool CommandQueue::finished() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return closed_ && queue_.empty() && large_.empty();
}

void CommandQueue::AddTo(EngineStats& stats) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  stats.rejected_by_queue = rejected_;
  stats.queued = static_cast<int64_t>(all_.commands);
  stats.queued_bytes = all_.bytes;
}

}  // namespace pillion::delivery
