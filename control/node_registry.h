// Who is connected, and which version of the policy each runs. For people: the xDS server writes it
// and decides nothing by it.
#ifndef PILLION_CONTROL_NODE_REGISTRY_H_
#define PILLION_CONTROL_NODE_REGISTRY_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace pillion::control {

struct Rejection {
  std::string version;  // of the policy
  std::string type;     // of the resources that were rejected; PolicyVersion: the policy as a whole
  std::string reason;
  absl::Time time;
};

// One connection of a node; or the last one of a node that is away.
struct NodeStatus {
  std::string id;
  std::string service;
  std::string address;  // of the peer
  std::string user_agent;
  absl::Time connected_since;
  std::optional<absl::Time> disconnected_at;
  std::string version_sent;            // "" if none
  std::string version_applied;         // that the node confirmed; "" if none
  absl::Time applied_at;               // when it did, or said on connecting that it runs it
  std::optional<Rejection> rejection;  // the last one
  bool rejects = false;                // the node's last word on a whole policy was a rejection
  bool duplicate = false;              // another live connection has the same node id
};

// Thread-safe.
class NodeRegistry {
 public:
  using Handle = uint64_t;

  // A stream of a node began. Logs a warning if the same node id is connected already. The other
  // calls take the handle that this returns.
  Handle Connected(std::string id, std::string service, std::string address,
                   std::string user_agent);
  void Disconnected(Handle handle);

  void Sent(Handle handle, const std::string& version);
  void Applied(Handle handle, const std::string& version);
  void Rejected(Handle handle, Rejection rejection);

  // By id, then by time of connecting. A node that is away is listed for an hour.
  std::vector<NodeStatus> List() const;

 private:
  void MarkDuplicates(const std::string& id);

  mutable std::mutex mutex_;
  Handle last_handle_ = 0;
  std::map<Handle, NodeStatus> connections_;
  std::map<std::string, NodeStatus> away_;  // by id
};

}  // namespace pillion::control

#endif  // PILLION_CONTROL_NODE_REGISTRY_H_
