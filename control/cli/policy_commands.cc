#include "control/cli/policy_commands.h"

#include <memory>
#include <optional>
#include <ostream>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_join.h"
#include "control/cli/request_text.h"
#include "core/config/load.h"
#include "core/config/sources.h"
#include "core/counted.h"
#include "core/http/path.h"
#include "core/routing/explain.h"
#include "core/routing/header_list_lookup.h"
#include "core/routing/route_table.h"
#include "core/routing/visibility.h"
#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::control {
namespace {

using config::v1::Policy;

enum class Warnings { kShow, kHide };

// The policy, or null after `err` was told why not.
std::unique_ptr<Policy> Load(const std::vector<std::string>& paths, Warnings warnings,
                             std::ostream& err) {
  const absl::StatusOr<std::vector<config::SourceFile>> files = config::ReadSources(paths);
  if (!files.ok()) {
    err << files.status().message() << "\n";
    return nullptr;
  }
  config::Loaded<Policy> loaded = config::LoadPolicy(*files);
  if (warnings == Warnings::kShow) {
    for (const config::Diagnostic& warning : loaded.warnings) {
      err << "warning: " << warning.ToString() << "\n";
    }
  }
  err << config::ToString(loaded.errors);
  return std::move(loaded.value);
}

// Takes from the policy what the service may not see, as a sidecar does, and says so.
void HideFrom(const std::string& service, Policy& policy, std::ostream& out) {
  auto& hosts = *policy.mutable_virtual_hosts();
  for (int i = 0; i < hosts.size();) {
    if (routing::IsVisibleTo(service, hosts.Get(i))) {
      ++i;
      continue;
    }
    out << "virtual host '" << hosts.Get(i).name() << "': no: '" << service
        << "' is none of its source_services\n";
    hosts.DeleteSubrange(i, 1);
  }
}

// Says that the virtual host of the call is not for everybody. REQUIRES: nobody said who calls.
void WarnOfSourceServices(const routing::RouteTable& table, std::string_view authority,
                          std::ostream& out) {
  const std::optional<size_t> index = table.domains().Find(authority);
  if (!index.has_value()) return;
  const config::v1::VirtualHost& host = table.policy().virtual_hosts(static_cast<int>(*index));
  if (host.source_services().empty()) return;
  out << "only for calls of " << absl::StrJoin(host.source_services(), ", ")
      << " (source_services); --service NAME explains those of another service\n";
}

// Prints the explanation and returns the exit status.
int PrintDecision(const routing::RouteTable& table, const http::RequestHead& head,
                  std::ostream& out, std::ostream& err) {
  std::string scratch;
  const http::NormalizedPath path = http::NormalizePath(head.path, &scratch);
  if (path.error != nullptr) {
    err << "a sidecar answers 400 to this call: " << path.error << "\n";
    return 1;
  }
  if (path.path != head.path) {
    out << "path '" << head.path << "' is taken as '" << path.path << "'\n";
  }
  const routing::HeaderListLookup headers(head.headers);
  const routing::Explanation explanation = routing::Explain(table, {.method = head.method,
                                                                    .authority = head.authority,
                                                                    .path = path.path,
                                                                    .query = head.query,
                                                                    .headers = headers});
  for (const std::string& line : explanation.lines) out << line << "\n";
  return explanation.route != nullptr ? 0 : 2;
}

}  // namespace

int Validate(const std::vector<std::string>& paths, Streams streams) {
  const std::unique_ptr<Policy> policy = Load(paths, Warnings::kShow, streams.err);
  if (policy == nullptr) return 1;
  size_t routes = 0;
  for (const config::v1::VirtualHost& host : policy->virtual_hosts()) {
    routes += host.routes().size();
  }
  streams.out << "ok: " << Counted(policy->virtual_hosts().size(), "virtual host") << ", "
              << Counted(routes, "route") << ", " << Counted(policy->clusters().size(), "cluster")
              << ", " << Counted(policy->brokers().size(), "broker") << ", "
              << Counted(policy->subscriptions().size(), "subscription") << "\n";
  return 0;
}

int Explain(const ExplainRequest& request, Streams streams) {
  const absl::StatusOr<RequestText> text =
      RequestText::Make(request.method, request.url, request.headers);
  if (!text.ok()) {
    streams.err << text.status().message() << "\n";
    return 1;
  }
  std::unique_ptr<Policy> policy = Load(request.policy, Warnings::kHide, streams.err);
  if (policy == nullptr) return 1;
  if (!request.service.empty()) HideFrom(request.service, *policy, streams.out);
  const auto table = routing::RouteTable::Compile(std::move(policy));
  if (!table.ok()) {
    streams.err << table.status().message() << "\n";
    return 1;
  }
  const int status = PrintDecision(**table, text->head(), streams.out, streams.err);
  if (request.service.empty()) {
    WarnOfSourceServices(**table, text->head().authority, streams.out);
  }
  return status;
}

}  // namespace pillion::control
