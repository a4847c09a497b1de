#include "core/telemetry/proxy_stats.h"

#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace pillion::telemetry {
namespace {

using ::testing::HasSubstr;

TEST(ProxyStats, DownstreamHasEnvoysNamesAndSumsWorkers) {
  std::vector<DownstreamStats> workers(2);
  workers[0].rq_total.Add(2);
  workers[1].rq_total.Add(3);
  workers[0].rq_xx.Add(200);
  workers[1].rq_xx.Add(299);
  workers[1].rq_xx.Add(503);
  workers[0].cx_active.Add(4);
  workers[0].rq_time.RecordMicros(800);
  MetricsBuilder builder;
  for (const DownstreamStats& worker : workers) worker.Collect(builder, "outbound");
  const std::string page = builder.Serialize();
  EXPECT_THAT(
      page,
      HasSubstr("envoy_http_downstream_rq_total{envoy_http_conn_manager_prefix=\"outbound\"} 5\n"));
  EXPECT_THAT(
      page,
      HasSubstr(
          "envoy_http_downstream_cx_active{envoy_http_conn_manager_prefix=\"outbound\"} 4\n"));
  EXPECT_THAT(page,
              HasSubstr("envoy_http_downstream_rq_xx{envoy_http_conn_manager_prefix=\"outbound\","
                        "envoy_response_code_class=\"2\"} 2\n"));
  EXPECT_THAT(page, HasSubstr("envoy_response_code_class=\"5\"} 1\n"));
  EXPECT_THAT(
      page,
      HasSubstr("envoy_http_downstream_rq_time_bucket{envoy_http_conn_manager_prefix=\"outbound\","
                "le=\"1\"} 1\n"));
}

TEST(ProxyStats, ClusterHasEnvoysNames) {
  const auto owned = std::make_unique<ClusterStats>();
  ClusterStats& stats = *owned;
  stats.cx_connect_fail.Add();
  stats.rq_retry_overflow.Add(2);
  stats.rq_xx.Add(404);
  MetricsBuilder builder;
  stats.Collect(builder, "users");
  CollectMembership(builder, "users", 3, 2);
  const std::string page = builder.Serialize();
  EXPECT_THAT(
      page, HasSubstr("envoy_cluster_upstream_cx_connect_fail{envoy_cluster_name=\"users\"} 1\n"));
  EXPECT_THAT(
      page,
      HasSubstr("envoy_cluster_upstream_rq_retry_overflow{envoy_cluster_name=\"users\"} 2\n"));
  EXPECT_THAT(page, HasSubstr("envoy_cluster_upstream_rq_xx{envoy_cluster_name=\"users\","
                              "envoy_response_code_class=\"4\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("envoy_cluster_membership_total{envoy_cluster_name=\"users\"} 3\n"));
  EXPECT_THAT(page,
              HasSubstr("envoy_cluster_membership_healthy{envoy_cluster_name=\"users\"} 2\n"));
}

TEST(ProxyStats, ServerSaysWhetherItLives) {
  MetricsBuilder builder;
  CollectServer(builder, {.uptime_seconds = 12, .live = false, .workers = 4});
  EXPECT_THAT(builder.Serialize(), HasSubstr("envoy_server_live 0\n"));
  EXPECT_THAT(builder.Serialize(), HasSubstr("envoy_server_uptime 12\n"));
  EXPECT_THAT(builder.Serialize(), HasSubstr("envoy_server_concurrency 4\n"));
}

TEST(ResponseClasses, IgnoreStatusesThatHaveNoClass) {
  ResponseClasses classes;
  for (int status : {-1, 0, 99, 600, 1000}) classes.Add(status);
  for (int c = 1; c <= 5; ++c) EXPECT_EQ(classes.Value(c), 0u);
  classes.Add(100);
  classes.Add(599);
  EXPECT_EQ(classes.Value(1), 1u);
  EXPECT_EQ(classes.Value(5), 1u);
}

}  // namespace
}  // namespace pillion::telemetry
