// Which backend a sidecar takes, and what it says of it.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "tests/integration/harness/files.h"
#include "tests/integration/harness/http_client.h"
#include "tests/integration/harness/origin.h"
#include "tests/integration/proxy/test_sidecar.h"

namespace pillion::proxy_test {
namespace {

using harness::Connection;
using harness::HttpClient;
using harness::Origin;
using harness::Request;
using harness::Response;

class IoChoice : public testing::Test {
 protected:
  static std::string Forbidding() {
    return harness::Runfile("tests/integration/proxy/forbid_io_uring");
  }

  Origin orders_{[](const Request&) { return Response{.body = "ok"}; }};
};

TEST_F(IoChoice, AutoTakesIoUringWhereItCanBeHad) {
  TestSidecar sidecar(ForwardTo(orders_.port()), {.io = "AUTO"});
  EXPECT_TRUE(absl::StrContains(sidecar.process().Output(), "workers on io_uring;"))
      << sidecar.process().Output();
  EXPECT_EQ(HttpClient(sidecar.port()).Get("http://orders/")->body, "ok");
}

TEST_F(IoChoice, AutoTakesEpollWhereIoUringIsForbiddenAndSaysWhy) {
  TestSidecar sidecar(ForwardTo(orders_.port()), {.io = "AUTO", .wrapper = {Forbidding()}});
  EXPECT_TRUE(absl::StrContains(sidecar.process().Output(),
                                "workers on epoll (not io_uring: io_uring_setup; it is forbidden "
                                "here: allow it in the container's seccomp profile"))
      << sidecar.process().Output();
  EXPECT_EQ(HttpClient(sidecar.port()).Get("http://orders/")->body, "ok");
  const auto info = HttpClient(sidecar.admin_port()).Get("/server_info");
  EXPECT_EQ(nlohmann::json::parse(info->body)["io"], "epoll") << info->body;
}

class IoChoiceWithoutAio : public IoChoice, public testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(Calls, IoChoiceWithoutAio,
                         testing::Values("--and-aio", "--and-aio-results"));

TEST_P(IoChoiceWithoutAio, EpollServesManyAtOnceAllTheSame) {
  TestSidecar sidecar(ForwardTo(orders_.port()),
                      {.io = "AUTO", .wrapper = {Forbidding(), GetParam()}});
  std::vector<Connection> callers;
  for (int i = 0; i < 20; ++i) {
    auto caller = Connection::Connect(sidecar.port());
    ASSERT_TRUE(caller.ok()) << caller.status();
    callers.push_back(*std::move(caller));
  }
  for (int i = 0; i < 10; ++i) {
    for (Connection& caller : callers) {
      ASSERT_TRUE(caller.Send("GET / HTTP/1.1\r\nHost: orders\r\n\r\n").ok());
    }
    for (Connection& caller : callers) EXPECT_TRUE(caller.ReadThrough("\r\n\r\nok").ok());
  }
}

TEST_F(IoChoice, IoUringThatCannotBeHadIsAnErrorAtStart) {
  harness::TempDir directory;
  ASSERT_TRUE(
      harness::WriteFileAtomically(directory / "policy.yaml", ForwardTo(orders_.port())).ok());
  const std::string bootstrap =
      WriteBootstrap(directory, directory / "policy.yaml", {.io = "IO_URING"});
  const auto run =
      harness::RunToEnd({.arguments = {Forbidding(), SidecarProgram(), "--config", bootstrap}});
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->status, harness::ExitStatus::Code(1)) << run->output;
  EXPECT_TRUE(absl::StrContains(run->output, "runtime.io: io_uring_setup; it is forbidden here"))
      << run->output;
}

}  // namespace
}  // namespace pillion::proxy_test
