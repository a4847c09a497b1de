// Fuzzes what is asked of the deliveries API: input that begins with '{' or '[' is the body of a
// change, other input the query of a list. What is accepted is a message that can be written as
// JSON; what is not is told why.
#include <google/protobuf/util/json_util.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "pillion/api/v1/deliveries.pb.h"
#include "sidecar/admin/request_fields.h"

namespace pillion::sidecar::admin {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckOutcome(const absl::Status& status, const google::protobuf::Message& message) {
  if (!status.ok()) {
    Require(absl::IsInvalidArgument(status) && !status.message().empty());
    return;
  }
  std::string json;
  Require(google::protobuf::util::MessageToJsonString(message, &json).ok());
}

}  // namespace
}  // namespace pillion::sidecar::admin

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pillion;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.starts_with('{') || text.starts_with('[')) {
    api::v1::ChangeDeliveriesRequest change;
    sidecar::admin::CheckOutcome(sidecar::admin::SetFieldsFromJson(text, change), change);
  } else {
    api::v1::ListDeliveriesRequest list;
    sidecar::admin::CheckOutcome(
        sidecar::admin::SetFieldsFromQuery(text, {&list, list.mutable_filter()}), list);
  }
  return 0;
}
