#include "sidecar/delivery/background_call.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cassert>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace pillion::delivery {
namespace {

constexpr int kNice = 5;
// Of a few microseconds each.
constexpr int kPiecesAtOnce = 10;

}  // namespace

BackgroundCall::~BackgroundCall() {
  if (!thread_.joinable()) return;
  Hurry();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

absl::Status BackgroundCall::Open() {
  try {
    thread_ = std::thread([this] { Run(); });
    return absl::OkStatus();
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(absl::StrCat("no thread can be made (", error.what(),
                                                     "); raise the limit of processes (pids.max)"));
  }
}

void BackgroundCall::Start(Call call) {
  assert(thread_.joinable() && !started_);
  started_ = true;
  hurried_.store(false, std::memory_order_relaxed);
  const std::lock_guard<std::mutex> lock(mutex_);
  call_ = std::move(call);
  done_ = false;
  changed_.notify_all();
}

bool BackgroundCall::done() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return done_;
}

absl::Status BackgroundCall::Finish() {
  assert(started_);
  started_ = false;
  Hurry();
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return done_; });
  return std::move(result_);
}

// A lower priority alone does not do: Linux leaves a thread the processor for a few milliseconds,
// whoever comes to wait for it, and does not look for another one that is idle while most are busy.
void BackgroundCall::GiveWay() {
  if (++pieces_ % kPiecesAtOnce != 0 || hurried_.load(std::memory_order_relaxed)) return;
  sched_yield();
}

void BackgroundCall::Run() {
  // If the caller has something to do meanwhile, it is not to wait for the processor that this has.
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return call_ != nullptr || ending_; });
    if (call_ == nullptr) return;
    const Call call = std::exchange(call_, nullptr);
    lock.unlock();
    absl::Status result = call();
    lock.lock();
    result_ = std::move(result);
    done_ = true;
    changed_.notify_all();
  }
}

}  // namespace pillion::delivery
