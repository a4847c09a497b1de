// A store that hangs, as on a disk that does not come back: who waits for it is told, and the
// program can be ended. The thread that touches the store is held by ptrace(2).

#include <sys/ptrace.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
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

// Holds the threads of a sidecar that started before its workers and have no name of their own:
// that of the delivery engine, and that for signals, which the tests do without. Made and ended by
// one thread.
class StalledStore {
 public:
  explicit StalledStore(const harness::Process& process) {
    const std::string tasks = absl::StrCat("/proc/", process.pid(), "/task/");
    std::map<pid_t, std::string> names;  // in the order in which they started
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
      const auto name = harness::ReadFile(task.path() / "comm");
      if (name.ok()) names[std::atoi(task.path().filename().c_str())] = *name;
    }
    for (const auto& [thread, name] : names) {
      if (absl::StartsWith(name, "worker-")) break;
      if (thread != process.pid() && name == names[process.pid()]) Hold(thread);
    }
    EXPECT_FALSE(held_.empty());
  }
  ~StalledStore() {
    for (pid_t thread : held_) {
      if (ptrace(PTRACE_DETACH, thread, nullptr, nullptr) != 0) waitpid(thread, nullptr, __WALL);
    }
  }

  // The process is not seen to have ended before this. REQUIRES: it is about to end.
  void AwaitEnd() {
    for (pid_t thread : held_) waitpid(thread, nullptr, __WALL);
    held_.clear();
  }

 private:
  void Hold(pid_t thread) {
    int status = 0;
    ASSERT_EQ(ptrace(PTRACE_SEIZE, thread, nullptr, nullptr), 0);
    ASSERT_EQ(ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr), 0);
    ASSERT_EQ(waitpid(thread, &status, __WALL), thread);
    held_.push_back(thread);
  }

  std::vector<pid_t> held_;
};

std::string Emitting(int port) {
  return absl::StrCat("clusters:\n- { name: orders, endpoints: [\"127.0.0.1:", port,
                      "\"] }\nvirtual_hosts:\n- name: orders\n  domains: [orders]\n  routes:\n"
                      "  - match: { prefix: / }\n    route: { cluster: orders, timeout: 2s }\n"
                      "    emit: [{ topic: order.changed }]\n");
}

TEST(StalledStore, IsToldToACallerWhoseEventCannotBeStored) {
  Origin orders([](const Request&) { return Response{.body = "done"}; });
  TestSidecar sidecar(Emitting(orders.port()));
  StalledStore stalled(sidecar.process());
  const auto response = HttpClient(sidecar.port()).Post("/emit", "", {{"Host", "orders"}});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 503);
  EXPECT_EQ(response->Header("pillion-flag").value_or(""), "OM");
  EXPECT_TRUE(absl::StrContains(response->body, "the upstream answered 200")) << response->body;
  EXPECT_EQ(sidecar.AccessLine("/emit")["response_flags"], "OM");
}

TEST(StalledStore, KeepsNothingBeyondTheDrainTimeout) {
  Origin orders([](const Request&) { return Response{.body = "done"}; });
  TestSidecar sidecar(Emitting(orders.port()), {.more = "drain_timeout: 100ms"});
  StalledStore stalled(sidecar.process());
  Connection connection = *Connection::Connect(sidecar.port());
  ASSERT_TRUE(connection.Send("GET /emit HTTP/1.1\r\nHost: orders\r\n\r\n").ok());
  ASSERT_TRUE(orders.WaitForRequests(1));
  Connection admin = *Connection::Connect(sidecar.admin_port());
  ASSERT_TRUE(
      admin.Send("POST /quitquitquit HTTP/1.1\r\nHost: admin\r\nContent-Length: 0\r\n\r\n").ok());
  EXPECT_EQ(ReadResponse(admin, "POST")->status, 200);
  EXPECT_FALSE(connection.ReadToEnd().ok()) << "answered, or closed in order";
  EXPECT_EQ(admin.ReadToEnd().value_or("still open"), "") << "the workers have not finished";
  ASSERT_TRUE(sidecar.process().WaitForOutput("the store does not answer: ending").ok());
  stalled.AwaitEnd();
  EXPECT_EQ(sidecar.process().WaitForExit().value(), harness::ExitStatus::Code(1));
}

}  // namespace
}  // namespace pillion::proxy_test
