#include "sidecar/discovery/last_good.h"

#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include <limits>
#include <memory>

#include "core/config/content_hash.h"
#include "core/config/sources.h"
#include "core/discovery/resource_types.h"
#include "core/strings.h"
#include "core/telemetry/log.h"
#include "envoy/service/discovery/v3/discovery.pb.h"

namespace pillion::discovery {
namespace {

using envoy::service::discovery::v3::DeltaDiscoveryResponse;
using google::protobuf::Message;
using google::protobuf::MessageFactory;

constexpr log::Logger kLog("policy");

std::string Unkept(std::string_view why) {
  return StrCat("cannot keep the last good policy, and tries again: ", why);
}

// Whether the resource has the content that its version names.
bool IsIntact(const envoy::service::discovery::v3::Resource& resource) {
  for (const ResourceType& type : ResourceTypes()) {
    if (type.list == nullptr || type.url != resource.resource().type_url()) continue;
    const std::unique_ptr<Message> message(
        MessageFactory::generated_factory()->GetPrototype(type.list->message_type())->New());
    return message->ParseFromString(resource.resource().value()) &&
           config::ContentHash().Add(config::DeterministicBytes(*message)).Hex() ==
               resource.version();
  }
  return false;
}

}  // namespace

void LastGoodCopy::Save(const DeltaDiscoveryResponse& all) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto printed = google::protobuf::util::MessageToJsonString(all, &json, options);
  if (!printed.ok()) {
    kLog.Error(file_.path(), ": the policy cannot be written as JSON: ", printed.ToString());
    return;
  }
  if (absl::Status status = file_.Write(std::move(json)); !status.ok()) {
    kLog.Error(Unkept(FromAbsl(status.message())));
  }
}

absl::StatusOr<DeltaDiscoveryResponse> LastGoodCopy::Load() const {
  absl::StatusOr<std::string> json = config::ReadFile(path(), std::numeric_limits<size_t>::max());
  if (!json.ok()) return json.status();
  constexpr std::string_view kThen = "; it is replaced by the next good policy";
  DeltaDiscoveryResponse all;
  const auto parsed = google::protobuf::util::JsonStringToMessage(*json, &all);
  if (!parsed.ok()) {
    return absl::DataLossError(
        StrCat(path(), ": cannot be understood: ", parsed.ToString(), kThen));
  }
  for (const auto& resource : all.resources()) {
    if (IsIntact(resource)) continue;
    return absl::DataLossError(StrCat(path(), ": ", ShortTypeName(resource.resource().type_url()),
                                      " '", resource.name(), "' is not what its version says",
                                      kThen));
  }
  return all;
}

std::string LastGoodCopy::error() const {
  const std::string why = file_.error();
  return why.empty() ? "" : Unkept(why);
}

}  // namespace pillion::discovery
