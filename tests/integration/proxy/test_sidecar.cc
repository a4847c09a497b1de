#include "tests/integration/proxy/test_sidecar.h"

#include <re2/re2.h>
#include <signal.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace pillion::proxy_test {
namespace {

using harness::Process;

absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

// Whether the policy given last is in effect shows only in the log, as its version is not known
// here.
constexpr char kInEffect[] = "policy [0-9a-f]+ is in effect";

}  // namespace

std::string ForwardTo(int port, std::string_view route, std::string_view cluster) {
  return absl::StrCat(
      "clusters:\n- { name: orders, endpoints: [\"127.0.0.1:", port, "\"]", ToAbsl(cluster), " }\n",
      "virtual_hosts:\n- name: orders\n  domains: [orders]\n  routes:\n",
      "  - { name: all, match: { prefix: / }, route: { cluster: orders", ToAbsl(route), " } }\n");
}

std::string SidecarProgram() { return harness::Runfile("sidecar/pillion-sidecar"); }

std::string WriteBootstrap(const harness::TempDir& directory, const std::string& policy_path,
                           const TestSidecar::Options& options) {
  const std::string path = directory / "sidecar.yaml";
  const std::string text = absl::StrCat(
      "node: { id: web-1, service: web }\n"
      "admin: { address: \"127.0.0.1:0\" }\n"
      "listeners:\n",
      options.listeners, "\npolicy: { files: [", policy_path,
      "] }\nstore: { path: ", directory / "store", " }\nruntime: { workers: ", options.workers,
      ", io: ", options.io, " }\nlog: { format: JSON, access: \"", options.access, "\" }\n",
      options.more, "\n");
  const absl::Status written = harness::WriteFileAtomically(path, text);
  EXPECT_TRUE(written.ok()) << written;
  return path;
}

TestSidecar::TestSidecar(std::string_view policy, const Options& options)
    : policy_path_(directory_ / "policy.yaml") {
  const absl::Status written = harness::WriteFileAtomically(policy_path_, policy);
  EXPECT_TRUE(written.ok()) << written;
  Process::Options command = {.arguments = options.wrapper, .environment = options.environment};
  for (const std::string& argument : {SidecarProgram(), std::string("--config"),
                                      WriteBootstrap(directory_, policy_path_, options)}) {
    command.arguments.push_back(argument);
  }
  auto started = Process::Start(std::move(command));
  if (!started.ok()) {
    ADD_FAILURE() << started.status();
    std::abort();  // Nothing can be asked of a sidecar that is not there.
  }
  process_ = *std::move(started);
  const auto ready = process_->WaitForOutput(kInEffect);
  if (!ready.ok()) {
    ADD_FAILURE() << ready.status() << "\n" << process_->Output();
    std::abort();
  }
  admin_port_ = std::atoi(process_->WaitForOutput("admin on 127.0.0.1:([0-9]+)")->c_str());
}

TestSidecar::~TestSidecar() {
  const std::string output = process_->Output();
  EXPECT_EQ(output.find("Sanitizer"), std::string::npos) << output;
  EXPECT_EQ(output.find("runtime error:"), std::string::npos) << output;
}

int TestSidecar::port(const std::string& listener) const {
  const auto port = process_->WaitForOutput(
      absl::StrCat("listener '", listener, "' \\([A-Z]+\\) on 127.0.0.1:([0-9]+)"));
  EXPECT_TRUE(port.ok()) << port.status();
  return port.ok() ? std::atoi(port->c_str()) : 0;
}

void TestSidecar::SetPolicy(std::string_view policy) {
  const size_t before = process_->Output().size();
  const absl::Status written = harness::WriteFileAtomically(policy_path_, policy);
  ASSERT_TRUE(written.ok()) << written;
  const auto taken = process_->WaitForOutput(kInEffect, before);
  ASSERT_TRUE(taken.ok()) << taken.status() << "\n" << process_->Output();
}

nlohmann::json TestSidecar::AccessLine(std::string_view target) const {
  const std::string path = absl::StrCat("\"path\":", nlohmann::json(target).dump());
  const auto line = process_->WaitForOutput(absl::StrCat("^\\{.*", RE2::QuoteMeta(path), ".*$"));
  EXPECT_TRUE(line.ok()) << "no line in the access log about " << target;
  return line.ok() ? nlohmann::json::parse(*line) : nlohmann::json::object();
}

harness::ExitStatus TestSidecar::Stop() {
  process_->Signal(SIGTERM);
  const auto status = process_->WaitForExit();
  EXPECT_TRUE(status.ok()) << status.status() << "\n" << process_->Output();
  return status.value_or(harness::ExitStatus::Signal(SIGKILL));
}

}  // namespace pillion::proxy_test
