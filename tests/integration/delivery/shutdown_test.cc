// SIGTERM while attempts are under way.
#include <gtest/gtest.h>
#include <signal.h>

#include <string>

#include "absl/strings/substitute.h"
#include "tests/integration/delivery/gate.h"
#include "tests/integration/delivery/sidecar_process.h"
#include "tests/integration/harness/origin.h"

namespace pillion::harness {
namespace {

// No retry: an attempt that counts as failed would end its operation.
std::string Policy(const Origin& origin) {
  return absl::Substitute(R"(
clusters:
- { name: orders, endpoints: ["127.0.0.1:$0"] }
virtual_hosts:
- name: orders
  domains: [orders]
  routes:
  - match: { prefix: / }
    async: { cluster: orders, concurrency: 1, retry_policy: { num_retries: 0 } }
)",
                          origin.port());
}

TEST(Shutdown, LetsARunningAttemptFinishAndStartsNoOther) {
  Gate gate;
  Origin origin([&](const Request&) {
    gate.Wait();
    return Response{.body = "done"};
  });
  Gate::AtEnd open(gate);
  SidecarProcess sidecar(Policy(origin), "", {.lines = "drain_timeout: 1h\n"});
  ASSERT_TRUE(sidecar.Start().ok());
  const Response running = sidecar.Call("POST", "http://orders/", "1");
  ASSERT_TRUE(origin.WaitForRequests(1));
  const Response waiting = sidecar.Call("POST", "http://orders/", "2");
  ASSERT_EQ(waiting.status, 202);
  sidecar.process().Signal(SIGTERM);
  ASSERT_TRUE(sidecar.process().WaitForOutput("shutting down").ok());
  gate.Open();
  EXPECT_EQ(sidecar.process().WaitForExit().value(), ExitStatus::Code(0));
  EXPECT_EQ(origin.request_count(), 1u);

  ASSERT_TRUE(sidecar.Start().ok());
  EXPECT_EQ(sidecar.AwaitFinal(waiting).value("status", ""), "succeeded");
  const Json status = sidecar.Status(running);
  EXPECT_EQ(status.value("status", ""), "succeeded") << status;
  EXPECT_EQ(status.value("attempts", 0), 1);
  EXPECT_EQ(origin.request_count(), 2u);
}

TEST(Shutdown, AbortsAtTheDrainTimeoutWhatThenRunsAgainWithoutHavingFailed) {
  Gate gate;
  Origin origin([&](const Request&) {
    gate.Wait();
    return Response{.body = "done"};
  });
  Gate::AtEnd open(gate);
  SidecarProcess sidecar(Policy(origin), "", {.lines = "drain_timeout: 200ms\n"});
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://orders/", "1");
  for (size_t round = 1; round <= 3; ++round) {
    ASSERT_TRUE(origin.WaitForRequests(round));
    EXPECT_EQ(sidecar.Terminate().value(), ExitStatus::Code(0));
    if (round == 3) gate.Open();
    ASSERT_TRUE(sidecar.Start().ok());
  }
  const Json status = sidecar.AwaitFinal(accepted);
  EXPECT_EQ(status.value("status", ""), "succeeded") << status;
  EXPECT_EQ(status.value("attempts", 0), 1) << status;
  for (const Request& request : origin.requests()) {
    EXPECT_EQ(request.Header("pillion-attempt"), "1");
  }
}

}  // namespace
}  // namespace pillion::harness
