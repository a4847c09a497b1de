#include "sidecar/delivery/scheduler.h"

#include <algorithm>
#include <cassert>

namespace pillion::delivery {

void Scheduler::AddDue(const Target& target, absl::Time due_at) {
  const auto it = targets_.try_emplace(target).first;
  Entry& entry = it->second;
  switch (entry.place) {
    case Place::kIdle:
      Schedule(it->first, entry, due_at);
      return;
    case Place::kTimed:
      if (due_at >= entry.due_at) return;
      timed_.erase({entry.due_at, &it->first});
      Schedule(it->first, entry, due_at);
      return;
    case Place::kReady:
    case Place::kAtLimit:
    case Place::kTurn:
      return;  // the store is asked anyway when its turn comes
  }
}

void Scheduler::Schedule(const Target& target, Entry& entry, absl::Time due_at) {
  entry.place = Place::kTimed;
  entry.due_at = due_at;
  timed_.emplace(due_at, &target);
}

void Scheduler::MakeReady(const Target& target, Entry& entry) {
  entry.place = Place::kReady;
  ready_.push_back(&target);
}

void Scheduler::WakeDue(absl::Time now) {
  while (!timed_.empty() && timed_.begin()->first <= now) {
    const Target* target = timed_.begin()->second;
    timed_.erase(timed_.begin());
    MakeReady(*target, targets_.find(*target)->second);
  }
}

bool Scheduler::MayStartNow(const Target& target, int concurrency, absl::Time now) {
  WakeDue(now);
  if (!HasRoom() || !ready_.empty()) return false;
  const auto it = targets_.find(target);
  if (it == targets_.end()) return true;
  if (it->second.place == Place::kAtLimit) return false;
  return concurrency <= 0 || it->second.running < concurrency;
}

std::optional<Target> Scheduler::NextTurn(absl::Time now) {
  WakeDue(now);
  if (!HasRoom() || ready_.empty()) return std::nullopt;
  const Target* target = ready_.front();
  ready_.pop_front();
  targets_.find(*target)->second.place = Place::kTurn;
  return *target;
}

void Scheduler::Took(const Target& target) {
  const auto it = targets_.find(target);
  assert(it != targets_.end() && it->second.place == Place::kTurn);
  MakeReady(it->first, it->second);
}

void Scheduler::AtLimit(const Target& target) {
  const auto it = targets_.find(target);
  assert(it != targets_.end() && it->second.place == Place::kTurn);
  it->second.place = Place::kAtLimit;
}

void Scheduler::NotDue(const Target& target, absl::Time next_due_at) {
  const auto it = targets_.find(target);
  assert(it != targets_.end() && it->second.place == Place::kTurn);
  if (next_due_at == absl::InfiniteFuture()) {
    it->second.place = Place::kIdle;
  } else {
    Schedule(it->first, it->second, next_due_at);
  }
}

void Scheduler::Started(const Target& target, int64_t bytes) {
  ++running_;
  running_bytes_ += bytes;
  ++targets_[target].running;
}

void Scheduler::Ended(const Target& target, int64_t bytes) {
  const auto it = targets_.find(target);
  assert(it != targets_.end() && it->second.running > 0 && running_ > 0);
  --running_;
  running_bytes_ -= bytes;
  --it->second.running;
  if (it->second.place == Place::kAtLimit) MakeReady(it->first, it->second);
}

absl::Time Scheduler::NextDueAt() const {
  if (!HasRoom()) return absl::InfiniteFuture();
  if (!ready_.empty()) return absl::InfinitePast();
  return timed_.empty() ? absl::InfiniteFuture() : timed_.begin()->first;
}

int Scheduler::RunningOf(const Target& target) const {
  const auto it = targets_.find(target);
  return it == targets_.end() ? 0 : it->second.running;
}

void Scheduler::Reset() {
  running_ = 0;
  running_bytes_ = 0;
  timed_.clear();
  ready_.clear();
  for (auto& [target, entry] : targets_) {
    entry.running = 0;
    MakeReady(target, entry);
  }
}

}  // namespace pillion::delivery
