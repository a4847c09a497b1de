// A whole mesh of real processes: control, a sidecar beside the calling service and one beside the
// called one. What an edit of control's policy directory does to traffic, and what control's end
// does not.

#include <signal.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/integration/harness/deadline.h"
#include "tests/integration/harness/files.h"
#include "tests/integration/harness/http_client.h"
#include "tests/integration/harness/origin.h"
#include "tests/integration/harness/process.h"

namespace pillion {
namespace {

using harness::Eventually;
using harness::HttpClient;
using harness::Origin;
using harness::Process;
using harness::Request;
using harness::Response;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kCalls = 1000;
#else
constexpr int kCalls = 5000;
#endif
constexpr int kEdits = 50;

std::unique_ptr<Process> StartProgram(const std::string& program, const std::string& config) {
  absl::StatusOr<std::unique_ptr<Process>> process =
      Process::Start({.arguments = {harness::Runfile(program), "--config", config}});
  if (!process.ok()) ADD_FAILURE() << process.status();
  return process.ok() ? *std::move(process) : nullptr;
}

int PortAfter(const Process& process, const std::string& text) {
  absl::StatusOr<std::string> port = process.WaitForOutput(text + " 127.0.0.1:([0-9]+)");
  if (!port.ok()) ADD_FAILURE() << port.status();
  return port.ok() ? std::atoi(port->c_str()) : 0;
}

// The values of all fields "version" in a JSON text.
std::set<std::string> VersionsIn(const std::string& json) {
  constexpr std::string_view kKey = "\"version\": \"";
  std::set<std::string> versions;
  for (size_t at = json.find(kKey); at != std::string::npos; at = json.find(kKey, at)) {
    at += kKey.size();
    versions.insert(json.substr(at, json.find('"', at) - at));
  }
  return versions;
}

class MeshTest : public testing::Test {
 protected:
  void SetUp() override {
    EditPolicy("route: { cluster: users }");
    StartControl();
    StartUsers(0);
    users_port_ = PortAfter(*users_, "'inbound' \\(INBOUND\\) on");
    EditPolicy("route: { cluster: users }");
    StartWeb();
    WaitForPolicy();
  }

  // One virtual host, whose only route is `action`.
  void EditPolicy(const std::string& action) {
    const absl::Status written = harness::WriteFileAtomically(
        policy_ / "mesh.yaml",
        absl::StrCat("clusters:\n- { name: users, endpoints: [\"127.0.0.1:", users_port_,
                     "\"] }\nvirtual_hosts:\n- name: users\n  domains: [users]\n  routes:\n"
                     "  - { name: all, match: { prefix: / }, ",
                     action, " }\n"));
    ASSERT_TRUE(written.ok()) << written;
  }

  // With port 0 the first time, afterwards on the ports that the sidecars know.
  void StartControl() {
    const std::string config = files_ / "control.yaml";
    const absl::Status written = harness::WriteFileAtomically(
        config, absl::StrCat("xds: { address: \"127.0.0.1:", xds_port_,
                             "\" }\nrest: { address: \"127.0.0.1:", rest_port_,
                             "\" }\npolicy: { directory: ", policy_.path(),
                             " }\nstate: { path: ", files_ / "control", " }\n"));
    ASSERT_TRUE(written.ok()) << written;
    control_ = StartProgram("control/pillion-control", config);
    ASSERT_NE(control_, nullptr);
    xds_port_ = PortAfter(*control_, "xDS\\) on");
    rest_port_ = PortAfter(*control_, "REST\\) on");
  }

  void StopControl(int signal) {
    control_->Signal(signal);
    ASSERT_TRUE(control_->WaitForExit().ok());
  }

  std::unique_ptr<Process> StartSidecar(const std::string& id, const std::string& service,
                                        const std::string& listeners) {
    const std::string config = files_ / (id + ".yaml");
    const absl::Status written = harness::WriteFileAtomically(
        config, absl::StrCat("node: { id: ", id, ", service: ", service,
                             " }\nadmin: { address: \"127.0.0.1:0\" }\nlisteners:\n", listeners,
                             "policy: { control: { address: \"127.0.0.1:", xds_port_,
                             "\" } }\nstore: { path: ", files_ / id,
                             " }\nruntime: { workers: 2, io: ", harness::TestIo(),
                             " }\nlog: { access: \"\" }\n"));
    EXPECT_TRUE(written.ok()) << written;
    return StartProgram("sidecar/pillion-sidecar", config);
  }

  void StartWeb() {
    web_ = StartSidecar("web-1", "web", "- { name: outbound, address: 127.0.0.1:0 }\n");
    ASSERT_NE(web_, nullptr);
    web_port_ = PortAfter(*web_, "'outbound' \\(OUTBOUND\\) on");
    web_admin_ = PortAfter(*web_, "admin on");
  }

