#include "core/telemetry/proxy_stats.h"

namespace pillion::telemetry {
namespace {

constexpr std::string_view kClassNames[] = {"1", "2", "3", "4", "5"};

}  // namespace

void DownstreamStats::Collect(MetricsBuilder& builder, std::string_view listener) const {
  const Label label{"envoy_http_conn_manager_prefix", listener};
  const auto counter = [&](std::string_view name, std::string_view help, const Counter& value) {
    builder.AddCounter(name, help, value.Value(), {label});
  };
  const auto gauge = [&](std::string_view name, std::string_view help, const Gauge& value) {
    builder.AddGauge(name, help, static_cast<double>(value.Value()), {label});
  };
  counter("envoy_http_downstream_cx_total", "Connections accepted.", cx_total);
  gauge("envoy_http_downstream_cx_active", "Connections open.", cx_active);
  counter("envoy_http_downstream_cx_overflow", "Connections refused by max_connections.",
          cx_overflow);
  counter("envoy_http_downstream_cx_protocol_error", "Connections closed for a malformed request.",
          cx_protocol_error);
  counter("envoy_http_downstream_rq_total", "Requests received.", rq_total);
  gauge("envoy_http_downstream_rq_active", "Requests not yet answered.", rq_active);
  counter("envoy_http_downstream_rq_timeout", "Requests answered with 408.", rq_timeout);
  counter("envoy_http_downstream_rq_rx_reset", "Requests abandoned by the caller.", rq_rx_reset);
  for (int c = 1; c <= 5; ++c) {
    builder.AddCounter("envoy_http_downstream_rq_xx", "Answers sent, by class.", rq_xx.Value(c),
                       {{"envoy_response_code_class", kClassNames[c - 1]}, label});
  }
  builder.AddHistogram("envoy_http_downstream_rq_time", "Milliseconds from request to answer.",
                       rq_time, {label});
}

void ClusterStats::Collect(MetricsBuilder& builder, std::string_view cluster) const {
  const Label label{"envoy_cluster_name", cluster};
  const auto counter = [&](std::string_view name, std::string_view help, const Counter& value) {
    builder.AddCounter(name, help, value.Value(), {label});
  };
  const auto gauge = [&](std::string_view name, std::string_view help, const Gauge& value) {
    builder.AddGauge(name, help, static_cast<double>(value.Value()), {label});
  };
  counter("envoy_cluster_upstream_cx_total", "Connections started.", cx_total);
  gauge("envoy_cluster_upstream_cx_active", "Connections open.", cx_active);
  counter("envoy_cluster_upstream_cx_connect_fail", "Connections that failed to connect.",
          cx_connect_fail);
  counter("envoy_cluster_upstream_cx_connect_timeout", "Connections that timed out connecting.",
          cx_connect_timeout);
  counter("envoy_cluster_upstream_cx_overflow", "Connections not started: max_connections.",
          cx_overflow);
  counter("envoy_cluster_upstream_cx_none_healthy", "Connections not started: no healthy endpoint.",
          cx_none_healthy);
  counter("envoy_cluster_upstream_rq_total", "Attempts sent.", rq_total);
  gauge("envoy_cluster_upstream_rq_active", "Attempts not yet answered.", rq_active);
  gauge("envoy_cluster_upstream_rq_pending_active", "Attempts waiting for a connection.",
        rq_pending_active);
  counter("envoy_cluster_upstream_rq_pending_overflow", "Attempts refused by a circuit breaker.",
          rq_pending_overflow);
  counter("envoy_cluster_upstream_rq_timeout", "Calls that timed out.", rq_timeout);
  counter("envoy_cluster_upstream_rq_rx_reset", "Answers that the upstream broke off.",
          rq_rx_reset);
  counter("envoy_cluster_upstream_rq_tx_reset", "Attempts that the sidecar broke off.",
          rq_tx_reset);
  counter("envoy_cluster_upstream_rq_retry", "Retries.", rq_retry);
  counter("envoy_cluster_upstream_rq_retry_success", "Retries that succeeded.", rq_retry_success);
  counter("envoy_cluster_upstream_rq_retry_overflow", "Retries not made: max_retries.",
          rq_retry_overflow);
  for (int c = 1; c <= 5; ++c) {
    builder.AddCounter("envoy_cluster_upstream_rq_xx", "Answers received, by class.",
                       rq_xx.Value(c), {{"envoy_response_code_class", kClassNames[c - 1]}, label});
  }
  builder.AddHistogram("envoy_cluster_upstream_rq_time",
                       "Milliseconds from sending to the whole answer.", rq_time, {label});
}

void CollectMembership(MetricsBuilder& builder, std::string_view cluster, size_t total,
                       size_t healthy) {
  const Label label{"envoy_cluster_name", cluster};
  builder.AddGauge("envoy_cluster_membership_total", "Endpoints.", static_cast<double>(total),
                   {label});
  builder.AddGauge("envoy_cluster_membership_healthy", "Healthy endpoints.",
                   static_cast<double>(healthy), {label});
}

void CollectServer(MetricsBuilder& builder, const ServerState& state) {
  builder.AddGauge("envoy_server_uptime", "Seconds since the start.", state.uptime_seconds);
  builder.AddGauge("envoy_server_live", "1 while serving, 0 while draining.", state.live ? 1 : 0);
  builder.AddGauge("envoy_server_concurrency", "Workers.", static_cast<double>(state.workers));
}

}  // namespace pillion::telemetry
