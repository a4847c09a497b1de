// What a warm forwarded call costs, in what can be counted: system calls, heap allocations, and the
// memory of a connection. Timings are in bench/. Not run under the sanitizers, which change all of
// it (.bazelrc).

#include <signal.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
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
using harness::Process;
using harness::Request;
using harness::Response;

constexpr int kCalls = 500;

class Cost : public testing::Test {
 protected:
  void Call(HttpClient& client, int times) {
    for (int i = 0; i < times; ++i) {
      const auto response = client.Get("http://orders/user?user_id=1");
      ASSERT_TRUE(response.ok()) << response.status();
      ASSERT_EQ(response->status, 200);
    }
  }

  Origin orders_{[](const Request&) { return Response{.body = std::string(70, 'x')}; }};
};

// From the table of strace -c: "% time, seconds, usecs/call, calls, [errors,] syscall".
std::map<std::string, int> ReadCounts(const std::string& table) {
  std::map<std::string, int> counts;
  for (absl::string_view line : absl::StrSplit(table, '\n')) {
    const std::vector<std::string> columns = absl::StrSplit(line, ' ', absl::SkipEmpty());
    int calls = 0;
    if (columns.size() < 5 || columns.back() == "total") continue;
    if (absl::SimpleAtoi(columns[3], &calls)) counts[columns.back()] = calls;
  }
  return counts;
}

// Counts the system calls of `sidecar` while `work` runs, in strace's table, too.
std::map<std::string, int> CountDuring(const TestSidecar& sidecar, absl::FunctionRef<void()> work,
                                       std::string* table) {
  const harness::TempDir directory;
  const std::string path = directory / "counts";
  auto strace = Process::Start({.arguments = {"strace", "-f", "-c", "-o", path, "-p",
                                              std::to_string(sidecar.process().pid())}});
  EXPECT_TRUE(strace.ok()) << strace.status();
  if (!strace.ok()) return {};
  EXPECT_TRUE((*strace)->WaitForOutput("attached with [0-9]+ threads").ok());
  work();
  (*strace)->Signal(SIGINT);
  EXPECT_TRUE((*strace)->WaitForExit().ok());
  *table = harness::ReadFile(path).value();
  return ReadCounts(*table);
}

// What is not of the calls: timers, and other threads (log, store, policy).
constexpr int kOthers = kCalls / 5;

TEST_F(Cost, SystemCallsOfAWarmCall) {
  TestSidecar sidecar(ForwardTo(orders_.port()), {.access = "", .workers = 1});
  HttpClient client(sidecar.port());
  Call(client, 20);
  std::string all;
  std::map<std::string, int> counts = CountDuring(
      sidecar, [&] { Call(client, kCalls); }, &all);
  int sockets = 0;
  for (const char* name : {"recvfrom", "recvmsg", "sendto", "sendmsg"}) sockets += counts[name];
  int rest = 0;
  for (const auto& [name, calls] : counts) rest += calls;
  rest -= sockets;
  if (harness::TestIo() == "EPOLL") {
    // In from the caller, out to the upstream, in from there, out to the caller; and two waits.
    EXPECT_LE(sockets, 4 * kCalls + kOthers) << all;
    EXPECT_GE(sockets, 4 * kCalls) << all;
    EXPECT_LE(rest, 2 * kCalls + kOthers) << all;
  } else {
    // Two sends that complete at once, and two waits.
    EXPECT_EQ(sockets, 0) << all;
    EXPECT_LE(counts["io_uring_enter"], 4 * kCalls + kOthers) << all;
    EXPECT_LE(rest - counts["io_uring_enter"], kOthers) << all;
  }
}

TEST_F(Cost, CallsThatComeTogetherShareTheirSystemCalls) {
  TestSidecar sidecar(ForwardTo(orders_.port()), {.access = "", .workers = 1});
  std::vector<Connection> callers;
  for (int i = 0; i < 50; ++i) {
    auto caller = Connection::Connect(sidecar.port());
    ASSERT_TRUE(caller.ok()) << caller.status();
    callers.push_back(*std::move(caller));
  }
  auto call = [&](int rounds) {
    for (int i = 0; i < rounds; ++i) {
      for (Connection& caller : callers) {
        ASSERT_TRUE(caller.Send("GET / HTTP/1.1\r\nHost: orders\r\n\r\n").ok());
      }
      for (Connection& caller : callers) {
        ASSERT_TRUE(caller.ReadThrough(std::string(70, 'x')).ok());
      }
    }
  };
  call(2);
  std::string all;
  std::map<std::string, int> counts = CountDuring(
      sidecar, [&] { call(kCalls / 50); }, &all);
  if (harness::TestIo() == "EPOLL") {
    // Two receives each; the two sends go in batches of four and more, mostly.
    EXPECT_LE(counts["recvfrom"], 2 * kCalls + kOthers) << all;
    EXPECT_LE(counts["sendto"] + counts["sendmsg"] + counts["io_submit"], kCalls) << all;
  } else {
    EXPECT_LE(counts["io_uring_enter"], 2 * kCalls) << all;
  }
}

TEST_F(Cost, AWarmCallAllocatesNothing) {
  const harness::TempDir directory;
  const std::string file = directory / "allocations";
  ASSERT_TRUE(harness::WriteFileAtomically(file, std::string(sizeof(uint64_t), '\0')).ok());
  const std::string counter = harness::Runfile("tests/integration/proxy/liballocation_counter.so");
  TestSidecar sidecar(ForwardTo(orders_.port()),
                      {.access = "",
                       .workers = 1,
                       .environment = {{"LD_PRELOAD", counter}, {"ALLOCATION_COUNT", file}}});
  auto allocations = [&] {
    uint64_t count = 0;
    const std::string bytes = harness::ReadFile(file).value();
    std::memcpy(&count, bytes.data(), sizeof(count));
    return count;
  };
  HttpClient client(sidecar.port());
  Call(client, 200);
  const uint64_t before = allocations();
  EXPECT_GT(before, 0u);
  Call(client, kCalls);
  // Other threads may allocate now and then; one allocation a call would be kCalls.
  EXPECT_LT(allocations() - before, kCalls / 20u);
}

TEST_F(Cost, MemoryOfAnIdleConnection) {
  TestSidecar sidecar(ForwardTo(orders_.port()), {.access = "", .workers = 1});
  std::vector<Connection> connections;
  auto open = [&](int count) {
    for (int i = 0; i < count; ++i) {
      auto connection = Connection::Connect(sidecar.port());
      ASSERT_TRUE(connection.ok()) << connection.status();
      ASSERT_TRUE(connection->Send("GET / HTTP/1.1\r\nHost: orders\r\n\r\n").ok());
      ASSERT_TRUE(connection->ReadThrough(std::string(70, 'x')).ok());
      connections.push_back(*std::move(connection));
    }
  };
  open(200);
  const uint64_t before = harness::ResidentBytes(sidecar.process().pid()).value();
  // Most of it are pages of libraries, which all processes of a machine share.
  EXPECT_LE(before, 24u << 20);
  constexpr int kIdle = 2000;
  open(kIdle);
  const uint64_t after = harness::ResidentBytes(sidecar.process().pid()).value();
  EXPECT_LE((after - before) / kIdle, 2048u);
}

}  // namespace
}  // namespace pillion::proxy_test
