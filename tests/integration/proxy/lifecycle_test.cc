// How the program starts, stops, and says why it cannot.

#include <signal.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/integration/harness/http_client.h"
#include "tests/integration/harness/origin.h"
#include "tests/integration/proxy/test_sidecar.h"

namespace pillion::proxy_test {
namespace {

using harness::Connection;
using harness::ExitStatus;
using harness::Finished;
using harness::HttpClient;
using harness::Origin;
using harness::Request;
using harness::Response;
using harness::TempDir;

// Answers when it is told to.
class HeldOrigin {
 public:
  int port() const { return origin_.port(); }
  bool WaitForCall() { return origin_.WaitForRequests(1); }
  void Release() {
    std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }
  ~HeldOrigin() { Release(); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool released_ = false;
  Origin origin_{[this](const Request&) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return released_; });
    return Response{.body = "finished"};
  }};
};

Finished RunProgram(const TempDir& directory, std::string_view bootstrap,
                    const std::string& mode = "serve") {
  const std::string path = directory / "sidecar.yaml";
  EXPECT_TRUE(harness::WriteFileAtomically(path, bootstrap).ok());
  auto finished =
      harness::RunToEnd({.arguments = {SidecarProgram(), "--config", path, "--mode", mode}});
  EXPECT_TRUE(finished.ok()) << finished.status();
  return finished.ok() ? *finished : Finished{ExitStatus::Signal(SIGKILL), "", ""};
}

TEST(Draining, LetsARunningCallFinishAndTakesNoNewOnes) {
  HeldOrigin orders;
  TestSidecar sidecar(ForwardTo(orders.port()));
  const int port = sidecar.port();
  Connection idle = *Connection::Connect(port);
  ASSERT_TRUE(idle.Send("GET /none HTTP/1.1\r\nHost: nobody\r\n\r\n").ok());
  EXPECT_EQ(ReadResponse(idle, "GET")->status, 404);
  Connection busy = *Connection::Connect(port);
  ASSERT_TRUE(busy.Send("GET / HTTP/1.1\r\nHost: orders\r\n\r\n").ok());
  ASSERT_TRUE(orders.WaitForCall());

  sidecar.process().Signal(SIGTERM);
  EXPECT_EQ(idle.ReadToEnd().value_or("reset"), "") << "an idle connection is closed";
  EXPECT_TRUE(harness::Eventually([&] { return !Connection::Connect(port).ok(); }));
  const auto ready = HttpClient(sidecar.admin_port()).Get("/ready");
  EXPECT_EQ(ready->status, 503);
  EXPECT_TRUE(absl::StrContains(ready->body, "draining")) << ready->body;
  EXPECT_TRUE(sidecar.process().Running());

  orders.Release();
  const auto response = ReadResponse(busy, "GET");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body, "finished");
  EXPECT_EQ(response->Header("connection").value_or(""), "close");
  EXPECT_EQ(sidecar.process().WaitForExit().value(), ExitStatus::Code(0));
}

TEST(Draining, CutsOffWhatRunsLongerThanTheTimeout) {
  Origin orders(harness::origin::Hang());
  TestSidecar sidecar(ForwardTo(orders.port(), ", timeout: 0s"), {.more = "drain_timeout: 300ms"});
  Connection busy = *Connection::Connect(sidecar.port());
  ASSERT_TRUE(busy.Send("GET / HTTP/1.1\r\nHost: orders\r\n\r\n").ok());
  ASSERT_TRUE(harness::Eventually([&] { return orders.connection_count() == 1; }));
  EXPECT_EQ(sidecar.Stop(), ExitStatus::Code(0));
  EXPECT_TRUE(absl::StrContains(sidecar.process().Output(), "300ms")) << sidecar.process().Output();
}

TEST(Draining, EndsAtOnceOnASecondSignal) {
  Origin orders(harness::origin::Hang());
  TestSidecar sidecar(ForwardTo(orders.port(), ", timeout: 0s"), {.more = "drain_timeout: 1h"});
  Connection busy = *Connection::Connect(sidecar.port());
  ASSERT_TRUE(busy.Send("GET / HTTP/1.1\r\nHost: orders\r\n\r\n").ok());
  ASSERT_TRUE(harness::Eventually([&] { return orders.connection_count() == 1; }));
  sidecar.process().Signal(SIGTERM);
  ASSERT_TRUE(sidecar.process().WaitForOutput("shutting down").ok());
  sidecar.process().Signal(SIGTERM);
  EXPECT_EQ(sidecar.process().WaitForExit().value(), ExitStatus::Code(1));
}

