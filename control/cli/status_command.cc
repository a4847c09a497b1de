#include "control/cli/status_command.h"

#include <google/protobuf/util/json_util.h>

#include <chrono>
#include <cstddef>
#include <ostream>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "control/cli/rest_client.h"
#include "control/cli/table.h"
#include "core/strings.h"
#include "pillion/api/v1/control.pb.h"

namespace pillion::control {
namespace {

using api::v1::GetPolicyResponse;
using api::v1::ListNodesResponse;
using api::v1::Node;

constexpr auto kTimeout = std::chrono::seconds(10);
std::string TimeText(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixSeconds(time.seconds()),
                          absl::UTCTimeZone());
}

std::string_view StateText(Node::State state) {
  switch (state) {
    case Node::CURRENT:
      return "current";
    case Node::UPDATING:
      return "updating";
    case Node::REJECTED:
      return "rejected";
    case Node::DISCONNECTED:
      return "disconnected";
    default:
      return "unknown";
  }
}

std::vector<std::string> RowOf(const Node& node) {
  return {OrDash(node.id()),
          OrDash(node.service()),
          std::string(StateText(node.state())),
          OrDash(node.version_applied()),
          node.has_applied_at() ? TimeText(node.applied_at()) : "-",
          node.has_connected_since() ? TimeText(node.connected_since()) : "-"};
}

// Lines under a node's row: what needs somebody's attention.
std::vector<std::string> NotesOf(const Node& node) {
  std::vector<std::string> notes;
  if (node.has_disconnected_at()) {
    notes.push_back(StrCat("disconnected at ", TimeText(node.disconnected_at())));
  }
  if (node.duplicate_id()) notes.push_back("another sidecar is connected with the same id");
  if (!node.has_last_rejection()) return notes;
  const api::v1::Rejection& rejection = node.last_rejection();
  notes.push_back(StrCat("refused version ", OrDash(rejection.version()), " at ",
                         TimeText(rejection.time()), " (", OrDash(rejection.type()), "):"));
  for (const absl::string_view line :
       absl::StrSplit(rejection.reason(), '\n', absl::SkipWhitespace())) {
    notes.push_back(StrCat("  ", Printable(FromAbsl(line))));
  }
  return notes;
}

void PrintNodes(const ListNodesResponse& response, std::ostream& out) {
  if (response.nodes().empty()) {
    out << "no sidecar has connected\n";
    return;
  }
  std::vector<std::vector<std::string>> rows = {
      {"NODE", "SERVICE", "STATE", "VERSION", "CONFIRMED", "CONNECTED"}};
  for (const Node& node : response.nodes()) rows.push_back(RowOf(node));
  const std::vector<std::string> lines = Aligned(rows);
  out << lines[0] << "\n";
  for (int i = 0; i < response.nodes_size(); ++i) {
    out << lines[static_cast<size_t>(i) + 1] << "\n";
    for (const std::string& note : NotesOf(response.nodes(i))) out << "  " << note << "\n";
  }
}

void PrintPolicy(const GetPolicyResponse& response, std::ostream& out) {
  if (response.has_version()) {
    out << "policy " << Printable(response.version().id()) << ", number "
        << response.version().sequence() << ", served since " << TimeText(response.version().time())
        << "\n";
  } else {
    out << "no policy is served: there has not been one without mistakes\n";
  }
  if (!response.check().errors().empty()) {
    out << "the policy directory has mistakes, and "
        << (response.has_version() ? "that policy stays" : "none is taken")
        << " until they are mended:\n";
    for (const std::string& error : response.check().errors()) {
      out << "  " << Printable(error) << "\n";
    }
  }
  if (!response.state_error().empty()) {
    out << "the last good policy could not be kept: " << Printable(response.state_error()) << "\n";
  }
}

// Control may be newer than this program, and know more.
bool Parse(const std::string& json, google::protobuf::Message* message) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  return google::protobuf::util::JsonStringToMessage(json, message, options).ok();
}

int Complain(const std::string& address, const absl::Status& why, std::ostream& err) {
  if (absl::IsFailedPrecondition(why)) {
    err << "what answers at " << address << " is not control: " << why.message()
        << "\nName its `rest` with --control HOST:PORT: 127.0.0.1:18001 unless its bootstrap says "
           "otherwise; the log has it as 'serving people (REST) on HOST:PORT'.\n";
  } else {
    err << "control does not answer at " << address << ": " << why.message()
        << "\nIs pillion-control running, and is this the address of its `rest`? Name another with "
           "--control HOST:PORT.\n";
  }
  return 1;
}

// Much answers HTTP, some of it even with JSON. FailedPrecondition: it is not control.
template <typename Response>
absl::StatusOr<Response> Ask(const std::string& address, std::string_view path,
                             std::string* json = nullptr) {
  const absl::StatusOr<std::string> answer = Get(UrlOf(address, path), kTimeout);
  if (absl::IsUnknown(answer.status())) {
    return absl::FailedPreconditionError(answer.status().message());
  }
  if (!answer.ok()) return answer.status();
  Response response;
  if (!Parse(*answer, &response)) {
    return absl::FailedPreconditionError("the answer is not one of control's");
  }
  if (json != nullptr) *json = *answer;
  return response;
}

}  // namespace

int PrintStatus(const std::string& address, bool json, Streams streams) {
  const auto policy = Ask<GetPolicyResponse>(address, "/v1/policy");
  if (!policy.ok()) return Complain(address, policy.status(), streams.err);
  // Control always says what came of its last look at the policy.
  if (!policy->has_check()) {
    return Complain(address, absl::FailedPreconditionError("the answer is not one of control's"),
                    streams.err);
  }
  std::string text;
  const auto nodes = Ask<ListNodesResponse>(address, "/v1/nodes", &text);
  if (!nodes.ok()) return Complain(address, nodes.status(), streams.err);
  if (json) {
    streams.out << text;
    return 0;
  }
  PrintPolicy(*policy, streams.out);
  streams.out << "\n";
  PrintNodes(*nodes, streams.out);
  return 0;
}

}  // namespace pillion::control
