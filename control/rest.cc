#include "control/rest.h"

#include <string>
#include <utility>

#include "control/api.h"
#include "core/config/load.h"
#include "core/http/problem.h"
#include "core/strings.h"
#include "pillion/api/v1/control.pb.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::control {
namespace {

constexpr std::string_view kJson = "application/json";

http::Problem MethodNotAllowed(const std::string& allowed) {
  http::Problem problem(405, "", StrCat("this resource takes ", allowed, " only"));
  problem.headers.emplace_back("allow", allowed);
  return problem;
}

}  // namespace

net::Task<void> RestHandler::Handle(http::ServerExchange& exchange) {
  net::CancelScope& scope = exchange.scope();
  if (exchange.parse_error()) {
    http::Problem problem(exchange.parse_error()->status, "", exchange.parse_error()->reason);
    (void)co_await exchange.SendProblem(problem, scope);
    co_return;
  }
  const std::string_view method = exchange.request().method;
  const std::string_view path = exchange.request().path;
  const bool validates = path == "/v1/policy:validate";
  const bool known = validates || path == "/v1/nodes" || path == "/v1/policy" ||
                     path == "/v1/versions" || path == "/ready";
  if (!known) {
    http::Problem problem(404, "",
                          "control has /v1/nodes, /v1/policy, /v1/policy:validate, /v1/versions "
                          "and /ready");
    (void)co_await exchange.SendProblem(problem, scope);
    co_return;
  }
  const bool allowed = validates ? method == "POST" : method == "GET" || method == "HEAD";
  if (!allowed) {
    const http::Problem problem = MethodNotAllowed(validates ? "POST" : "GET, HEAD");
    (void)co_await exchange.SendProblem(problem, scope);
    co_return;
  }
  if (validates) {
    co_await Validate(exchange);
    co_return;
  }
  if (path == "/ready") {
    if (store_.view().snapshot != nullptr) {
      (void)co_await exchange.SendWhole(200, "text/plain", "ready\n", scope);
      co_return;
    }
    http::Problem problem(503, "", "there has not been a policy without mistakes yet");
    problem.why = store_.view().check.errors;
    (void)co_await exchange.SendProblem(problem, scope);
    co_return;
  }
  const std::string body = path == "/v1/nodes"    ? Nodes()
                           : path == "/v1/policy" ? Policy()
                                                  : Versions();
  (void)co_await exchange.SendWhole(200, kJson, body, scope);
}

net::Task<void> RestHandler::Validate(http::ServerExchange& exchange) {
  config::SourceFile file{"body", ""};
  while (!exchange.body_done()) {
    absl::StatusOr<std::string_view> piece = co_await exchange.ReadBody(exchange.scope());
    if (!piece.ok()) co_return;
    file.text.append(*piece);
    if (file.text.size() > config::kMaxSourceBytes) {
      http::Problem problem(
          413, "", StrCat("a policy file has at most ", config::kMaxSourceBytes, " bytes"));
      (void)co_await exchange.SendProblem(problem, exchange.scope());
      co_return;
    }
  }
  const config::Loaded<config::v1::Policy> loaded = config::LoadPolicy({file});
  api::v1::ValidatePolicyResponse response;
  response.set_valid(loaded.value != nullptr);
  for (const config::Diagnostic& error : loaded.errors) response.add_errors(error.ToString());
  for (const config::Diagnostic& warning : loaded.warnings) {
    response.add_warnings(warning.ToString());
  }
  const std::string body = ToJson(response);
  (void)co_await exchange.SendWhole(200, kJson, body, exchange.scope());
}

std::string RestHandler::Nodes() const {
  const std::shared_ptr<const Snapshot> snapshot = store_.view().snapshot;
  const std::string current = snapshot == nullptr ? "" : snapshot->version().id;
  api::v1::ListNodesResponse response;
  response.set_current_version(current);
  for (const NodeStatus& node : registry_.List()) *response.add_nodes() = ToApi(node, current);
  return ToJson(response);
}

std::string RestHandler::Policy() const {
  const PolicyStore::View view = store_.view();
  api::v1::GetPolicyResponse response;
  if (view.snapshot != nullptr) {
    *response.mutable_version() = ToApi(view.snapshot->version());
    *response.mutable_policy() = view.snapshot->policy();
  }
  api::v1::Check& check = *response.mutable_check();
  check.set_valid(view.check.errors.empty());
  const int64_t milliseconds = absl::ToUnixMillis(view.check.time);
  check.mutable_time()->set_seconds(milliseconds / 1000);
  check.mutable_time()->set_nanos(static_cast<int>(milliseconds % 1000) * 1'000'000);
  for (const std::string& error : view.check.errors) check.add_errors(error);
  for (const std::string& warning : view.check.warnings) check.add_warnings(warning);
  response.set_state_error(view.state_error);
  return ToJson(response);
}

std::string RestHandler::Versions() const {
  api::v1::ListVersionsResponse response;
  for (const Version& version : store_.view().versions) *response.add_versions() = ToApi(version);
  return ToJson(response);
}

}  // namespace pillion::control
