#include "control/resources.h"

#include <utility>

#include "core/config/content_hash.h"
#include "core/discovery/resource_types.h"
#include "pillion/config/v1/discovery.pb.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::control {
namespace {

std::string Name(const google::protobuf::Message& message) {
  return message.GetReflection()->GetString(message,
                                            message.GetDescriptor()->FindFieldByName("name"));
}

void CompareType(const ResourceMap& before, const ResourceMap& after, const std::string& type,
                 std::vector<Change>& changes) {
  for (const auto& [name, resource] : after) {
    const auto old = before.find(name);
    if (old == before.end()) {
      changes.push_back({Change::Kind::kAdded, type, name});
    } else if (old->second->version != resource->version) {
      changes.push_back({Change::Kind::kChanged, type, name});
    }
  }
  for (const auto& [name, resource] : before) {
    if (after.count(name) == 0) changes.push_back({Change::Kind::kRemoved, type, name});
  }
}

}  // namespace

ResourcesByType SplitPolicy(const config::v1::Policy& policy) {
  ResourcesByType resources;
  for (const discovery::ResourceType& type : discovery::ResourceTypes()) {
    if (type.list == nullptr) continue;
    ResourceMap& of_type = resources[type.url];
    const auto* reflection = policy.GetReflection();
    for (int i = 0; i < reflection->FieldSize(policy, type.list); ++i) {
      const google::protobuf::Message& message =
          reflection->GetRepeatedMessage(policy, type.list, i);
      auto resource = std::make_shared<Resource>();
      resource->name = Name(message);
      resource->bytes = config::DeterministicBytes(message);
      resource->version = config::ContentHash().Add(resource->bytes).Hex();
      of_type[resource->name] = std::move(resource);
    }
  }
  return resources;
}

std::shared_ptr<const Resource> PolicyVersionResource(const std::string& version) {
  config::v1::PolicyVersion message;
  message.set_version(version);
  auto resource = std::make_shared<Resource>();
  resource->name = discovery::kPolicyVersionName;
  resource->version = version;
  resource->bytes = config::DeterministicBytes(message);
  return resource;
}

std::string PolicyId(const config::v1::Policy& policy) {
  config::ContentHash hash;
  for (const auto& [url, resources] : SplitPolicy(policy)) {
    hash.Add(url);
    for (const auto& [name, resource] : resources) hash.Add(resource->bytes);
  }
  return hash.Hex();
}

std::vector<Change> Compare(const ResourcesByType& before, const ResourcesByType& after) {
  static const ResourceMap none;
  std::vector<Change> changes;
  for (const discovery::ResourceType& type : discovery::ResourceTypes()) {
    const auto old = before.find(type.url);
    const auto now = after.find(type.url);
    CompareType(old == before.end() ? none : old->second, now == after.end() ? none : now->second,
                std::string(discovery::ShortTypeName(type.url)), changes);
  }
  return changes;
}

}  // namespace pillion::control
