// The resource types that control pushes to sidecars (protos/pillion/config/v1/discovery.proto):
// each list of the policy is one type, each element of a list one resource, named by its field
// `name`.
//
// Threads: everything may be called from any thread.
#ifndef PILLION_CORE_DISCOVERY_RESOURCE_TYPES_H_
#define PILLION_CORE_DISCOVERY_RESOURCE_TYPES_H_

#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
}  // namespace google::protobuf

namespace pillion::discovery {

// The name of the one resource of type PolicyVersion.
inline constexpr std::string_view kPolicyVersionName = "policy";

struct ResourceType {
  std::string url;  // "type.googleapis.com/pillion.config.v1.Cluster"
  // The list of Policy whose elements these are; null for PolicyVersion.
  const google::protobuf::FieldDescriptor* list;
};

// In the order in which they are sent: what is referred to comes before what refers to it,
// PolicyVersion last.
const std::vector<ResourceType>& ResourceTypes();

// The types that somebody has to know by name. PolicyVersion is the last of ResourceTypes().
const std::string& ClusterUrl();
const std::string& PolicyVersionUrl();

// "VirtualHost" of "type.googleapis.com/pillion.config.v1.VirtualHost": for people.
std::string_view ShortTypeName(std::string_view url);

}  // namespace pillion::discovery

#endif  // PILLION_CORE_DISCOVERY_RESOURCE_TYPES_H_
