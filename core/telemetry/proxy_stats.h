// The metrics of a proxy that Envoy has, too, under Envoy's names in `/stats/prometheus`, so that
// an Envoy user's dashboards and alerts keep working. One struct per worker (and per cluster); the
// worker counts, the metrics page sums over workers.
//
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/stats
// https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats
#ifndef PILLION_CORE_TELEMETRY_PROXY_STATS_H_
#define PILLION_CORE_TELEMETRY_PROXY_STATS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/telemetry/metrics.h"

namespace pillion::telemetry {

// Answers by class, 1xx to 5xx. Threads: as Counter.
class ResponseClasses {
 public:
  // A status outside 100..599 is not counted.
  void Add(int status) {
    if (status >= 100 && status <= 599) classes_[static_cast<size_t>(status / 100 - 1)].Add();
  }
  uint64_t Value(int response_class) const {
    return classes_[static_cast<size_t>(response_class - 1)].Value();
  }

 private:
  std::array<Counter, 5> classes_;
};

// What one worker saw of the callers of one listener. Exposed as envoy_http_downstream_*, labelled
// with envoy_http_conn_manager_prefix = the listener's name.
struct alignas(kCacheLine) DownstreamStats {
  Counter cx_total;           // connections accepted
  Gauge cx_active;            // connections open
  Counter cx_overflow;        // connections refused by max_connections
  Counter cx_protocol_error;  // connections closed for a malformed request
  Counter rq_total;           // requests whose headers are complete
  Gauge rq_active;            // of these, not yet answered
  Counter rq_timeout;         // answered 408
  Counter rq_rx_reset;        // abandoned by the caller
  ResponseClasses rq_xx;      // answers sent
  Histogram rq_time;          // from the request's first byte to the answer's last

  void Collect(MetricsBuilder& builder, std::string_view listener) const;
};

// What one worker saw of one cluster. Exposed as envoy_cluster_upstream_*, labelled with
// envoy_cluster_name.
struct alignas(kCacheLine) ClusterStats {
  Counter cx_total;             // connections started
  Gauge cx_active;              // connections open
  Counter cx_connect_fail;      // of cx_total, failed to connect (time-outs included)
  Counter cx_connect_timeout;   // of cx_connect_fail, those that timed out
  Counter cx_overflow;          // not started: circuit breaker max_connections
  Counter cx_none_healthy;      // not started: no healthy endpoint
  Counter rq_total;             // attempts sent
  Gauge rq_active;              // of these, not yet answered
  Gauge rq_pending_active;      // waiting for a connection
  Counter rq_pending_overflow;  // refused: circuit breaker max_pending_requests or max_requests
  Counter rq_timeout;           // calls that ran out of time
  Counter rq_rx_reset;          // answers that the upstream broke off
  Counter rq_tx_reset;          // attempts that we broke off
  Counter rq_retry;             // retries made
  Counter rq_retry_success;     // retries that ended the call well
  Counter rq_retry_overflow;    // retries not made: circuit breaker max_retries
  ResponseClasses rq_xx;        // answers received
  Histogram rq_time;            // from sending to the answer's last byte

  void Collect(MetricsBuilder& builder, std::string_view cluster) const;
};

// Endpoints of a cluster: envoy_cluster_membership_total and _healthy. Once per cluster, not per
// worker.
void CollectMembership(MetricsBuilder& builder, std::string_view cluster, size_t total,
                       size_t healthy);

// The process: envoy_server_uptime (seconds), envoy_server_live (1, or 0 while draining),
// envoy_server_concurrency.
struct ServerState {
  double uptime_seconds = 0;
  bool live = true;
  size_t workers = 0;
};
void CollectServer(MetricsBuilder& builder, const ServerState& state);

}  // namespace pillion::telemetry

#endif  // PILLION_CORE_TELEMETRY_PROXY_STATS_H_
