// A blocking HTTP/1.1 client, as a service would use: one connection, kept alive.
//
//   HttpClient client(outbound_port);
//   auto response = client.Send({.method = "POST", .target = "http://orders/reports", .body =
//   "{}"}); ASSERT_TRUE(response.ok()) << response.status(); EXPECT_EQ(response->status, 202);

#ifndef PILLION_TESTS_INTEGRATION_HARNESS_HTTP_CLIENT_H_
#define PILLION_TESTS_INTEGRATION_HARNESS_HTTP_CLIENT_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "tests/integration/harness/connection.h"
#include "tests/integration/harness/deadline.h"
#include "tests/integration/harness/http.h"

namespace pillion::harness {

// Not thread-safe: one client a thread.
class HttpClient {
 public:
  // Connects to 127.0.0.1:`port` when the first request is sent.
  explicit HttpClient(int port) : port_(port) {}
  // Or to a Unix domain socket.
  explicit HttpClient(std::string unix_path) : unix_path_(std::move(unix_path)) {}

  // A target of http://HOST/... is sent as it is, as to a proxy. Host is added unless the headers
  // have it: HOST, or the address. Connects anew if the last answer said "close" or the server has
  // closed since; otherwise no failure is retried or hidden. `sink` gets the body as it comes; if
  // it returns false, the response ends there and so does the connection.
  absl::StatusOr<Response> Send(Request request, Deadline deadline = {},
                                const BodySink& sink = nullptr);

  absl::StatusOr<Response> Get(std::string target, Headers headers = {});
  absl::StatusOr<Response> Post(std::string target, std::string body, Headers headers = {});

  // The connection in use, for what comes after a 101; null if there is none.
  Connection* connection() { return connection_ ? &*connection_ : nullptr; }
  int connections_made() const { return connections_made_; }

 private:
  absl::Status EnsureConnected(Deadline deadline);

  const int port_ = 0;
  const std::string unix_path_;
  std::optional<Connection> connection_;
  int connections_made_ = 0;
};

}  // namespace pillion::harness

#endif  // PILLION_TESTS_INTEGRATION_HARNESS_HTTP_CLIENT_H_
