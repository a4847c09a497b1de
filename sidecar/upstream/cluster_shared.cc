#include "sidecar/upstream/cluster_shared.h"

#include <algorithm>
#include <limits>

#include "core/check.h"

namespace pillion::upstream {

void ClusterShared::Join(Member& member) {
  std::lock_guard lock(mutex_);
  members_.push_back(&member);
}

void ClusterShared::Leave(Member& member) {
  std::lock_guard lock(mutex_);
  SetWantedLocked(member, 0);
  std::erase(members_, &member);
}

void ClusterShared::SetWaiting(Member& member, uint32_t waiting) {
  std::lock_guard lock(mutex_);
  const uint32_t before = member.wanted_;
  SetWantedLocked(member, waiting);
  if (member.wanted_ > before) AskForIdleLocked(member);
}

void ClusterShared::SlotArrived(Member& member, uint32_t waiting) {
  std::lock_guard lock(mutex_);
  PILLION_CHECK(member.under_way_ > 0);
  --member.under_way_;
  SetWantedLocked(member, waiting);
}

bool ClusterShared::others_wait(const Member& member) {
  if (wanted_.load() == 0) return false;
  std::lock_guard lock(mutex_);
  return wanted_.load() > member.wanted_;
}

void ClusterShared::ReleaseConnection(const Member* from, uint32_t limit) {
  if (wanted_.load() == 0) {
    connections_.Release();
    if (wanted_.load() == 0) return;
    // Somebody began to wait in between, and may have looked too early to see the free slot.
    if (!connections_.TryTake(limit)) return;
  }
  std::lock_guard lock(mutex_);
  if (connections_.used() <= limit && GrantLocked(from)) return;
  connections_.Release();
}

bool ClusterShared::GrantLocked(const Member* from) {
  if (queue_.empty()) return false;
  auto chosen = std::find_if(queue_.begin(), queue_.end(), [&](Member* m) { return m != from; });
  if (chosen == queue_.end()) chosen = queue_.begin();
  Member& member = **chosen;
  queue_.erase(chosen);
  --wanted_;
  if (--member.wanted_ > 0) queue_.push_back(&member);
  ++member.under_way_;
  PostGrantLocked(member);
  return true;
}

void ClusterShared::PostGrantLocked(Member& member) {
  member.loop_.Post([shared = shared_from_this(), weak = member.weak_from_this()] {
    if (std::shared_ptr<Member> receiver = weak.lock()) {
      receiver->OnSlotGranted();
    } else {
      shared->ReleaseConnection(nullptr, std::numeric_limits<uint32_t>::max());
    }
  });
}

void ClusterShared::AskForIdleLocked(const Member& asking) {
  for (Member* member : members_) {
    if (member == &asking || std::exchange(member->idle_wanted_, true)) continue;
    member->loop_.Post([shared = shared_from_this(), weak = member->weak_from_this()] {
      std::shared_ptr<Member> receiver = weak.lock();
      if (receiver == nullptr) return;
      {
        std::lock_guard lock(shared->mutex_);
        receiver->idle_wanted_ = false;
      }
      receiver->OnIdleWanted();
    });
  }
}

void ClusterShared::SetWantedLocked(Member& member, uint32_t waiting) {
  const uint32_t wanted = waiting - std::min(waiting, member.under_way_);
  if (member.wanted_ == 0 && wanted > 0) queue_.push_back(&member);
  if (member.wanted_ > 0 && wanted == 0) std::erase(queue_, &member);
  wanted_ += wanted - member.wanted_;  // modulo 2^32: may go down
  member.wanted_ = wanted;
}

void ClusterShared::SetMembership(size_t total, size_t healthy) {
  membership_total_.store(total, std::memory_order_relaxed);
  membership_healthy_.store(healthy, std::memory_order_relaxed);
}

void ClusterShared::Collect(telemetry::MetricsBuilder& builder) {
  std::lock_guard lock(mutex_);
  if (members_.empty()) return;  // not in the policy any more
  for (Member* member : members_) member->stats_.Collect(builder, name_);
  telemetry::CollectMembership(builder, name_, membership_total_.load(std::memory_order_relaxed),
                               membership_healthy_.load(std::memory_order_relaxed));
}

std::shared_ptr<ClusterShared> ClusterRegistry::Get(std::string_view name) {
  std::lock_guard lock(mutex_);
  std::weak_ptr<ClusterShared>& entry = clusters_[std::string(name)];
  std::shared_ptr<ClusterShared> shared = entry.lock();
  if (shared != nullptr) return shared;
  entry = shared = std::make_shared<ClusterShared>(std::string(name));
  if (clusters_.size() >= sweep_at_) {
    std::erase_if(clusters_, [](const auto& item) { return item.second.expired(); });
    sweep_at_ = 2 * clusters_.size() + 64;
  }
  return shared;
}

void ClusterRegistry::Collect(telemetry::MetricsBuilder& builder) {
  std::lock_guard lock(mutex_);
  for (const auto& [name, entry] : clusters_) {
    if (std::shared_ptr<ClusterShared> shared = entry.lock()) shared->Collect(builder);
  }
}

}  // namespace pillion::upstream
