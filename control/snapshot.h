// One good version of the policy, as it is served: cut into resources, with the part that each
// service needs.
#ifndef PILLION_CONTROL_SNAPSHOT_H_
#define PILLION_CONTROL_SNAPSHOT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "control/resources.h"

namespace pillion::control {

class ServiceNeeds;

// What people are told of a version.
struct Version {
  std::string id;         // PolicyId(); a policy that returns to an earlier state has its id again
  uint32_t sequence = 0;  // counts the versions of this control, from 1
  absl::Time time;        // when it was taken up
  std::vector<std::string> files;
  std::vector<Change> changes;  // against the version before; read back from disk: the first 100
  uint32_t change_count = 0;    // all of them
};

// Immutable. Thread-safe.
class Snapshot {
 public:
  // REQUIRES: the policy has no mistake, and its defaults are filled in.
  Snapshot(std::unique_ptr<const config::v1::Policy> policy, Version version);
  ~Snapshot();

  const config::v1::Policy& policy() const { return *policy_; }
  const Version& version() const { return version_; }
  const ResourcesByType& resources() const { return resources_; }

  // What a sidecar of `service` gets: the virtual hosts that the service may see, whatever they
  // refer to, the subscriptions to what they publish or emit with whatever those refer to, and the
  // PolicyVersion. By itself a policy without dangling references.
  std::shared_ptr<const ResourcesByType> ViewFor(const std::string& service) const;

 private:
  const std::unique_ptr<const config::v1::Policy> policy_;
  const Version version_;
  const ResourcesByType resources_;
  const std::unique_ptr<const ServiceNeeds> needs_;

  mutable std::mutex mutex_;
  mutable std::map<std::string, std::shared_ptr<const ResourcesByType>> views_;  // by service
};

}  // namespace pillion::control

#endif  // PILLION_CONTROL_SNAPSHOT_H_
