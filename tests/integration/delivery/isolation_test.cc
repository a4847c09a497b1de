// A destination that is dead or slow, with a large backlog: others do not notice, and it costs
// disk, not memory.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/substitute.h"
#include "tests/integration/delivery/sidecar_process.h"
#include "tests/integration/harness/http_client.h"
#include "tests/integration/harness/origin.h"

namespace pillion::harness {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // then memory is theirs
#else
constexpr bool kSanitized = false;
#endif

constexpr int kBacklog = 10'000;
constexpr int kCallers = 4;
constexpr size_t kBody = 4096;
constexpr int kOthers = 200;
// The bodies of the backlog are 40 MB. What may be in memory of it is what runs: 64 attempts.
constexpr uint64_t kGrowth = 24 << 20;

std::string Policy(const Origin& dead, const Origin& alive) {
  return absl::Substitute(R"(
clusters:
- { name: dead, endpoints: ["127.0.0.1:$0"], circuit_breakers: { max_deliveries: 32 } }
- { name: alive, endpoints: ["127.0.0.1:$1"] }
virtual_hosts:
- name: shop
  domains: [shop]
  routes:
  - { name: dead, match: { path: /dead }, async: { cluster: dead } }
  - { name: alive, match: { path: /alive }, async: { cluster: alive } }
)",
                          dead.port(), alive.port());
}

// Posts to `path` until `count` calls were accepted, from several connections at once.
int Fill(int port, const std::string& path, int count) {
  std::atomic<int> accepted = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&] {
      HttpClient client(port);
      for (int i = 0; i < count / kCallers; ++i) {
        const auto response = client.Post("http://shop" + path, std::string(kBody, 'x'));
        if (!response.ok() || response->status != 202) return;
        ++accepted;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  return accepted;
}

TEST(Isolation, ADeadDestinationWithALargeBacklogNeitherStarvesOthersNorFillsMemory) {
  Origin dead{origin::Hang()};
  Origin alive([](const Request&) { return Response{.status = 200}; });
  SidecarProcess sidecar(Policy(dead, alive));
  ASSERT_TRUE(sidecar.Start().ok());
  // What is allocated once is allocated before.
  ASSERT_EQ(Fill(sidecar.port(), "/alive", kOthers), kOthers);
  ASSERT_TRUE(alive.WaitForRequests(kOthers));
  const uint64_t before = ResidentBytes(sidecar.process().pid()).value_or(0);
  ASSERT_GT(before, 0u);

  ASSERT_EQ(Fill(sidecar.port(), "/dead", kBacklog), kBacklog);
  EXPECT_EQ(dead.connection_count(), 32u);
  ASSERT_EQ(Fill(sidecar.port(), "/alive", kOthers), kOthers);
  EXPECT_TRUE(alive.WaitForRequests(2 * kOthers));
  const Response last = sidecar.Call("POST", "http://shop/alive", "x");
  EXPECT_EQ(sidecar.AwaitFinal(last).value("status", ""), "succeeded");
  if (!kSanitized) {
    EXPECT_LT(ResidentBytes(sidecar.process().pid()).value_or(0), before + kGrowth);
  }

  // The same after a restart, which finds all of it.
  sidecar.Kill();
  ASSERT_TRUE(sidecar.Start().ok());
  const size_t seen = alive.request_count();
  ASSERT_EQ(Fill(sidecar.port(), "/alive", kOthers), kOthers);
  EXPECT_TRUE(alive.WaitForRequests(seen + kOthers));
  if (!kSanitized) {
    EXPECT_LT(ResidentBytes(sidecar.process().pid()).value_or(0), before + kGrowth);
  }
}

}  // namespace
}  // namespace pillion::harness
