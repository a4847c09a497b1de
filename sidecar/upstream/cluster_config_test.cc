#include "sidecar/upstream/cluster_config.h"

#include <gtest/gtest.h>

#include "core/config/defaults.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::upstream {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

config::v1::Cluster Cluster(std::vector<std::string> endpoints) {
  config::v1::Cluster cluster;
  cluster.set_name("orders");
  for (const std::string& endpoint : endpoints) cluster.add_endpoints()->set_address(endpoint);
  return cluster;
}

TEST(ClusterConfig, TakesOverTheDefaultsOfTheSchema) {
  ClusterRegistry registry;
  config::v1::Cluster cluster = Cluster({"127.0.0.1:5001", "unix:/run/a.sock", "orders.local:80"});
  config::ApplyDefaults(&cluster);
  const auto config = CompileCluster(cluster, registry);
  ASSERT_TRUE(config.ok()) << config.status();
  const ClusterConfig& c = **config;
  EXPECT_EQ(c.name, "orders");
  EXPECT_EQ(LbPolicyName(c.lb_policy), "LEAST_REQUEST");
  EXPECT_EQ(c.connect_timeout, seconds(1));
  EXPECT_EQ(c.idle_timeout, seconds(30));
  EXPECT_EQ(c.circuit_breakers.max_connections, 1024u);
  EXPECT_EQ(c.circuit_breakers.max_pending_requests, 1024u);
  EXPECT_EQ(c.circuit_breakers.max_requests, 1024u);
  EXPECT_EQ(c.circuit_breakers.max_retries, 3u);
  ASSERT_EQ(c.endpoints.size(), 3u);
  EXPECT_EQ(std::get<net::Address>(c.endpoints[0].target).ToString(), "127.0.0.1:5001");
  EXPECT_EQ(c.endpoints[0].weight, 1u);
  EXPECT_TRUE(std::get<net::Address>(c.endpoints[1].target).is_unix());
  EXPECT_EQ(std::get<net::HostPort>(c.endpoints[2].target).host, "orders.local");
}

TEST(ClusterConfig, TakesOverWhatIsSet) {
  ClusterRegistry registry;
  config::v1::Cluster cluster = Cluster({"127.0.0.1:5001"});
  cluster.mutable_endpoints(0)->set_weight(7);
  cluster.set_lb_policy(config::v1::Cluster::RANDOM);
  cluster.mutable_connect_timeout()->set_nanos(250'000'000);
  cluster.mutable_circuit_breakers()->set_max_connections(2);
  config::ApplyDefaults(&cluster);
  const auto config = CompileCluster(cluster, registry);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ((*config)->endpoints[0].weight, 7u);
  EXPECT_EQ((*config)->lb_policy, LbPolicy::kRandom);
  EXPECT_EQ((*config)->connect_timeout, milliseconds(250));
  EXPECT_EQ((*config)->circuit_breakers.max_connections, 2u);
}

TEST(ClusterConfig, RefusesWhatIsNoAddress) {
  ClusterRegistry registry;
  EXPECT_EQ(CompileCluster(Cluster({"orders"}), registry).status().message(),
            "cluster 'orders': 'orders' is not an address: the port is missing (host:port)");
  EXPECT_EQ(CompileCluster(Cluster({}), registry).status().message(),
            "cluster 'orders' has no endpoints: give at least one");
}

TEST(ClusterRegistry, KeepsOneStatePerNameWhileAnybodyHoldsIt) {
  ClusterRegistry registry;
  std::shared_ptr<ClusterShared> a = registry.Get("a");
  EXPECT_TRUE(a->connections().TryTake(1));
  EXPECT_EQ(registry.Get("a"), a);
  EXPECT_NE(registry.Get("b"), a);
  a.reset();
  EXPECT_EQ(registry.Get("a")->connections().used(), 0u);
}

}  // namespace
}  // namespace pillion::upstream
