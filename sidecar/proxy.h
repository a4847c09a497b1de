// The proxy: what happens to each call that arrives on a listener, from top to bottom.

#ifndef PILLION_SIDECAR_PROXY_H_
#define PILLION_SIDECAR_PROXY_H_

#include <memory>
#include <string>
#include <string_view>

#include "core/http/server.h"
#include "core/telemetry/access_log.h"
#include "core/telemetry/proxy_stats.h"
#include "sidecar/actions/call.h"
#include "sidecar/snapshot.h"

namespace pillion::sidecar {

enum class Direction { kOutbound, kInbound };

// One per listener and worker; belongs to the worker's loop.
class Proxy final : public http::RequestHandler {
 public:
  // Everything given outlives the proxy. `snapshot` is the worker's current one, which may be null
  // until the first policy arrives.
  Proxy(Direction direction, Services& services, const std::shared_ptr<const Snapshot>& snapshot,
        telemetry::AccessLog::Sink& access_log);

  net::Task<void> Handle(http::ServerExchange& exchange) override;

  telemetry::DownstreamStats& stats() { return *stats_; }

 private:
  net::Task<void> Serve(Call& call, const Snapshot* snapshot);
  net::Task<void> ServeNoRoute(Call& call, const Snapshot& snapshot);
  void Identify(Call& call);
  void Begin(Call& call);
  void End(Call& call);

  const Direction direction_;
  Services& services_;
  const std::shared_ptr<const Snapshot>& snapshot_;
  telemetry::AccessLog::Sink& access_log_;
  const std::string via_;         // our name in Via
  const std::string via_header_;  // what Via is when a call comes without one, by HTTP/1.1
  std::unique_ptr<telemetry::DownstreamStats> stats_;
};

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_PROXY_H_
