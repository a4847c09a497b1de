#include "core/discovery/resource_types.h"

#include "absl/strings/str_cat.h"
#include "pillion/config/v1/discovery.pb.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::discovery {
namespace {

std::string Url(const google::protobuf::Descriptor* type) {
  return absl::StrCat("type.googleapis.com/", type->full_name());
}

ResourceType ListOfPolicy(int field_number) {
  const auto* list = config::v1::Policy::descriptor()->FindFieldByNumber(field_number);
  return {Url(list->message_type()), list};
}

}  // namespace

const std::vector<ResourceType>& ResourceTypes() {
  using config::v1::Policy;
  static const auto& types = *new std::vector<ResourceType>{
      ListOfPolicy(Policy::kClustersFieldNumber),
      ListOfPolicy(Policy::kBrokersFieldNumber),
      ListOfPolicy(Policy::kSubscriptionsFieldNumber),
      ListOfPolicy(Policy::kVirtualHostsFieldNumber),
      {Url(config::v1::PolicyVersion::descriptor()), nullptr},
  };
  return types;
}

const std::string& ClusterUrl() { return ResourceTypes().front().url; }

const std::string& PolicyVersionUrl() { return ResourceTypes().back().url; }

std::string_view ShortTypeName(std::string_view url) {
  return url.substr(url.find_last_of("./") + 1);
}

}  // namespace pillion::discovery
