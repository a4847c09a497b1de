#include "sidecar/snapshot.h"

#include <gtest/gtest.h>

#include <memory>

#include "core/config/defaults.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/upstream/cluster_shared.h"

namespace pillion::sidecar {
namespace {

TEST(CompileSnapshot, RefusesARouteToNoCluster) {
  auto policy = std::make_shared<config::v1::Policy>();
  config::v1::VirtualHost& host = *policy->add_virtual_hosts();
  host.set_name("v");
  host.add_domains("*");
  config::v1::Route& route = *host.add_routes();
  route.set_name("all");
  route.mutable_match()->set_prefix("/");
  route.mutable_route();
  config::ApplyDefaults(policy.get());
  upstream::ClusterRegistry registry;
  const auto snapshot = CompileSnapshot(policy, "1", registry);
  ASSERT_FALSE(snapshot.ok());
  EXPECT_EQ(snapshot.status().message(), "route all: no cluster to forward to");
}

}  // namespace
}  // namespace pillion::sidecar
