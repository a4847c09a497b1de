#include "control/node_registry.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/time/clock.h"
#include "core/telemetry/log.h"

namespace pillion::control {
namespace {

constexpr log::Logger kLog("nodes");

constexpr absl::Duration kRememberAway = absl::Hours(1);
constexpr size_t kMaxAway = 10'000;

}  // namespace

NodeRegistry::Handle NodeRegistry::Connected(std::string id, std::string service,
                                             std::string address, std::string user_agent) {
  std::lock_guard lock(mutex_);
  NodeStatus node;
  node.id = std::move(id);
  node.service = std::move(service);
  node.address = std::move(address);
  node.user_agent = std::move(user_agent);
  node.connected_since = absl::Now();
  if (auto away = away_.extract(node.id)) node.rejection = std::move(away.mapped().rejection);
  const Handle handle = ++last_handle_;
  const NodeStatus& added = connections_[handle] = std::move(node);
  MarkDuplicates(added.id);
  if (added.duplicate) {
    kLog.Warning("node id '", added.id, "' is connected more than once, now from ", added.address,
                 " (service ", added.service, "); give each sidecar its own node.id");
  } else {
    kLog.Info("node ", added.id, " (service ", added.service, ") connected from ", added.address);
  }
  return handle;
}

void NodeRegistry::Disconnected(Handle handle) {
  std::lock_guard lock(mutex_);
  auto connection = connections_.extract(handle);
  if (connection.empty()) return;
  NodeStatus& node = connection.mapped();
  kLog.Info("node ", node.id, " disconnected from ", node.address);
  MarkDuplicates(node.id);
  node.disconnected_at = absl::Now();
  node.duplicate = false;
  const bool elsewhere = std::any_of(connections_.begin(), connections_.end(),
                                     [&](const auto& other) { return other.second.id == node.id; });
  if (elsewhere) return;
  for (auto it = away_.begin(); it != away_.end();) {
    const bool expired = *it->second.disconnected_at + kRememberAway < absl::Now();
    it = expired || away_.size() >= kMaxAway ? away_.erase(it) : std::next(it);
  }
  std::string id = node.id;
  away_[std::move(id)] = std::move(node);
}

void NodeRegistry::Sent(Handle handle, const std::string& version) {
  std::lock_guard lock(mutex_);
  connections_.at(handle).version_sent = version;
}

void NodeRegistry::Applied(Handle handle, const std::string& version) {
  std::lock_guard lock(mutex_);
  NodeStatus& node = connections_.at(handle);
  node.version_applied = version;
  node.applied_at = absl::Now();
  node.rejects = false;
}

void NodeRegistry::Rejected(Handle handle, Rejection rejection) {
  std::lock_guard lock(mutex_);
  NodeStatus& node = connections_.at(handle);
  kLog.Warning("node ", node.id, " rejects version ", rejection.version, " (", rejection.type,
               "): ", rejection.reason);
  rejection.time = absl::Now();
  node.rejects = true;
  node.rejection = std::move(rejection);
}

std::vector<NodeStatus> NodeRegistry::List() const {
  std::lock_guard lock(mutex_);
  std::vector<NodeStatus> nodes;
  for (const auto& [handle, node] : connections_) nodes.push_back(node);
  for (const auto& [id, node] : away_) {
    if (*node.disconnected_at + kRememberAway >= absl::Now()) nodes.push_back(node);
  }
  std::sort(nodes.begin(), nodes.end(), [](const NodeStatus& a, const NodeStatus& b) {
    return std::tie(a.id, a.connected_since) < std::tie(b.id, b.connected_since);
  });
  return nodes;
}

void NodeRegistry::MarkDuplicates(const std::string& id) {
  const auto same = [&](const auto& connection) { return connection.second.id == id; };
  const bool several = std::count_if(connections_.begin(), connections_.end(), same) > 1;
  for (auto& [handle, node] : connections_) {
    if (node.id == id) node.duplicate = several;
  }
}

}  // namespace pillion::control