  void StartUsers(int port) {
    users_ =
        StartSidecar("users-1", "users",
                     absl::StrCat("- { name: inbound, address: \"127.0.0.1:", port,
                                  "\", direction: INBOUND, app: 127.0.0.1:", app_.port(), " }\n"));
    ASSERT_NE(users_, nullptr);
  }

  static void Kill(Process& process) {
    process.Signal(SIGKILL);
    ASSERT_TRUE(process.WaitForExit().ok());
  }

  // Until web runs the policy in which users listens: control may have sent it the one before.
  void WaitForPolicy() {
    const std::string users = absl::StrCat("127.0.0.1:", users_port_);
    ASSERT_TRUE(Eventually([&] {
      HttpClient admin(web_admin_);
      absl::StatusOr<Response> ready = admin.Get("/ready");
      absl::StatusOr<Response> dump = admin.Get("/config_dump");
      return ready.ok() && ready->status == 200 && dump.ok() &&
             absl::StrContains(dump->body, users);
    })) << web_->Output();
  }

  // An edit of the policy has taken effect at web when its dump contains `text`.
  void WaitForPolicyWith(const std::string& text) {
    ASSERT_TRUE(Eventually([&] {
      absl::StatusOr<Response> dump = HttpClient(web_admin_).Get("/config_dump");
      return dump.ok() && absl::StrContains(dump->body, text);
    })) << web_->Output();
  }

  // Users is away, and web has accepted an operation for it, the path of whose status this returns.
  // Then an edit leaves no route of web that needs the cluster.
  std::string AcceptThenPublish() {
    EditPolicy(
        "async: { cluster: users, retry_policy: { num_retries: 1000, retry_back_off: { "
        "base_interval: 10ms, max_interval: 100ms } } }");
    WaitForPolicyWith("\"async\"");
    Kill(*users_);
    absl::StatusOr<Response> accepted = HttpClient(web_port_).Post("http://users/user/", "{}");
    EXPECT_TRUE(accepted.ok() && accepted->status == 202) << accepted.status();
    EditPolicy("publish: { topic: user.called }");
    WaitForPolicyWith("\"publish\"");
    return accepted.ok() ? std::string(accepted->Header("location").value_or("")) : "";
  }

  // Whether the operation ends well.
  bool Succeeds(const std::string& path) {
    return Eventually([&] {
      absl::StatusOr<Response> status =
          HttpClient(web_port_).Get(absl::StrCat("http://users", path));
      return status.ok() && absl::StrContains(status->body, "\"succeeded\"");
    });
  }

  // The status of a call of the web service.
  int Call() {
    absl::StatusOr<Response> response =
        HttpClient(web_port_).Post("http://users/user/?user_id=1", "{}");
    return response.ok() ? response->status : 0;
  }

  Origin app_{[](const Request& request) {
    return Response{.headers = {{"x-seen-via", request.Header("via").value_or("")}},
                    .body = "hello " + request.target};
  }};
  const harness::TempDir files_;
  const harness::TempDir policy_;
  int xds_port_ = 0;
  int rest_port_ = 0;
  int users_port_ = 1;  // nobody listens there until the sidecar says where it does
  int web_port_ = 0;
  int web_admin_ = 0;
  std::unique_ptr<Process> control_;
  std::unique_ptr<Process> users_;
  std::unique_ptr<Process> web_;
};

TEST_F(MeshTest, ACallGoesThroughBothSidecars) {
  absl::StatusOr<Response> response =
      HttpClient(web_port_).Get("http://users/user/?user_id=1", {{"authorization", "Bearer t"}});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body, "hello /user/?user_id=1");
  EXPECT_EQ(response->Header("x-seen-via"), "1.1 pillion-web-1, 1.1 pillion-users-1-in");
  const auto requests = app_.requests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].Header("authorization"), "Bearer t");
  EXPECT_EQ(requests[0].Header("x-forwarded-for"), "127.0.0.1");
}

TEST_F(MeshTest, AnEditOfThePolicyChangesTheModeWithinASecond) {
  ASSERT_EQ(Call(), 200);
  EditPolicy("async: { cluster: users }");
  EXPECT_TRUE(Eventually([&] { return Call() == 202; }, std::chrono::seconds(1)));
  EditPolicy("route: { cluster: users }");
  EXPECT_TRUE(Eventually([&] { return Call() == 200; }, std::chrono::seconds(1)));
}

