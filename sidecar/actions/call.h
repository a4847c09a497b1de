// One call on its way through the sidecar, and what the actions may use to serve it.

#ifndef PILLION_SIDECAR_ACTIONS_CALL_H_
#define PILLION_SIDECAR_ACTIONS_CALL_H_

#include <array>
#include <functional>
#include <string>
#include <string_view>

#include "core/http/problem.h"
#include "core/http/server.h"
#include "core/net/task.h"
#include "core/routing/route_table.h"
#include "core/telemetry/access_log.h"

namespace pillion::delivery {
class Engine;
}
namespace pillion::upstream {
class ClusterManager;
}

namespace pillion::sidecar {

// What a worker offers to the actions that run on it. Outlives every call.
struct Services {
  net::Loop& loop;
  upstream::ClusterManager& clusters;
  delivery::Engine& engine;
  std::string_view node_id;
  std::string_view service;  // the service that this sidecar stands next to
  // Host and port where upstreams reach this sidecar; empty: nobody knows. Set before the first
  // call.
  const std::string& operation_authority;
  // What is wrong, for callers, as long as there is no policy.
  const std::function<std::string()>& why_no_policy;
};

// Belongs to the worker that serves it; lives until its exchange ends.
struct Call {
  Call(http::ServerExchange& exchange, Services& services)
      : exchange(exchange), services(services) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  http::ServerExchange& exchange;
  Services& services;
  const routing::CompiledRoute* route = nullptr;
  std::string_view path;  // canonical, without the query
  std::string path_scratch;
  // Becomes the line in the access log. Its views must live until the end of the call.
  telemetry::AccessRecord record;
  std::string operation_id;  // what record.operation_id points to

  http::RequestHead& request() { return exchange.request(); }
  net::CancelScope& scope() { return exchange.scope(); }

  // Keeps a copy, as the host may leave the policy before the call ends.
  void SetUpstreamAddress(std::string_view address) {
    if (address.size() > upstream_address_.size()) {
      record.upstream_address = long_upstream_address_ = address;
    } else {
      address.copy(upstream_address_.data(), address.size());
      record.upstream_address = {upstream_address_.data(), address.size()};
    }
  }

 private:
  std::array<char, 56> upstream_address_;  // room for any IP address with a port
  std::string long_upstream_address_;
};

// Answers with an error of our own, whose flag also goes to the access log, unless an answer has
// begun: then the connection is cut, and that is all a caller can be told.
net::Task<void> Fail(Call& call, http::Problem problem);
// The same; `flag` is static text.
net::Task<void> Fail(Call& call, int status, std::string_view flag, std::string_view detail);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_CALL_H_
