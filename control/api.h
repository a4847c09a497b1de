// What control knows, as the messages of protos/pillion/api/v1/control.proto, and those as JSON.
#ifndef PILLION_CONTROL_API_H_
#define PILLION_CONTROL_API_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "control/node_registry.h"
#include "control/snapshot.h"

namespace google::protobuf {
class Message;
}
namespace pillion::api::v1 {
class Node;
class Version;
}  // namespace pillion::api::v1

namespace pillion::control {

api::v1::Version ToApi(const Version& version);
Version FromApi(const api::v1::Version& version);

// `current`: the version that is served.
api::v1::Node ToApi(const NodeStatus& node, const std::string& current);

// Indented, field names as in the .proto file, ending in a line feed.
std::string ToJson(const google::protobuf::Message& message);
// Errors say where the JSON does not fit the message.
absl::Status FromJson(const std::string& json, google::protobuf::Message* message);

}  // namespace pillion::control

#endif  // PILLION_CONTROL_API_H_
