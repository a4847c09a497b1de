// The control process, from outside: configuration, REST, signals.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/match.h"
#include "tests/integration/harness/deadline.h"
#include "tests/integration/harness/files.h"
#include "tests/integration/harness/http_client.h"
#include "tests/integration/harness/process.h"

namespace pillion::harness {
namespace {

using Json = nlohmann::json;
using namespace std::chrono_literals;

constexpr char kPolicy[] = R"(
clusters: [{ name: orders, endpoints: ["127.0.0.1:5001"] }]
virtual_hosts:
- name: orders
  domains: [orders]
  routes: [{ match: { prefix: / }, route: { cluster: orders } }]
)";

constexpr char kMistake[] = R"(
clusters: [{ name: orders, endpoints: ["127.0.0.1:5001"] }]
virtual_hosts:
- name: orders
  domains: [orders]
  routes: [{ match: { prefix: / }, route: { cluster: order } }]
)";

class ControlTest : public testing::Test {
 protected:
  ControlTest() { Write(kPolicy); }

  void Write(const std::string& policy) { ASSERT_TRUE(WriteFileAtomically(policy_, policy).ok()); }
  void WriteBootstrap(const std::string& xds = "127.0.0.1:0",
                      const std::string& rest = "127.0.0.1:0") {
    ASSERT_TRUE(WriteFileAtomically(config_, "xds: { address: \"" + xds + "\" }\n" +
                                                 "rest: { address: \"" + rest + "\" }\n" +
                                                 "policy: { directory: " + dir_ / "policy" +
                                                 " }\nstate: { path: " + dir_ / "state" + " }\n")
                    .ok());
  }

  static Process::Options Options(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), Runfile("control/pillion-control"));
    return {.arguments = std::move(arguments)};
  }

  void Start() {
    WriteBootstrap();
    auto process = Process::Start(Options({"--config", config_}));
    ASSERT_TRUE(process.ok()) << process.status();
    process_ = *std::move(process);
    auto port = process_->WaitForOutput("REST\\) on 127.0.0.1:([0-9]+)");
    ASSERT_TRUE(port.ok()) << port.status() << process_->Output();
    rest_port_ = *port;
    client_ = std::make_unique<HttpClient>(std::stoi(rest_port_));
    xds_port_ = process_->WaitForOutput("xDS\\) on 127.0.0.1:([0-9]+)").value_or("");
  }

  Response Get(const std::string& path) {
    auto response = client_->Get(path);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? *response : Response();
  }
  Json GetJson(const std::string& path) {
    const Response response = Get(path);
    EXPECT_EQ(response.status, 200) << response.body;
    return Json::parse(response.body, nullptr, false);
  }
  bool PolicyHas(const std::string& text) {
    return Eventually([&] { return absl::StrContains(Get("/v1/policy").body, text); });
  }

  TempDir dir_;
  const std::string policy_ = dir_ / "policy/mesh.yaml";
  const std::string config_ = dir_ / "control.yaml";
  std::unique_ptr<Process> process_;
  std::unique_ptr<HttpClient> client_;
  std::string xds_port_, rest_port_;
};

TEST_F(ControlTest, ServesThePolicyAndItsVersions) {
  Start();
  ASSERT_TRUE(PolicyHas("\"sequence\": 1"));
  EXPECT_EQ(Get("/ready").body, "ready\n");
  const Json policy = GetJson("/v1/policy");
  EXPECT_EQ(policy["policy"]["clusters"][0]["name"], "orders");
  EXPECT_EQ(policy["check"]["valid"], true);

  Write(std::string(kPolicy) + "subscriptions: [{ name: s, topic: t, cluster: orders }]\n");
  ASSERT_TRUE(PolicyHas("\"sequence\": 2"));
  const Json versions = GetJson("/v1/versions")["versions"];
  ASSERT_EQ(versions.size(), 2u);
  EXPECT_EQ(versions[0]["changes"],
            Json::parse(R"([{"kind": "ADDED", "type": "Subscription", "name": "s"}])"));
  EXPECT_EQ(GetJson("/v1/nodes")["current_version"], versions[0]["id"]);
}

TEST_F(ControlTest, ShowsAMistakeWhileTheLastGoodPolicyStays) {
  Start();
  ASSERT_TRUE(PolicyHas("\"sequence\": 1"));
  Write(kMistake);
  ASSERT_TRUE(PolicyHas("mesh.yaml:6:"));
  const Json policy = GetJson("/v1/policy");
  EXPECT_TRUE(absl::StrContains(policy["check"]["errors"][0].get<std::string>(),
                                "no cluster 'order' is defined; did you mean 'orders'?"));
  EXPECT_EQ(policy["version"]["sequence"], 1);
  EXPECT_EQ(Get("/ready").status, 200);
}

TEST_F(ControlTest, IsNotReadyWithoutAGoodPolicyAndSaysWhy) {
  Write(kMistake);
  Start();
  ASSERT_TRUE(Eventually([&] { return absl::StrContains(Get("/ready").body, "no cluster"); }));
  const Response response = Get("/ready");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.Header("content-type"), "application/problem+json");
}

