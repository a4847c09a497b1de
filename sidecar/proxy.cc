#include "sidecar/proxy.h"

#include <chrono>
#include <utility>

#include "core/http/header_rules.h"
#include "core/http/path.h"
#include "core/net/loop.h"
#include "core/routing/explain.h"
#include "core/routing/header_list_lookup.h"
#include "core/strings.h"
#include "core/telemetry/trace_context.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/actions/operations.h"

namespace pillion::sidecar {
namespace {

constexpr std::string_view kOwnPaths = "/.pillion/";

int64_t Micros(net::Duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

int64_t UnixMicros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Proxy::Proxy(Direction direction, Services& services,
             const std::shared_ptr<const Snapshot>& snapshot,
             telemetry::AccessLog::Sink& access_log)
    : direction_(direction),
      services_(services),
      snapshot_(snapshot),
      access_log_(access_log),
      // Each side of a sidecar has a name of its own: a call that leaves by one and comes in by the
      // other is no loop.
      via_(StrCat("pillion-", services.node_id, direction == Direction::kInbound ? "-in" : "")),
      via_header_(StrCat("1.1 ", via_)),
      stats_(std::make_unique<telemetry::DownstreamStats>()) {}

net::Task<void> Proxy::Handle(http::ServerExchange& exchange) {
  Call call(exchange, services_);
  Begin(call);
  // The call's own hold: whatever it sees of the policy, it sees until its end.
  const std::shared_ptr<const Snapshot> snapshot = snapshot_;
  co_await Serve(call, snapshot.get());
  End(call);
}

net::Task<void> Proxy::Serve(Call& call, const Snapshot* snapshot) {
  http::ServerExchange& exchange = call.exchange;
  if (exchange.parse_error()) {
    stats_->cx_protocol_error.Add();
    if (exchange.parse_error()->status == 408) stats_->rq_timeout.Add();
    return Fail(call, exchange.parse_error()->status, "DPE", exchange.parse_error()->reason);
  }
  http::RequestHead& request = call.request();
  const http::NormalizedPath normalized = http::NormalizePath(request.path, &call.path_scratch);
  if (normalized.error != nullptr) {
    return Fail(call, 400, "DPE", normalized.error);
  }
  call.path = normalized.path;
  if (http::ViaContains(request.headers, via_)) {
    const std::string detail = StrCat("the call has been here before (via ", via_,
                                      "): its route leads back to this sidecar");
    return Fail(call, 508, "", detail);
  }
  Identify(call);
  if (direction_ == Direction::kOutbound ? call.path.starts_with(kOwnPaths)
                                         : IsProgressReport(call)) {
    return ServeOperations(call);
  }
  if (snapshot == nullptr) {
    return Fail(call, 503, "NR", services_.why_no_policy());
  }
  const routing::HeaderListLookup headers(request.headers);
  const routing::RequestView view{request.method, request.authority, call.path, request.query,
                                  headers};
  call.route = snapshot->routes->Match(view);
  if (call.route == nullptr) {
    return ServeNoRoute(call, *snapshot);
  }
  call.record.route = call.route->name;
  call.record.virtual_host = call.route->virtual_host->name();
  return snapshot->actions[call.route->index]->Run(call);
}

net::Task<void> Proxy::ServeNoRoute(Call& call, const Snapshot& snapshot) {
  const http::RequestHead& request = call.request();
  const routing::HeaderListLookup headers(request.headers);
  const routing::RequestView view{request.method, request.authority, call.path, request.query,
                                  headers};
  http::Problem problem(
      404, "NR", StrCat("no route for ", request.method, " http://", request.authority, call.path));
  problem.why = routing::NoRouteWhy(*snapshot.routes, view);
  co_await Fail(call, std::move(problem));
}

void Proxy::Identify(Call& call) {
  http::HeaderList& headers = call.request().headers;
  if (direction_ == Direction::kInbound) {
    http::AppendForwardedFor(&headers, call.exchange.caller());
  } else {
    http::RemovePillionHeaders(&headers);
  }
  if (!headers.Has(http::HeaderId::kRequestId)) {
    headers.Add(http::HeaderId::kRequestId,
                telemetry::WriteNewRequestId(headers.Allocate(telemetry::kRequestIdSize)));
  }
  if (!telemetry::ParseTraceparent(headers.Value(http::HeaderId::kTraceparent))) {
    headers.Set(http::HeaderId::kTraceparent,
                telemetry::WriteTraceparent(telemetry::NewTrace(false),
                                            headers.Allocate(telemetry::kTraceparentSize)));
  }
  const http::Version version = call.request().version;
  if (version == http::Version::kHttp11 && !headers.Has(http::HeaderId::kVia)) {
    headers.Add(http::HeaderId::kVia, via_header_);
  } else {
    http::AppendVia(&headers, version, via_);
  }
  call.record.request_id = headers.Value(http::HeaderId::kRequestId);
}

void Proxy::Begin(Call& call) {
  stats_->rq_total.Add();
  stats_->rq_active.Add();
  if (!access_log_.enabled()) return;
  const http::RequestHead& request = call.exchange.request();
  telemetry::AccessRecord& record = call.record;
  record.start_unix_micros = UnixMicros() - Micros(net::Clock::now() - call.exchange.start_time());
  record.method = request.method;
  record.authority = request.authority;
  record.path = request.target;
  record.protocol = request.version == http::Version::kHttp10 ? "HTTP/1.0" : "HTTP/1.1";
  record.downstream_address = call.exchange.caller();
  record.user_agent = request.headers.Value(http::HeaderId::kUserAgent);
}

void Proxy::End(Call& call) {
  const http::ServerExchange& exchange = call.exchange;
  const int64_t duration = Micros(net::Clock::now() - exchange.start_time());
  stats_->rq_active.Subtract();
  stats_->rq_xx.Add(exchange.response_status());
  stats_->rq_time.RecordMicros(static_cast<uint64_t>(duration));
  if (call.record.flag == "DC") stats_->rq_rx_reset.Add();
  if (!access_log_.enabled()) return;
  telemetry::AccessRecord& record = call.record;
  record.status = exchange.response_status();
  record.bytes_received = exchange.body_bytes();
  record.bytes_sent = exchange.response_bytes();
  record.duration_micros = duration;
  access_log_.Log(record);
}

}  // namespace pillion::sidecar