TEST(Start, SaysWhichPortIsInUse) {
  TempDir directory;
  Origin other([](const Request&) { return Response{}; });
  const std::string taken = absl::StrCat("127.0.0.1:", other.port());
  for (const char* where : {"listener", "admin"}) {
    const bool admin = where == std::string("admin");
    const Finished run = RunProgram(
        directory,
        absl::StrCat("node: { id: web-1, service: web }\nadmin: { address: \"",
                     admin ? taken : "127.0.0.1:0", "\" }\nlisteners:\n- { name: out, address: \"",
                     admin ? "127.0.0.1:0" : taken, "\" }\npolicy: { files: [",
                     directory / "policy.yaml", "] }\nstore: { path: ", directory / "store",
                     " }\n"));
    EXPECT_EQ(run.status, ExitStatus::Code(1)) << run.output;
    EXPECT_TRUE(absl::StrContains(run.output, taken)) << run.output;
    EXPECT_TRUE(absl::StrContains(run.output, "in use")) << run.output;
    EXPECT_TRUE(absl::StrContains(run.output, admin ? "admin" : "'out'")) << run.output;
  }
}

TEST(Start, TellsAllMistakesOfTheBootstrapAtOnce) {
  TempDir directory;
  constexpr char kBad[] = R"(node: { id: web-1 }
listeners:
- { name: out, adress: 127.0.0.1:0 }
policy: { files: [policy.yaml] }
store: { path: store }
runtime: { workers: many }
)";
  for (const char* mode : {"serve", "validate"}) {
    const Finished run = RunProgram(directory, kBad, mode);
    EXPECT_EQ(run.status, ExitStatus::Code(mode == std::string("serve") ? 64 : 1));
    EXPECT_TRUE(absl::StrContains(run.output, "sidecar.yaml:1:")) << run.output;
    EXPECT_TRUE(absl::StrContains(run.output, "node.service")) << run.output;
    EXPECT_TRUE(absl::StrContains(run.output, "did you mean 'address'")) << run.output;
    EXPECT_TRUE(absl::StrContains(run.output, "sidecar.yaml:6:")) << run.output;
  }
}

TEST(Start, NeedsAFileThatCanBeRead) {
  auto missing = harness::RunToEnd({.arguments = {SidecarProgram(), "--config", "/no/such.yaml"}});
  ASSERT_TRUE(missing.ok()) << missing.status();
  EXPECT_EQ(missing->status, ExitStatus::Code(64));
  EXPECT_TRUE(absl::StrContains(missing->output, "/no/such.yaml")) << missing->output;
  auto none = harness::RunToEnd({.arguments = {SidecarProgram()}});
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_EQ(none->status, ExitStatus::Code(64));
  EXPECT_TRUE(absl::StrContains(none->output, "--config")) << none->output;
}

TEST(Start, MakesTheStoreDirectoryOrSaysWhyItCannot) {
  TempDir directory;
  ASSERT_TRUE(harness::WriteFileAtomically(directory / "file", "not a directory").ok());
  const Finished run = RunProgram(
      directory,
      absl::StrCat("node: { id: web-1, service: web }\nadmin: { address: \"127.0.0.1:0\" "
                   "}\nlisteners: [ { name: out, address: \"127.0.0.1:0\" } ]\npolicy: { files: [",
                   directory / "policy.yaml", "] }\nstore: { path: ", directory / "file/store",
                   " }\n"));
  EXPECT_EQ(run.status, ExitStatus::Code(1)) << run.output;
  EXPECT_TRUE(absl::StrContains(run.output, directory / "file/store")) << run.output;
  EXPECT_TRUE(absl::StrContains(run.output, "store.path")) << run.output;
}

TEST(Start, WarnsOfTooFewDescriptorsForTheConnectionsThatAreAllowed) {
  TempDir directory;
  const std::string bootstrap = WriteBootstrap(directory, directory / "policy.yaml",
                                               {.more = "limits: { max_connections: 512 }"});
  for (const int descriptors : {512, 1024}) {
    auto process = harness::Process::Start(
        {.arguments = {"sh", "-c", absl::StrCat("ulimit -n ", descriptors, "; exec \"$@\""), "sh",
                       SidecarProgram(), "--config", bootstrap}});
    ASSERT_TRUE(process.ok()) << process.status();
    ASSERT_TRUE((*process)->WaitForOutput("admin on").ok()) << (*process)->Output();
    EXPECT_EQ(absl::StrContains((*process)->Output(), "only 512 descriptors"), descriptors == 512)
        << (*process)->Output();
    (*process)->Signal(SIGTERM);
    EXPECT_EQ((*process)->WaitForExit().value(), ExitStatus::Code(0));
  }
}

