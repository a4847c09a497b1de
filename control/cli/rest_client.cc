#include "control/cli/rest_client.h"

#include <netdb.h>

#include <cstddef>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "control/cli/request_text.h"
#include "core/http/client.h"
#include "core/http/head.h"
#include "core/net/address.h"
#include "core/net/loop.h"
#include "core/net/task_group.h"
#include "core/strings.h"

namespace pillion::control {
namespace {

constexpr size_t kMaxBodyBytes = size_t{64} << 20;

struct Answer {
  int status;
  std::string body;
};

// The addresses of host[:port], names resolved by the system.
absl::StatusOr<std::vector<net::Address>> Resolve(std::string_view authority) {
  const bool has_port = authority.find(':', authority.find(']') + 1) != std::string_view::npos;
  const std::string with_port = StrCat(authority, has_port ? "" : ":80");
  absl::StatusOr<net::Address> numeric = net::Address::Parse(with_port);
  if (numeric.ok()) return std::vector<net::Address>{*numeric};
  const absl::StatusOr<net::HostPort> named = net::HostPort::Parse(with_port);
  if (!named.ok()) return named.status();
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(named->host.c_str(), std::to_string(named->port).c_str(), &hints, &found);
  if (error != 0) {
    return absl::UnavailableError(
        StrCat("cannot resolve '", named->host, "': ", gai_strerror(error)));
  }
  std::vector<net::Address> addresses;
  for (const addrinfo* next = found; next != nullptr; next = next->ai_next) {
    addresses.push_back(net::Address::FromSockaddr(next->ai_addr, next->ai_addrlen));
  }
  freeaddrinfo(found);
  return addresses;
}

net::Task<absl::StatusOr<Answer>> Exchange(net::Loop& loop, net::Address address,
                                           const http::RequestHead& request, std::string_view body,
                                           net::CancelScope& scope) {
  absl::StatusOr<std::unique_ptr<http::ClientConnection>> connection =
      co_await http::ClientConnection::Open(loop, address, scope);
  if (!connection.ok()) co_return connection.status();
  http::ClientConnection& client = **connection;
  absl::Status status = co_await client.SendHead(request, request.body, body, /*end=*/true, scope);
  http::ResponseHead response;
  while (status.ok() && response.status < 200) {
    const http::HeadLimits limits;
    status = co_await client.ReadHead(limits, &response, scope);
  }
  if (!status.ok()) co_return status;
  Answer answer{response.status, ""};
  while (!client.body_done()) {
    absl::StatusOr<std::string_view> piece = co_await client.ReadBody(scope);
    if (!piece.ok()) co_return piece.status();
    answer.body.append(*piece);
    if (answer.body.size() > kMaxBodyBytes) {
      co_return absl::UnknownError(StrCat("the answer has more than ", kMaxBodyBytes, " bytes"));
    }
  }
  co_return answer;
}

// Tries the addresses in turn until one answers.
net::Task<void> ExchangeWithAny(net::Loop& loop, const std::vector<net::Address>& addresses,
                                const http::RequestHead& request, std::string_view body,
                                std::chrono::seconds timeout, absl::StatusOr<Answer>& answer) {
  for (const net::Address& address : addresses) {
    net::CancelScope scope(loop);
    scope.SetDeadline(loop.now() + timeout, "no answer in time");
    answer = co_await Exchange(loop, address, request, body, scope);
    if (answer.ok()) break;
  }
  loop.Stop();
}

// What a problem (RFC 9457) says, or the body itself if it is none.
std::string DetailOf(const std::string& body) {
  const nlohmann::json problem = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (problem.is_object() && problem.contains("detail") && problem["detail"].is_string()) {
    return problem["detail"].get<std::string>();
  }
  return body.substr(0, 200);
}

absl::StatusOr<std::string> Call(const absl::StatusOr<RequestText>& request, std::string_view body,
                                 std::chrono::seconds timeout) {
  if (!request.ok()) return request.status();
  const absl::StatusOr<std::vector<net::Address>> addresses = Resolve(request->head().authority);
  if (!addresses.ok()) return addresses.status();
  absl::StatusOr<std::unique_ptr<net::Loop>> loop = net::Loop::Create(net::IoKind::kEpoll);
  if (!loop.ok()) return loop.status();
  absl::StatusOr<Answer> answer = absl::UnavailableError("no address");
  {
    net::TaskGroup group(**loop);
    group.Spawn(ExchangeWithAny(**loop, *addresses, request->head(), body, timeout, answer));
    (*loop)->Run();
  }
  if (absl::IsInvalidArgument(answer.status())) {
    return absl::UnknownError(StrCat("it does not speak HTTP/1.1, as a port for gRPC does not: ",
                                     FromAbsl(answer.status().message())));
  }
  if (!answer.ok()) return absl::UnavailableError(answer.status().message());
  if (answer->status != 200) {
    return absl::UnknownError(
        StrCat("the answer has status ", answer->status, ": ", DetailOf(answer->body)));
  }
  return std::move(answer->body);
}

}  // namespace

std::string UrlOf(std::string_view address, std::string_view path) {
  ConsumeSuffix(address, "/");
  const bool has_scheme = address.find("://") != std::string_view::npos;
  return StrCat(has_scheme ? "" : "http://", address, path);
}

absl::StatusOr<std::string> Get(const std::string& url, std::chrono::seconds timeout) {
  return Call(RequestText::Make("GET", url, {"connection: close"}), "", timeout);
}

absl::StatusOr<std::string> Post(const std::string& url, const std::string& json,
                                 std::chrono::seconds timeout) {
  return Call(RequestText::Make("POST", url,
                                {"connection: close", "content-type: application/json",
                                 StrCat("content-length: ", json.size())}),
              json, timeout);
}

}  // namespace pillion::control
