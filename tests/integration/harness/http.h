// HTTP/1.1 messages as a test writes and reads them (RFC 9112). Reads leniently: what the program
// under test sends wrong is for the test to notice, by the fields or, for bytes, by Connection.

#ifndef PILLION_TESTS_INTEGRATION_HARNESS_HTTP_H_
#define PILLION_TESTS_INTEGRATION_HARNESS_HTTP_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/integration/harness/checksum.h"
#include "tests/integration/harness/connection.h"
#include "tests/integration/harness/deadline.h"

namespace pillion::harness {

using Headers = std::vector<std::pair<std::string, std::string>>;  // In order, names as sent.

// The first value of a name, whatever its case.
std::optional<std::string> FindHeader(const Headers& headers, std::string_view name);

struct Request {
  std::string method = "GET";
  std::string target = "/";
  Headers headers = {};
  std::string body = {};
  // In place of `body`, for one that is too large to hold; chunked unless headers have a
  // Content-Length.
  BodySource body_source = {};

  std::optional<std::string> Header(std::string_view name) const {
    return FindHeader(headers, name);
  }
};

struct Response {
  int status = 200;
  std::string reason = {};  // As sent; when written, the harness fills in "Test".
  Headers headers = {};
  std::string body = {};
  BodySource body_source = {};  // As in Request.
  Headers trailers = {};

  std::optional<std::string> Header(std::string_view name) const {
    return FindHeader(headers, name);
  }
};

// Gets a message's body piece by piece, in place of its `body` field. False: enough, stop reading.
using BodySink = std::function<bool(std::string_view piece)>;

// Content-Length or Transfer-Encoding is added unless headers have one. A response to HEAD, and one
// that must not have a body (1xx, 204, 304), is written without.
absl::Status WriteRequest(Connection& connection, const Request& request, Deadline deadline = {});
absl::Status WriteResponse(Connection& connection, const Response& response,
                           std::string_view request_method, Deadline deadline = {});

// The next request. NotFound: the peer closed instead of sending one.
absl::StatusOr<Request> ReadRequestHead(Connection& connection, Deadline deadline = {});
absl::Status ReadRequestBody(Connection& connection, Request& request, const BodySink& sink,
                             Deadline deadline = {});

// Responses with a status of 1xx are skipped, but for 101. A body that ends with the connection is
// read to its end; one that is cut short is an error.
absl::StatusOr<Response> ReadResponse(Connection& connection, std::string_view request_method,
                                      const BodySink& sink = nullptr, Deadline deadline = {});

// Whether a message announces that it is the connection's last.
bool SaysClose(const Headers& headers);

}  // namespace pillion::harness

#endif  // PILLION_TESTS_INTEGRATION_HARNESS_HTTP_H_