TEST(Start, WaitsForAPolicyThatIsNotThereYet) {
  TempDir directory;
  const std::string policy = directory / "policy.yaml";
  auto process = harness::Process::Start(
      {.arguments = {SidecarProgram(), "--config", WriteBootstrap(directory, policy, {})}});
  ASSERT_TRUE(process.ok()) << process.status();
  const auto admin = (*process)->WaitForOutput("admin on 127.0.0.1:([0-9]+)");
  const auto port = (*process)->WaitForOutput("on 127.0.0.1:([0-9]+)");
  ASSERT_TRUE(admin.ok()) << admin.status();
  HttpClient client(std::atoi(port->c_str()));
  HttpClient admin_client(std::atoi(admin->c_str()));
  EXPECT_EQ(admin_client.Get("/ready")->status, 503);
  const auto early = client.Get("http://orders/");
  EXPECT_EQ(early->status, 503);
  EXPECT_EQ(early->Header("pillion-flag").value_or(""), "NR");
  ASSERT_TRUE(harness::WriteFileAtomically(policy, ForwardTo(harness::FreePort())).ok());
  EXPECT_TRUE(harness::Eventually([&] { return admin_client.Get("/ready")->status == 200; }));
  EXPECT_EQ(client.Get("http://orders/")->Header("pillion-flag").value_or(""), "UF");
}

TEST(Start, TellsCallersThatThePolicyWasRefusedAndTheFirstMistake) {
  TempDir directory;
  const std::string policy = directory / "policy.yaml";
  ASSERT_TRUE(harness::WriteFileAtomically(policy, "clusters: [{ name: a }]\nbroker: []\n").ok());
  auto process = harness::Process::Start(
      {.arguments = {SidecarProgram(), "--config", WriteBootstrap(directory, policy, {})}});
  ASSERT_TRUE(process.ok()) << process.status();
  const auto port = (*process)->WaitForOutput("on 127.0.0.1:([0-9]+)");
  ASSERT_TRUE((*process)->WaitForOutput("the policy has mistakes").ok());
  HttpClient client(std::atoi(port->c_str()));
  std::string body;
  EXPECT_TRUE(harness::Eventually([&] {
    body = client.Get("http://orders/")->body;
    return absl::StrContains(body, "the policy was refused, and there is none from before: ");
  })) << body;
  EXPECT_TRUE(absl::StrContains(body, "policy.yaml:1:12: clusters[0].endpoints")) << body;
  EXPECT_TRUE(absl::StrContains(body, "have all mistakes")) << body;
  EXPECT_FALSE(absl::StrContains(body, "did you mean 'brokers'")) << body;
}

TEST(ValidateMode, ChecksBootstrapAndPolicyAndOpensNothing) {
  TempDir directory;
  const std::string policy = directory / "policy.yaml";
  const std::string bootstrap = absl::StrCat(
      "node: { id: web-1, service: web }\nlisteners: [ { name: out, address: \"127.0.0.1:0\" } ]\n"
      "policy: { files: [",
      policy, "] }\nstore: { path: ", directory / "store", " }\n");
  ASSERT_TRUE(harness::WriteFileAtomically(policy, ForwardTo(1)).ok());
  const Finished good = RunProgram(directory, bootstrap, "validate");
  EXPECT_EQ(good.status, ExitStatus::Code(0)) << good.output;
  EXPECT_FALSE(std::filesystem::exists(directory / "store"));

  constexpr char kClustersAndHost[] =
      "clusters: [ { name: orders, endpoints: [\"127.0.0.1:1\"] } ]\n"
      "virtual_hosts:\n- name: orders\n  domains: [orders]\n  routes:\n";
  ASSERT_TRUE(harness::WriteFileAtomically(
                  policy, absl::StrCat(kClustersAndHost,
                                       "  - { match: { prefix: / }, async: { cluster: orders, "
                                       "callback: { cluster: orders, secret_file: /none } } }\n"))
                  .ok());
  const Finished doubtful = RunProgram(directory, bootstrap, "validate");
  EXPECT_EQ(doubtful.status, ExitStatus::Code(0)) << doubtful.output;
  EXPECT_TRUE(absl::StrContains(doubtful.output, "warning: the secret file /none: No such file"))
      << doubtful.output;

  ASSERT_TRUE(
      harness::WriteFileAtomically(
          policy,
          absl::StrCat(kClustersAndHost,
                       "  - { match: { prefix: / }, route: { cluster: order, timout: 1s } }\n"))
          .ok());
  const Finished bad = RunProgram(directory, bootstrap, "validate");
  EXPECT_EQ(bad.status, ExitStatus::Code(1)) << bad.output;
  EXPECT_TRUE(absl::StrContains(bad.output, "policy.yaml:6:")) << bad.output;
  EXPECT_TRUE(absl::StrContains(bad.output, "did you mean 'timeout'?")) << bad.output;
  EXPECT_TRUE(absl::StrContains(bad.output, "did you mean 'orders'?")) << bad.output;
}

}  // namespace
}  // namespace pillion::proxy_test
