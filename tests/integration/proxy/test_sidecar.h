// A sidecar as a user runs it: the real program, stand-alone, with a policy file that can be
// edited.
//
//   Origin orders([](const Request&) { return Response{.body = "hello"}; });
//   TestSidecar sidecar(ForwardTo(orders.port()));
//   auto response = HttpClient(sidecar.port()).Get("http://orders/reports");
//   EXPECT_EQ(sidecar.AccessLine("/reports")["mode"], "forward");

#ifndef PILLION_TESTS_INTEGRATION_PROXY_TEST_SIDECAR_H_
#define PILLION_TESTS_INTEGRATION_PROXY_TEST_SIDECAR_H_

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/harness/files.h"
#include "tests/integration/harness/process.h"

namespace pillion::proxy_test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

// The policy with one cluster, `orders` on 127.0.0.1:`port`, that all calls to http://orders/ go
// to. `route` continues the route action, `cluster` the cluster: ", timeout: 1s".
std::string ForwardTo(int port, std::string_view route = "", std::string_view cluster = "");

// Fails the test that makes it if the sidecar does not start or does not take the policy. Ended
// with the object; a sanitizer's report in its output fails the test.
class TestSidecar {
 public:
  struct Options {
    // Entries of `listeners`, one a line, in flow style.
    std::string listeners = "- { name: outbound, address: 127.0.0.1:0 }";
    // log.access; AccessLine needs it to be standard output.
    std::string access = "-";
    int workers = 2;
    // runtime.io
    std::string io = harness::TestIo();
    // In addition to the test's own.
    std::map<std::string, std::string> environment = {};
    // What to run the sidecar with: a program, and its arguments but for the sidecar's.
    std::vector<std::string> wrapper = {};
    // Further lines of the bootstrap.
    std::string more = "drain_timeout: 10s";
  };

  explicit TestSidecar(std::string_view policy) : TestSidecar(policy, Options()) {}
  TestSidecar(std::string_view policy, const Options& options);
  ~TestSidecar();

  int port(const std::string& listener = "outbound") const;
  int admin_port() const { return admin_port_; }
  harness::Process& process() const { return *process_; }
  const std::string& policy_path() const { return policy_path_; }

  // Replaces the policy file and returns when it is in effect.
  void SetPolicy(std::string_view policy);

  // The line of the access log about the call whose target, as the caller sent it, is `target`;
  // waits for it. Keys are those of the JSON format. Of several, the first.
  nlohmann::json AccessLine(std::string_view target) const;

  // SIGTERM, and the exit status.
  harness::ExitStatus Stop();

 private:
  const harness::TempDir directory_;
  const std::string policy_path_;
  std::unique_ptr<harness::Process> process_;
  int admin_port_ = 0;
};

// Writes a bootstrap into `directory` and returns its path. `policy_path` may not exist yet.
std::string WriteBootstrap(const harness::TempDir& directory, const std::string& policy_path,
                           const TestSidecar::Options& options);

// The path of the program.
std::string SidecarProgram();

}  // namespace pillion::proxy_test

#endif  // PILLION_TESTS_INTEGRATION_PROXY_TEST_SIDECAR_H_
