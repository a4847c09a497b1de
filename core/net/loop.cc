#include "core/net/loop.h"

#include <utility>

#include "core/check.h"
#include "core/net/epoll_backend.h"
#include "core/net/io_backend.h"
#include "core/net/uring_backend.h"

namespace pillion::net {
namespace {
constexpr int kBudget = 64;
}  // namespace

absl::StatusOr<std::unique_ptr<Loop>> Loop::Create(IoKind kind) {
  absl::Status io_uring_status;
  if (kind != IoKind::kEpoll) {
    absl::StatusOr<std::unique_ptr<IoBackend>> io = CreateUringBackend();
    if (io.ok()) return std::unique_ptr<Loop>(new Loop(*std::move(io), absl::OkStatus()));
    if (kind == IoKind::kIoUring) return io.status();
    io_uring_status = io.status();
  }
  absl::StatusOr<std::unique_ptr<IoBackend>> io = CreateEpollBackend();
  if (!io.ok()) return io.status();
  return std::unique_ptr<Loop>(new Loop(*std::move(io), std::move(io_uring_status)));
}

Loop::Loop(std::unique_ptr<IoBackend> io, absl::Status io_uring_status)
    : now_(Clock::now()),
      timers_(now_),
      io_(std::move(io)),
      io_uring_status_(std::move(io_uring_status)) {}

Loop::~Loop() {
  // What was posted and not run refers to things that may be gone by now. Dropping it may post once
  // more: a promise that goes says so.
  while (true) {
    {
      std::lock_guard lock(mutex_);
      taken_.swap(posted_);
    }
    if (taken_.empty()) break;
    taken_.clear();
  }
}

std::string_view Loop::io_name() const { return io_->name(); }

void Loop::Run() {
  now_ = Clock::now();
  while (!stopping_.load(std::memory_order_acquire)) {
    Duration timeout = Duration::max();
    if (first_ready_ != nullptr) {
      timeout = Duration::zero();
    } else if (std::optional<TimePoint> wake = timers_.NextWake(); wake) {
      timeout = std::max(*wake - now_, Duration::zero());  // late by the turn at most
    }
    io_->Poll(timeout);
    now_ = Clock::now();
    TakePosted();
    timers_.Advance(now_);
    ResumeReady();
  }
  stopping_.store(false, std::memory_order_relaxed);
}

void Loop::Stop() {
  stopping_.store(true, std::memory_order_release);
  io_->Wake();
}

void Loop::Post(absl::AnyInvocable<void()> work) {
  // Under the lock to the end: the work may end the loop's life, but not before it has the lock.
  std::lock_guard lock(mutex_);
  posted_.push_back(std::move(work));
  if (!has_posted_.exchange(true, std::memory_order_release)) io_->Wake();
}

void Loop::TakePosted() {
  if (!has_posted_.load(std::memory_order_acquire)) return;
  {
    std::lock_guard lock(mutex_);
    taken_.swap(posted_);
    has_posted_.store(false, std::memory_order_relaxed);
  }
  for (absl::AnyInvocable<void()>& work : taken_) {
    budget_ = kBudget;
    std::move(work)();
  }
  taken_.clear();
}

void Loop::Ready(Wait& wait) {
  wait.next_ready_ = nullptr;
  if (last_ready_ != nullptr) {
    last_ready_->next_ready_ = &wait;
  } else {
    first_ready_ = &wait;
  }
  last_ready_ = &wait;
}

void Loop::ResumeReady() {
  // Only what is ready now: whoever becomes ready meanwhile has its turn after the next look at
  // I/O.
  Wait* wait = std::exchange(first_ready_, nullptr);
  last_ready_ = nullptr;
  while (wait != nullptr) {
    Wait* next = wait->next_ready_;  // the wait is gone once its coroutine runs
    budget_ = kBudget;
    wait->waiter_.resume();
    wait = next;
  }
}

}  // namespace pillion::net
