#include "sidecar/discovery/staged_policy.h"

#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>

#include <vector>

#include "absl/strings/str_join.h"
#include "core/config/content_hash.h"
#include "core/config/defaults.h"
#include "core/config/load.h"
#include "core/discovery/resource_types.h"
#include "core/strings.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::discovery {
namespace {

using config::v1::Policy;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

const ResourceType* FindType(const std::string& url) {
  for (const ResourceType& type : ResourceTypes()) {
    if (type.url == url && type.list != nullptr) return &type;
  }
  return nullptr;
}

bool AddTo(Policy* policy, const ResourceType& type, const std::string& bytes) {
  return policy->GetReflection()->AddMessage(policy, type.list)->ParseFromString(bytes);
}

// A field at any depth that the schema does not have, as "routes[0].match: field 17"; "" if there
// is none.
std::string UnknownField(const Message& message, const std::string& path) {
  const auto* reflection = message.GetReflection();
  if (const auto& unknown = reflection->GetUnknownFields(message); !unknown.empty()) {
    return StrCat(path, path.empty() ? "" : ": ", "field ", unknown.field(0).number());
  }
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const std::string here = StrCat(path, path.empty() ? "" : ".", field->name());
    const int size = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < size; ++i) {
      std::string found = field->is_repeated()
                              ? UnknownField(reflection->GetRepeatedMessage(message, field, i),
                                             StrCat(here, "[", i, "]"))
                              : UnknownField(reflection->GetMessage(message, field), here);
      if (!found.empty()) return found;
    }
  }
  return "";
}

// "" if `resource` can be staged under `type_url`, which is the type of the response.
std::string WhyUnreadable(const envoy::service::discovery::v3::Resource& resource,
                          const std::string& type_url) {
  const ResourceType* type = FindType(type_url);
  if (type == nullptr) return StrCat("type ", type_url, " is not known to this sidecar");
  if (resource.resource().type_url() != type_url) {
    return StrCat("is of type ", resource.resource().type_url(), ", not ", type_url);
  }
  Policy scratch;
  if (!AddTo(&scratch, *type, resource.resource().value())) return "is not a valid message";
  // To act on the rest would be to act on another policy than was written.
  const std::string unknown =
      UnknownField(scratch.GetReflection()->GetRepeatedMessage(scratch, type->list, 0), "");
  if (!unknown.empty()) {
    return StrCat("says what this sidecar does not know (", unknown,
                  "): control is newer than this sidecar: update it");
  }
  return "";
}

}  // namespace

StagedPolicy StagedPolicy::Of(const Policy& policy) {
  StagedPolicy staged;
  const auto* reflection = policy.GetReflection();
  for (const ResourceType& type : ResourceTypes()) {
    if (type.list == nullptr) continue;
    const FieldDescriptor* name = type.list->message_type()->FindFieldByName("name");
    for (int i = 0; i < reflection->FieldSize(policy, type.list); ++i) {
      const Message& message = reflection->GetRepeatedMessage(policy, type.list, i);
      std::string bytes = config::DeterministicBytes(message);
      std::string version = config::ContentHash().Add(bytes).Hex();
      staged.items_[{type.url, message.GetReflection()->GetString(message, name)}] = {
          std::move(version), std::move(bytes)};
    }
  }
  return staged;
}

absl::Status StagedPolicy::Take(const Response& response) {
  std::vector<std::string> mistakes;
  // A response kept on disk has resources of all types; one from control says its type once.
  const auto type_of = [&](const auto& resource) {
    return response.type_url().empty() ? resource.resource().type_url() : response.type_url();
  };
  for (const auto& resource : response.resources()) {
    const Key key(type_of(resource), resource.name());
    if (std::string why = WhyUnreadable(resource, key.first); !why.empty()) {
      mistakes.push_back(StrCat(ShortTypeName(key.first), " '", resource.name(), "' ", why));
      unreadable_[key] = mistakes.back();
      continue;
    }
    unreadable_.erase(key);
    items_[key] = {resource.version(), resource.resource().value()};
  }
  for (const std::string& name : response.removed_resources()) {
    items_.erase({response.type_url(), name});
    unreadable_.erase({response.type_url(), name});
  }
  if (mistakes.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrJoin(mistakes, "; "));
}

absl::StatusOr<std::shared_ptr<const Policy>> StagedPolicy::Build() const {
  if (!unreadable_.empty()) {
    return absl::FailedPreconditionError(absl::StrJoin(
        unreadable_, "; ", [](std::string* out, const auto& bad) { out->append(bad.second); }));
  }
  auto policy = std::make_shared<Policy>();
  for (const auto& [key, item] : items_) AddTo(policy.get(), *FindType(key.first), item.bytes);
  if (const auto mistakes = config::CheckPolicy(*policy); !mistakes.empty()) {
    return absl::InvalidArgumentError(config::ToString(mistakes));
  }
  config::ApplyDefaults(policy.get());
  return policy;
}

void StagedPolicy::AddVersionsTo(Request* request) const {
  for (auto it = items_.lower_bound({request->type_url(), ""});
       it != items_.end() && it->first.first == request->type_url(); ++it) {
    (*request->mutable_initial_resource_versions())[it->first.second] = it->second.version;
  }
}

StagedPolicy::Response StagedPolicy::Everything(const std::string& version) const {
  Response response;
  response.set_system_version_info(version);
  for (const auto& [key, item] : items_) {
    auto* resource = response.add_resources();
    resource->set_name(key.second);
    resource->set_version(item.version);
    resource->mutable_resource()->set_type_url(key.first);
    resource->mutable_resource()->set_value(item.bytes);
  }
  return response;
}

}  // namespace pillion::discovery
