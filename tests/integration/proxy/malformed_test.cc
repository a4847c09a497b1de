// Malformed and smuggling requests, sent raw: each is answered as the table says, its connection is
// closed, and nothing of it reaches the upstream as a request.

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/http/malformed_requests.h"
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

constexpr char kSmuggled[] = "GET /smuggled HTTP/1.1\r\nHost: orders\r\n\r\n";

// Everything is forwarded, whatever the name.
std::string Policy(int port) {
  return absl::StrCat(
      "clusters:\n- { name: orders, endpoints: [\"127.0.0.1:", port,
      "\"] }\nvirtual_hosts:\n- { name: all, domains: [\"*\"], routes: [ { match: { "
      "prefix: / }, route: { cluster: orders } } ] }\n");
}

// Sends `bytes` with a request behind them that must never be carried out; returns all that comes
// back.
absl::StatusOr<std::string> AnswerTo(int port, const std::string& bytes) {
  auto connection = Connection::Connect(port);
  if (!connection.ok()) return connection.status();
  (void)connection->Send(bytes + kSmuggled);  // may be cut off, which is as good
  return connection->ReadToEnd();
}

TEST(MalformedRequests, AreRefusedAndNothingBehindThemIsCarriedOut) {
  Origin orders([](const Request&) { return Response{.body = "reached the upstream"}; });
  TestSidecar sidecar(Policy(orders.port()));
  const std::vector<http::MalformedRequest> table = http::MalformedRequests();
  ASSERT_GT(table.size(), 300u);
  for (const http::MalformedRequest& entry : table) {
    const auto answer = AnswerTo(sidecar.port(), entry.bytes);
    if (!answer.ok()) {
      ADD_FAILURE() << entry.name << ": " << answer.status();
      continue;
    }
    EXPECT_TRUE(absl::StartsWith(*answer, absl::StrCat("HTTP/1.1 ", entry.status, " ")))
        << entry.name << ":\n"
        << *answer;
    EXPECT_TRUE(absl::StrContains(*answer, "connection: close\r\n")) << entry.name;
    EXPECT_EQ(answer->find("\nHTTP/1.1 "), std::string::npos)
        << entry.name << " got a second answer:\n"
        << *answer;
  }
  // One good call, and it is the only one that was ever seen.
  EXPECT_EQ(HttpClient(sidecar.port()).Get("http://orders/good")->body, "reached the upstream");
  for (const Request& request : orders.requests()) EXPECT_EQ(request.target, "/good");
  EXPECT_EQ(orders.request_count(), 1u);
  EXPECT_EQ(sidecar.Stop(), harness::ExitStatus::Code(0)) << sidecar.process().Output();
}

// The same in pieces, as a slow network cuts them: where the cuts are makes no difference.
TEST(MalformedRequests, AreRefusedHoweverTheyAreCut) {
  Origin orders([](const Request&) { return Response{.body = "reached the upstream"}; });
  TestSidecar sidecar(Policy(orders.port()));
  const std::vector<http::MalformedRequest> table = http::MalformedRequests();
  for (size_t i = 0; i < table.size(); i += 17) {
    const http::MalformedRequest& entry = table[i];
    if (entry.bytes.size() > 2000) continue;
    auto connection = Connection::Connect(sidecar.port());
    ASSERT_TRUE(connection.ok()) << connection.status();
    for (char byte : entry.bytes + kSmuggled) {
      if (!connection->Send(std::string(1, byte)).ok()) break;
    }
    // A connection that closes while we send may be reset before the answer is read; never more
    // than the answer comes.
    const auto answer = connection->ReadToEnd();
    if (!answer.ok()) continue;
    EXPECT_TRUE(absl::StartsWith(*answer, absl::StrCat("HTTP/1.1 ", entry.status, " ")))
        << entry.name << ":\n"
        << *answer;
    EXPECT_EQ(answer->find("\nHTTP/1.1 "), std::string::npos) << entry.name << ":\n" << *answer;
  }
  EXPECT_EQ(orders.request_count(), 0u);
}

}  // namespace
}  // namespace pillion::proxy_test
