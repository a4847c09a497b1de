#include "sidecar/delivery/scheduler.h"

#include <algorithm>
#include <cassert>
#include <limits>

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
    case Place::kAtGate:
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

void Scheduler::SetClusterLimits(const absl::flat_hash_map<std::string, int>& limits) {
  for (auto& [cluster, gate] : clusters_) gate.limit = std::numeric_limits<int>::max();
  for (const auto& [cluster, limit] : limits) clusters_[cluster].limit = limit;
  for (auto& [cluster, gate] : clusters_) {
    // More of them may have room now than places will become free.
    for (size_t i = gate.waiting.size(); i > 0; --i) LetIn(gate);
  }
}

// Also with the smallest limits one delivery of a target may run, if there is room at all.
bool Scheduler::HasShare(const Entry& entry) const {
  if (entry.running == 0) return true;
  return entry.running < max_running_ - running_ &&
         entry.bytes < max_running_bytes_ - running_bytes_;
}

bool Scheduler::MayStartNow(const Target& target, const std::string& cluster, int concurrency,
                            absl::Time now) {
  WakeDue(now);
  if (!HasRoom() || !ready_.empty()) return false;
  const auto gate = clusters_.find(cluster);
  if (gate != clusters_.end() && gate->second.running >= gate->second.limit) return false;
  const auto it = targets_.find(target);
  if (it == targets_.end()) return true;
  const Entry& entry = it->second;
  if (entry.place == Place::kAtLimit || entry.place == Place::kAtGate) return false;
  return (concurrency <= 0 || entry.running < concurrency) && HasShare(entry);
}

std::optional<Target> Scheduler::NextTurn(absl::Time now) {
  WakeDue(now);
  if (!HasRoom() || ready_.empty()) return std::nullopt;
  const Target* target = ready_.front();
  ready_.pop_front();
  targets_.find(*target)->second.place = Place::kTurn;
  return *target;
}

Scheduler::Entry& Scheduler::TurnOf(const Target& target) {
  const auto it = targets_.find(target);
  assert(it != targets_.end() && it->second.place == Place::kTurn);
  return it->second;
}

bool Scheduler::Wait(const Target& target, const std::string& cluster, int concurrency) {
  Entry& entry = TurnOf(target);
  const Target& key = targets_.find(target)->first;
  if (concurrency > 0 && entry.running >= concurrency) {
    AtLimit(target);
    return true;
  }
  const auto gate = clusters_.find(cluster);
  if (gate != clusters_.end() && gate->second.running >= gate->second.limit) {
    WaitAt(gate->second, key, entry);
    return true;
  }
  if (!HasShare(entry)) {
    WaitAt(whole_, key, entry);
    return true;
  }
  return false;
}

void Scheduler::WaitAt(Gate& gate, const Target& target, Entry& entry) {
  entry.place = Place::kAtGate;
  PassOn(entry);
  gate.waiting.push_back(&target);
}

void Scheduler::LetIn(Gate& gate) {
  const auto fits = [&](const Target* target) {
    return &gate != &whole_ || HasShare(targets_.find(*target)->second);
  };
  const auto next = std::find_if(gate.waiting.begin(), gate.waiting.end(), fits);
  if (next == gate.waiting.end()) return;
  const auto it = targets_.find(**next);
  gate.waiting.erase(next);
  it->second.let_in_by = &gate;
  MakeReady(it->first, it->second);
}

// The place that it was let in for and does not take is another's.
void Scheduler::PassOn(Entry& entry) {
  Gate* gate = std::exchange(entry.let_in_by, nullptr);
  if (gate != nullptr && gate->running < gate->limit) LetIn(*gate);
}

void Scheduler::AtLimit(const Target& target) {
  Entry& entry = TurnOf(target);
  entry.place = Place::kAtLimit;
  PassOn(entry);
}

void Scheduler::Took(const Target& target) {
  Entry& entry = TurnOf(target);
  MakeReady(targets_.find(target)->first, entry);
}

void Scheduler::NotDue(const Target& target, absl::Time next_due_at) {
  Entry& entry = TurnOf(target);
  PassOn(entry);
  if (next_due_at == absl::InfiniteFuture()) {
    entry.place = Place::kIdle;
  } else {
    Schedule(targets_.find(target)->first, entry, next_due_at);
  }
}

void Scheduler::Started(const Target& target, const std::string& cluster, int64_t bytes) {
  ++running_;
  running_bytes_ += bytes;
  Entry& entry = targets_[target];
  ++entry.running;
  entry.bytes += bytes;
  entry.let_in_by = nullptr;
  ++clusters_[cluster].running;
}

void Scheduler::Ended(const Target& target, const std::string& cluster, int64_t bytes) {
  const auto it = targets_.find(target);
  assert(it != targets_.end() && it->second.running > 0 && running_ > 0);
  --running_;
  running_bytes_ -= bytes;
  Entry& entry = it->second;
  --entry.running;
  entry.bytes -= bytes;
  if (entry.place == Place::kAtLimit) MakeReady(it->first, entry);
  const auto gate = clusters_.find(cluster);
  assert(gate != clusters_.end() && gate->second.running > 0);
  --gate->second.running;
  LetIn(gate->second);
  LetIn(whole_);
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
  whole_.waiting.clear();
  for (auto& [cluster, gate] : clusters_) {
    gate.running = 0;
    gate.waiting.clear();
  }
  for (auto& [target, entry] : targets_) {
    entry = Entry();
    MakeReady(target, entry);
  }
}

}  // namespace pillion::delivery
