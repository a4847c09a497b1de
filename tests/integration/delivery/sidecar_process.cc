#include "tests/integration/delivery/sidecar_process.h"

#include <signal.h>

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/integration/harness/http_client.h"

namespace pillion::harness {
namespace {

constexpr char kReady[] = "policy [0-9a-f]+ is in effect";

Response Exchange(int port, const std::string& method, const std::string& target,
                  const std::string& body, Headers headers) {
  HttpClient client(port);
  Request request;
  request.method = method;
  request.target = target;
  request.headers = std::move(headers);
  request.body = body;
  absl::StatusOr<Response> response = client.Send(std::move(request));
  if (response.ok()) return *std::move(response);
  Response none;
  none.status = 0;
  none.body = response.status().ToString();
  return none;
}

absl::StatusOr<int> WaitForPort(const Process& process, const std::string& pattern) {
  absl::StatusOr<std::string> text = process.WaitForOutput(pattern);
  if (!text.ok()) return text.status();
  int port = 0;
  if (!absl::SimpleAtoi(*text, &port)) return absl::InternalError(*text);
  return port;
}

}  // namespace

SidecarProcess::SidecarProcess(std::string policy, std::string store, const MoreBootstrap& more)
    : store_(store.empty() ? directory_ / "store" : std::move(store)) {
  const std::string bootstrap = absl::StrCat(
      "node: { id: web-1, service: web", more.node, " }\n",
      "admin: { address: 127.0.0.1:0 }\n"
      "listeners:\n"
      "- { name: outbound, address: 127.0.0.1:0 }\n",
      more.listeners, "policy: { files: ['", directory_ / "policy.yaml", "'] }\nstore: { path: '",
      store_, "'", more.store, " }\nruntime: { workers: 2, io: ", harness::TestIo(),
      " }\nlog: { access: '' }\n", more.lines);
  WritePolicy(policy).IgnoreError();
  WriteFileAtomically(directory_ / "sidecar.yaml", bootstrap).IgnoreError();
}

Process::Options SidecarProcess::Command() const {
  Process::Options options;
  options.arguments = {Runfile("sidecar/pillion-sidecar"), "--config", directory_ / "sidecar.yaml"};
  return options;
}

absl::Status SidecarProcess::Start() {
  absl::StatusOr<std::unique_ptr<Process>> process = Process::Start(Command());
  if (!process.ok()) return process.status();
  process_ = *std::move(process);
  absl::StatusOr<int> port = WaitForPort(*process_, "listener 'outbound' .* on 127.0.0.1:([0-9]+)");
  if (!port.ok()) return port.status();
  port_ = *port;
  absl::StatusOr<int> admin = WaitForPort(*process_, "admin on 127.0.0.1:([0-9]+)");
  if (!admin.ok()) return admin.status();
  admin_port_ = *admin;
  return process_->WaitForOutput(kReady).status();
}

absl::StatusOr<Finished> SidecarProcess::StartToFail() { return RunToEnd(Command()); }

absl::StatusOr<Finished> SidecarProcess::Validate() {
  Process::Options options = Command();
  options.arguments.insert(options.arguments.end(), {"--mode", "validate"});
  return RunToEnd(std::move(options));
}

void SidecarProcess::Kill() {
  process_->Signal(SIGKILL);
  process_->WaitForExit().IgnoreError();
}

absl::StatusOr<ExitStatus> SidecarProcess::Terminate() {
  process_->Signal(SIGTERM);
  return process_->WaitForExit();
}

absl::Status SidecarProcess::WritePolicy(const std::string& policy) {
  return WriteFileAtomically(directory_ / "policy.yaml", policy);
}

absl::Status SidecarProcess::EditPolicy(const std::string& policy) {
  const size_t seen = process_->Output().size();
  absl::Status written = WritePolicy(policy);
  if (!written.ok()) return written;
  return process_->WaitForOutput(kReady, seen).status();
}

Response SidecarProcess::Call(const std::string& method, const std::string& target,
                              const std::string& body, Headers headers) const {
  return Exchange(port_, method, target, body, std::move(headers));
}

Response SidecarProcess::Admin(const std::string& method, const std::string& target,
                               const std::string& body) const {
  return Exchange(admin_port_, method, target, body, {});
}

Json SidecarProcess::Status(const Response& accepted) const {
  return ParseJson(Call("GET", accepted.Header("location").value_or("/no-location")));
}

Json SidecarProcess::AwaitStatus(const Response& accepted,
                                 const std::function<bool(const Json&)>& done) const {
  Json status;
  const bool seen = Eventually([&] {
    status = Status(accepted);
    return status.is_object() && done(status);
  });
  return seen ? status : Json();
}

Json SidecarProcess::AwaitFinal(const Response& accepted) const {
  const std::string location = accepted.Header("location").value_or("/no-location");
  Json status;
  const bool seen = Eventually([&] {
    status = ParseJson(Call("GET", location + "?wait=5s"));
    return IsFinal(status);
  });
  return seen ? status : Json();
}

Json ParseJson(const Response& response) {
  Json json = Json::parse(response.body, nullptr, /*allow_exceptions=*/false);
  return json.is_discarded() ? Json() : json;
}

bool IsFinal(const Json& status) {
  if (!status.is_object() || !status.contains("status")) return false;
  return status["status"] != "pending" && status["status"] != "running";
}

}  // namespace pillion::harness
