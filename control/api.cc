#include "control/api.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <utility>

#include "absl/time/time.h"
#include "core/check.h"
#include "pillion/api/v1/control.pb.h"

namespace pillion::control {
namespace {

constexpr size_t kMaxChanges = 100;

// Milliseconds are all that a person can use.
void Set(google::protobuf::Timestamp* timestamp, absl::Time time) {
  const int64_t milliseconds = absl::ToUnixMillis(time);
  timestamp->set_seconds(milliseconds / 1000);
  timestamp->set_nanos(static_cast<int>(milliseconds % 1000) * 1'000'000);
}

absl::Time ToTime(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

// C++ and .proto say the same; a proto enum has one value more.
api::v1::Change::Kind ToApi(Change::Kind kind) {
  switch (kind) {
    case Change::Kind::kAdded:
      return api::v1::Change::ADDED;
    case Change::Kind::kChanged:
      return api::v1::Change::CHANGED;
    case Change::Kind::kRemoved:
      return api::v1::Change::REMOVED;
  }
  return api::v1::Change::KIND_UNSPECIFIED;
}

Change::Kind FromApi(api::v1::Change::Kind kind) {
  if (kind == api::v1::Change::ADDED) return Change::Kind::kAdded;
  return kind == api::v1::Change::REMOVED ? Change::Kind::kRemoved : Change::Kind::kChanged;
}

api::v1::Node::State StateOf(const NodeStatus& node, const std::string& current) {
  if (node.disconnected_at.has_value()) return api::v1::Node::DISCONNECTED;
  if (node.rejects) return api::v1::Node::REJECTED;
  if (!current.empty() && node.version_applied == current) return api::v1::Node::CURRENT;
  return api::v1::Node::UPDATING;
}

}  // namespace

api::v1::Version ToApi(const Version& version) {
  api::v1::Version message;
  message.set_id(version.id);
  message.set_sequence(version.sequence);
  Set(message.mutable_time(), version.time);
  for (const std::string& file : version.files) message.add_files(file);
  for (size_t i = 0; i < std::min(version.changes.size(), kMaxChanges); ++i) {
    api::v1::Change& change = *message.add_changes();
    change.set_kind(ToApi(version.changes[i].kind));
    change.set_type(version.changes[i].type);
    change.set_name(version.changes[i].name);
  }
  message.set_change_count(version.change_count);
  return message;
}

Version FromApi(const api::v1::Version& message) {
  Version version;
  version.id = message.id();
  version.sequence = message.sequence();
  version.time = ToTime(message.time());
  version.files.assign(message.files().begin(), message.files().end());
  for (const api::v1::Change& change : message.changes()) {
    version.changes.push_back({FromApi(change.kind()), change.type(), change.name()});
  }
  version.change_count = message.change_count();
  return version;
}

api::v1::Node ToApi(const NodeStatus& node, const std::string& current) {
  api::v1::Node message;
  message.set_id(node.id);
  message.set_service(node.service);
  message.set_address(node.address);
  message.set_user_agent(node.user_agent);
  message.set_state(StateOf(node, current));
  Set(message.mutable_connected_since(), node.connected_since);
  if (node.disconnected_at.has_value()) {
    Set(message.mutable_disconnected_at(), *node.disconnected_at);
  }
  message.set_version_sent(node.version_sent);
  if (!node.version_applied.empty()) {
    message.set_version_applied(node.version_applied);
    Set(message.mutable_applied_at(), node.applied_at);
  }
  if (node.rejection.has_value()) {
    api::v1::Rejection& rejection = *message.mutable_last_rejection();
    rejection.set_version(node.rejection->version);
    rejection.set_type(node.rejection->type);
    rejection.set_reason(node.rejection->reason);
    Set(rejection.mutable_time(), node.rejection->time);
  }
  message.set_duplicate_id(node.duplicate);
  return message;
}

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  PILLION_CHECK(status.ok());  // fails for unknown Any and times out of range; neither occurs here
  return json;
}

absl::Status FromJson(const std::string& json, google::protobuf::Message* message) {
  const auto status = google::protobuf::util::JsonStringToMessage(json, message);
  return status.ok() ? absl::OkStatus() : absl::InvalidArgumentError(status.ToString());
}

}  // namespace pillion::control