TEST_F(MeshTest, NoCallFailsWhileThePolicyIsEditedFiftyTimes) {
  std::atomic<bool> edited{false};
  std::atomic<int> calls{0};
  std::atomic<int> forwarded{0};
  std::atomic<int> accepted{0};
  std::string failure;
  std::thread caller([&] {
    HttpClient client(web_port_);
    while (failure.empty() && (!edited || calls < kCalls)) {
      absl::StatusOr<Response> response = client.Post("http://users/user/", "{}");
      if (!response.ok()) {
        failure = response.status().ToString();
      } else if (response->status == 200) {
        ++forwarded;
      } else if (response->status == 202) {
        ++accepted;
      } else {
        failure = absl::StrCat(response->status, " ", response->body);
      }
      ++calls;
    }
  });
  for (int edit = 1; edit <= kEdits; ++edit) {
    EditPolicy(absl::StrCat(edit % 2 == 0 ? "route" : "async",
                            ": { cluster: users, timeout: ", 100 + edit, "s }"));
    // Each edit takes effect before the next.
    const std::string timeout = absl::StrCat("\"", 100 + edit, "s\"");
    EXPECT_TRUE(Eventually([&] {
      absl::StatusOr<Response> dump = HttpClient(web_admin_).Get("/config_dump");
      if (!dump.ok()) return false;
      EXPECT_EQ(VersionsIn(dump->body).size(), 1u) << "one policy is in effect";
      return absl::StrContains(dump->body, timeout);
    }));
  }
  edited = true;
  caller.join();
  EXPECT_EQ(failure, "");
  EXPECT_GE(calls, kCalls);
  EXPECT_GT(forwarded, 0);
  EXPECT_GT(accepted, 0);
}

TEST_F(MeshTest, AMistakeInThePolicyIsToldAndChangesNothing) {
  EditPolicy("rout: { cluster: users }");
  absl::StatusOr<std::string> told =
      control_->WaitForOutput("mesh.yaml:.*rout: unknown field; did you mean 'route'");
  EXPECT_TRUE(told.ok()) << told.status();
  EXPECT_EQ(Call(), 200);
}

TEST_F(MeshTest, TrafficGoesOnWithoutControlAndEditsArriveWhenItIsBack) {
  StopControl(SIGKILL);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(Call(), 200);
  EditPolicy("direct_response: { status: 204 }");
  for (int i = 0; i < 20; ++i) ASSERT_EQ(Call(), 200);
  StartControl();
  EXPECT_TRUE(Eventually([&] { return Call() == 204; }));
}

TEST_F(MeshTest, ASidecarThatStartsWithoutControlTakesItsLastGoodCopy) {
  ASSERT_EQ(Call(), 200);
  StopControl(SIGTERM);
  web_->Signal(SIGKILL);
  ASSERT_TRUE(web_->WaitForExit().ok());
  StartWeb();
  WaitForPolicy();
  EXPECT_EQ(Call(), 200);
}

TEST_F(MeshTest, WhatWasAcceptedIsDeliveredAfterAnEditThatNeedsItsClusterNoMore) {
  const std::string path = AcceptThenPublish();
  StartUsers(users_port_);
  EXPECT_TRUE(Succeeds(path)) << web_->Output();
}

TEST_F(MeshTest, WhatWasAcceptedIsDeliveredAfterSuchAnEditAndARestart) {
  const std::string path = AcceptThenPublish();
  Kill(*web_);
  StartWeb();
  WaitForPolicyWith("\"publish\"");
  StartUsers(users_port_);
  EXPECT_TRUE(Succeeds(path)) << web_->Output();
}

TEST_F(MeshTest, StatusShowsEverySidecarAndItsVersion) {
  absl::StatusOr<harness::Finished> status = harness::RunToEnd(
      {.arguments = {harness::Runfile("control/cli/pillionctl"), "status", "--control",
                     absl::StrCat("http://127.0.0.1:", rest_port_)}});
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->status, harness::ExitStatus::Code(0)) << status->output;
  EXPECT_TRUE(absl::StrContains(status->out, "web-1")) << status->out;
  EXPECT_TRUE(absl::StrContains(status->out, "users-1")) << status->out;
}

TEST_F(MeshTest, StatusSaysSoIfItsAddressIsThatOfThePortForSidecars) {
  absl::StatusOr<harness::Finished> status =
      harness::RunToEnd({.arguments = {harness::Runfile("control/cli/pillionctl"), "status",
                                       "--control", absl::StrCat("127.0.0.1:", xds_port_)}});
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->status, harness::ExitStatus::Code(1)) << status->output;
  EXPECT_TRUE(absl::StrContains(status->output, "is not control: it does not speak HTTP/1.1"))
      << status->output;
  EXPECT_TRUE(absl::StrContains(status->output, "Name its `rest`")) << status->output;
}

}  // namespace
}  // namespace pillion
