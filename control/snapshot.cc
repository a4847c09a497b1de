#include "control/snapshot.h"

#include <utility>

#include "control/service_needs.h"
#include "core/discovery/resource_types.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::control {
namespace {

// A node names its service itself; without a bound, nodes could make us keep any number of views.
constexpr size_t kMaxViews = 4096;

}  // namespace

Snapshot::Snapshot(std::unique_ptr<const config::v1::Policy> policy, Version version)
    : policy_(std::move(policy)),
      version_(std::move(version)),
      resources_(SplitPolicy(*policy_)),
      needs_(std::make_unique<ServiceNeeds>(*policy_)) {}

Snapshot::~Snapshot() = default;

std::shared_ptr<const ResourcesByType> Snapshot::ViewFor(const std::string& service) const {
  std::lock_guard lock(mutex_);
  if (const auto found = views_.find(service); found != views_.end()) return found->second;
  auto view = std::make_shared<ResourcesByType>();
  for (const auto& [url, names] : needs_->Of(service)) {
    const ResourceMap& all = resources_.at(url);
    for (const std::string& name : names) (*view)[url][name] = all.at(name);
  }
  auto policy_version = PolicyVersionResource(version_.id);
  (*view)[discovery::PolicyVersionUrl()][policy_version->name] = policy_version;
  if (views_.size() >= kMaxViews) views_.clear();
  return views_[service] = std::move(view);
}

}  // namespace pillion::control
