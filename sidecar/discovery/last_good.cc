#include "sidecar/discovery/last_good.h"

#include <google/protobuf/util/json_util.h>

#include <limits>

#include "core/config/atomic_file.h"
#include "core/config/sources.h"
#include "core/strings.h"
#include "envoy/service/discovery/v3/discovery.pb.h"

namespace pillion::discovery {

using envoy::service::discovery::v3::DeltaDiscoveryResponse;

absl::Status SaveLastGood(const std::string& path, const DeltaDiscoveryResponse& all) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto printed = google::protobuf::util::MessageToJsonString(all, &json, options);
  if (!printed.ok()) {
    return absl::InternalError(
        StrCat(path, ": the policy cannot be written as JSON: ", printed.ToString()));
  }
  return config::WriteFileAtomically(path, json);
}

absl::StatusOr<DeltaDiscoveryResponse> LoadLastGood(const std::string& path) {
  absl::StatusOr<std::string> json = config::ReadFile(path, std::numeric_limits<size_t>::max());
  if (!json.ok()) return json.status();
  DeltaDiscoveryResponse all;
  const auto parsed = google::protobuf::util::JsonStringToMessage(*json, &all);
  if (!parsed.ok()) {
    return absl::DataLossError(StrCat(path, ": cannot be understood: ", parsed.ToString(),
                                      "; it is replaced when control sends a policy"));
  }
  return all;
}

}  // namespace pillion::discovery
