#include "tests/integration/harness/http_client.h"

#include <cstddef>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace pillion::harness {
namespace {

// The authority of an absolute-form target; empty for any other.
std::string AuthorityOf(const std::string& target) {
  constexpr std::string_view kScheme = "http://";
  if (!target.starts_with(kScheme)) return "";
  return target.substr(kScheme.size(), target.find_first_of("/?", kScheme.size()) - kScheme.size());
}

}  // namespace

absl::Status HttpClient::EnsureConnected(Deadline deadline) {
  // Between two calls there is nothing to read but the end.
  if (connection_ && connection_->Readable()) connection_.reset();
  if (connection_) return absl::OkStatus();
  auto made = unix_path_.empty() ? Connection::Connect(port_, deadline)
                                 : Connection::ConnectUnix(unix_path_);
  if (!made.ok()) return made.status();
  connection_.emplace(*std::move(made));
  ++connections_made_;
  return absl::OkStatus();
}

absl::StatusOr<Response> HttpClient::Send(Request request, Deadline deadline,
                                          const BodySink& sink) {
  if (absl::Status connected = EnsureConnected(deadline); !connected.ok()) return connected;
  if (!request.Header("host")) {
    std::string host = AuthorityOf(request.target);
    if (host.empty()) host = unix_path_.empty() ? absl::StrCat("127.0.0.1:", port_) : "localhost";
    request.headers.emplace(request.headers.begin(), "Host", std::move(host));
  }
  bool stopped = false;
  BodySink watched;
  if (sink) {
    watched = [&](std::string_view piece) {
      stopped = !sink(piece);
      return !stopped;
    };
  }
  // A server may answer and close before it has read the whole request, so that the answer counts
  // even if sending failed.
  const absl::Status sent = WriteRequest(*connection_, request, deadline);
  auto response = ReadResponse(*connection_, request.method, watched, deadline);
  const bool ends_with_connection =
      response.ok() && response->status >= 200 && request.method != "HEAD" &&
      response->status != 204 && response->status != 304 && !response->Header("content-length") &&
      !response->Header("transfer-encoding");
  if (!response.ok() || !sent.ok() || stopped || ends_with_connection ||
      SaysClose(response->headers) || SaysClose(request.headers)) {
    connection_.reset();
  }
  if (!response.ok() && !sent.ok()) return sent;
  return response;
}

absl::StatusOr<Response> HttpClient::Get(std::string target, Headers headers) {
  return Send({.target = std::move(target), .headers = std::move(headers)});
}

absl::StatusOr<Response> HttpClient::Post(std::string target, std::string body, Headers headers) {
  return Send({.method = "POST",
               .target = std::move(target),
               .headers = std::move(headers),
               .body = std::move(body)});
}

}  // namespace pillion::harness