TEST_F(ControlTest, StartsFromTheLastGoodPolicyWhenTheDirectoryIsGone) {
  Start();
  ASSERT_TRUE(PolicyHas("\"sequence\": 1"));
  process_->Signal(SIGTERM);
  ASSERT_EQ(process_->WaitForExit().value(), ExitStatus::Code(0));
  std::filesystem::remove_all(dir_ / "policy");
  Start();
  ASSERT_TRUE(PolicyHas("no such file or directory; create it"));
  EXPECT_EQ(GetJson("/v1/policy")["policy"]["clusters"][0]["name"], "orders");
  EXPECT_EQ(Get("/ready").status, 200);
}

TEST_F(ControlTest, ValidatesAPolicyWithoutTakingItUp) {
  Start();
  ASSERT_TRUE(PolicyHas("\"sequence\": 1"));
  auto good = client_->Post("/v1/policy:validate", kPolicy);
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(Json::parse(good->body)["valid"], true);
  auto bad = client_->Post("/v1/policy:validate", kMistake);
  ASSERT_TRUE(bad.ok()) << bad.status();
  EXPECT_EQ(bad->status, 200);
  EXPECT_TRUE(absl::StartsWith(Json::parse(bad->body)["errors"][0].get<std::string>(), "body:6:"))
      << bad->body;
  EXPECT_EQ(GetJson("/v1/versions")["versions"].size(), 1u);
}

TEST_F(ControlTest, AnswersWhatItDoesNotKnowWithAProblem) {
  Start();
  EXPECT_EQ(Get("/v2/nodes").status, 404);
  EXPECT_EQ(Get("/v1/policy:validate").status, 405);
  auto posted = client_->Post("/v1/nodes", "{}");
  ASSERT_TRUE(posted.ok()) << posted.status();
  EXPECT_EQ(posted->status, 405);
  EXPECT_EQ(posted->Header("allow"), "GET, HEAD");
  EXPECT_EQ(posted->Header("content-type"), "application/problem+json");
}

TEST_F(ControlTest, RefusesBadConfigurationWithStatus64) {
  ASSERT_TRUE(WriteFileAtomically(config_, "xds: { adress: 127.0.0.1:0 }\n").ok());
  auto finished = RunToEnd(Options({"--config", config_}));
  ASSERT_TRUE(finished.ok()) << finished.status();
  EXPECT_EQ(finished->status, ExitStatus::Code(64));
  EXPECT_TRUE(absl::StrContains(finished->output, "control.yaml:1:8: xds.adress: unknown field"))
      << finished->output;

  finished = RunToEnd(Options({"--config", dir_ / "nowhere.yaml"}));
  EXPECT_EQ(finished->status, ExitStatus::Code(64));
  EXPECT_TRUE(absl::StrContains(finished->output, "nowhere.yaml: no such file"))
      << finished->output;
  finished = RunToEnd(Options({}));
  EXPECT_EQ(finished->status, ExitStatus::Code(64));
}

TEST_F(ControlTest, ValidateModeChecksThePolicyWithoutOpeningAPort) {
  WriteBootstrap();
  auto finished = RunToEnd(Options({"--config", config_, "--mode", "validate"}));
  ASSERT_TRUE(finished.ok()) << finished.status();
  EXPECT_EQ(finished->status, ExitStatus::Code(0)) << finished->output;
  Write(kMistake);
  finished = RunToEnd(Options({"--config", config_, "--mode", "validate"}));
  EXPECT_EQ(finished->status, ExitStatus::Code(1));
  EXPECT_TRUE(absl::StrContains(finished->output, "mesh.yaml:6:")) << finished->output;
}

TEST_F(ControlTest, NamesAPortThatIsInUse) {
  Start();
  for (const std::string field : {"xds", "rest"}) {
    const std::string taken = "127.0.0.1:" + (field == "xds" ? xds_port_ : rest_port_);
    WriteBootstrap(field == "xds" ? taken : "127.0.0.1:0", field == "rest" ? taken : "127.0.0.1:0");
    auto finished = RunToEnd(Options({"--config", config_}));
    ASSERT_TRUE(finished.ok()) << finished.status();
    EXPECT_EQ(finished->status, ExitStatus::Code(1));
    EXPECT_TRUE(absl::StrContains(finished->output, field + ".address")) << finished->output;
    EXPECT_TRUE(absl::StrContains(finished->output, taken)) << finished->output;
    EXPECT_TRUE(absl::StrContains(finished->output, "in use")) << finished->output;
    // What gRPC says of it tells nobody more.
    EXPECT_FALSE(absl::StrContains(finished->output, "[grpc]")) << finished->output;
  }
}

TEST_F(ControlTest, IgnoresSighupAndStopsOnSigterm) {
  Start();
  process_->Signal(SIGHUP);
  ASSERT_TRUE(PolicyHas("\"sequence\": 1"));
  process_->Signal(SIGTERM);
  EXPECT_EQ(process_->WaitForExit(10s).value(), ExitStatus::Code(0)) << process_->Output();
}

}  // namespace
}  // namespace pillion::harness
