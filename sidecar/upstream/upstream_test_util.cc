#include "sidecar/upstream/upstream_test_util.h"

#include <utility>

#include "core/check.h"
#include "core/http/client.h"
#include "core/net/wait_queue.h"

namespace pillion::upstream {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

net::Listener MustListen(net::Loop& loop, std::string_view address) {
  absl::StatusOr<net::Listener> listener =
      net::Listener::Bind(loop, *net::Address::Parse(address), {});
  PILLION_CHECK(listener.ok());
  return *std::move(listener);
}

net::Task<void> StopAfter(net::Loop& loop, net::Task<void> task) {
  co_await task;
  loop.Stop();
}

}  // namespace

TestUpstream::TestUpstream(net::Loop& loop, std::string_view address)
    : loop_(loop), listener_(MustListen(loop, address)), group_(loop) {
  group_.Spawn(AcceptAll());
}

net::Task<void> TestUpstream::AcceptAll() {
  while (true) {
    absl::StatusOr<net::Socket> socket = co_await listener_.Accept(group_.scope());
    if (!socket.ok()) co_return;
    ++accepted_;
    group_.Spawn(Serve(*std::move(socket)));
  }
}

net::Task<void> TestUpstream::Serve(net::Socket socket) {
  net::CancelScope scope(loop_, &group_.scope());
  connections_.push_back(&scope);
  ++open_;
  net::Buffer in;
  while (true) {
    absl::StatusOr<size_t> received = co_await socket.Receive(in, scope);
    if (!received.ok() || *received == 0) break;
    if (!in.view().ends_with("\r\n\r\n")) continue;
    in.Release();
    absl::Status sent =
        co_await socket.Send(scope, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    if (!sent.ok()) break;
  }
  --open_;
  connections_.remove(&scope);
}

void TestUpstream::CloseConnections() {
  for (net::CancelScope* scope : connections_) scope->Cancel(absl::CancelledError("test"));
}

net::Task<void> TestUpstream::Stop() {
  group_.scope().Cancel(absl::CancelledError("test"));
  co_await group_.Join();
}

ClusterConfig TestConfig(ClusterRegistry& registry, std::string_view name,
                         const std::vector<std::string>& endpoints) {
  ClusterConfig config;
  config.name = std::string(name);
  for (const std::string& endpoint : endpoints) {
    EndpointConfig compiled;
    if (absl::StatusOr<net::Address> address = net::Address::Parse(endpoint); address.ok()) {
      compiled.target = *address;
    } else {
      compiled.target = *net::HostPort::Parse(endpoint);
    }
    config.endpoints.push_back(std::move(compiled));
  }
  config.shared = registry.Get(name);
  return config;
}

std::shared_ptr<const ClusterConfig> Freeze(const ClusterConfig& config) {
  return std::make_shared<ClusterConfig>(config);
}

net::Task<bool> Exchange(Lease& lease, net::CancelScope& scope) {
  http::ClientConnection& connection = lease.connection();
  http::RequestHead request;
  request.method = "GET";
  request.path = "/";
  request.headers.Add("host", "test");
  http::BodyFraming no_body;
  absl::Status sent = co_await connection.SendHead(request, no_body, "", true, scope);
  if (!sent.ok()) co_return false;
  http::HeadLimits limits;
  http::ResponseHead response;
  absl::Status read = co_await connection.ReadHead(limits, &response, scope);
  if (!read.ok() || response.status != 200) co_return false;
  std::string body;
  while (true) {
    absl::StatusOr<std::string_view> piece = co_await connection.ReadBody(scope);
    if (!piece.ok()) co_return false;
    if (piece->empty()) break;
    body += *piece;
  }
  co_return body == "ok";
}

net::Task<bool> Eventually(net::Loop& loop, std::function<bool()> condition) {
  net::CancelScope scope(loop);
  scope.SetDeadline(loop.now() + seconds(20), "Eventually");
  while (!condition()) {
    absl::Status status = co_await net::SleepUntil(loop.now() + milliseconds(1), scope);
    if (!status.ok()) co_return condition();
  }
  co_return true;
}

void RunToEnd(net::Loop& loop, net::Task<void> task) {
  net::TaskGroup group(loop);
  group.Spawn(StopAfter(loop, std::move(task)));
  loop.Run();
}

void TestWorker::Apply(const std::vector<ClusterConfig>& configs) {
  std::vector<std::shared_ptr<const ClusterConfig>> frozen;
  for (const ClusterConfig& config : configs) frozen.push_back(Freeze(config));
  clusters.Apply(frozen);
}

}  // namespace pillion::upstream
