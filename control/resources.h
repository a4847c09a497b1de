// A policy cut into the resources that travel to sidecars one by one.
#ifndef PILLION_CONTROL_RESOURCES_H_
#define PILLION_CONTROL_RESOURCES_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace google::protobuf {
class Message;
}
namespace pillion::config::v1 {
class Policy;
}

namespace pillion::control {

// Immutable once made, and shared by the views of all services.
struct Resource {
  std::string name;
  std::string
      version;  // a hash of `bytes`: the same content has the same version, also after a restart
  std::string bytes;  // the message, serialised
};

// By name.
using ResourceMap = std::map<std::string, std::shared_ptr<const Resource>, std::less<>>;

// By type URL (core/discovery/resource_types.h), then by name.
using ResourcesByType = std::map<std::string, ResourceMap, std::less<>>;

// One resource per element of each list of the policy.
ResourcesByType SplitPolicy(const config::v1::Policy& policy);

// The resource that commits the others at the sidecar.
std::shared_ptr<const Resource> PolicyVersionResource(const std::string& version);

// The name of the policy as a whole: the same for policies that mean the same to every reader of
// the schema.
std::string PolicyId(const config::v1::Policy& policy);

// What one version changed of the one before.
struct Change {
  enum class Kind { kAdded, kChanged, kRemoved };
  Kind kind;
  std::string type;  // "VirtualHost"
  std::string name;
};

// In order of type and name.
std::vector<Change> Compare(const ResourcesByType& before, const ResourcesByType& after);

}  // namespace pillion::control

#endif  // PILLION_CONTROL_RESOURCES_H_
