#include "control/snapshot.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "control/resources.h"
#include "core/config/load.h"
#include "core/discovery/resource_types.h"
#include "core/strings.h"
#include "pillion/config/v1/discovery.pb.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::control {
namespace {

using Names = std::set<std::string>;

constexpr char kMesh[] = R"(
clusters:
- { name: orders, endpoints: ["127.0.0.1:1"] }
- { name: orders-canary, endpoints: ["127.0.0.1:2"] }
- { name: reports, endpoints: ["127.0.0.1:3"] }
- { name: billing, endpoints: ["127.0.0.1:4"] }
- { name: audit, endpoints: ["127.0.0.1:5"] }
- { name: secret, endpoints: ["127.0.0.1:6"] }
brokers:
- { name: events, embedded: {} }
- { name: unused, embedded: {} }
virtual_hosts:
- name: orders
  domains: [orders]
  routes:
  - match: { prefix: /reports }
    async: { cluster: reports }
  - match: { path: /signup }
    publish: { topic: user.signed-up, broker: events }
  - match: { prefix: / }
    route: { weighted_clusters: [{ name: orders, weight: 9 }, { name: orders-canary, weight: 1 }] }
    emit: [{ topic: order.changed }]
- name: secret
  domains: [secret]
  source_services: [admin]
  routes:
  - match: { prefix: / }
    route: { cluster: secret }
subscriptions:
- { name: billing-on-order, topic: order.*, cluster: billing }
- { name: audit-on-user, topic: "user.**", broker: events, cluster: audit }
- { name: other-broker, topic: user.signed-up, cluster: audit }
- { name: other-topic, topic: nobody.publishes, cluster: secret }
)";

std::unique_ptr<config::v1::Policy> Load(const std::string& yaml) {
  auto loaded = config::LoadPolicy({config::SourceFile{"policy.yaml", yaml}});
  EXPECT_EQ(config::ToString(loaded.errors), "");
  return std::move(loaded.value);
}

std::shared_ptr<const ResourcesByType> View(const std::string& yaml, const std::string& service) {
  Version version;
  version.id = "v1";
  return Snapshot(Load(yaml), version).ViewFor(service);
}

Names NamesOf(const ResourcesByType& resources, const std::string& type) {
  Names names;
  const auto found = resources.find("type.googleapis.com/pillion.config.v1." + type);
  if (found == resources.end()) return names;
  for (const auto& [name, resource] : found->second) names.insert(name);
  return names;
}

// What a sidecar makes of the resources.
config::v1::Policy Assemble(const ResourcesByType& resources) {
  config::v1::Policy policy;
  for (const auto& type : discovery::ResourceTypes()) {
    const auto of_type = resources.find(type.url);
    if (type.list == nullptr || of_type == resources.end()) continue;
    for (const auto& [name, resource] : of_type->second) {
      EXPECT_TRUE(
          policy.GetReflection()->AddMessage(&policy, type.list)->ParseFromString(resource->bytes));
    }
  }
  return policy;
}

TEST(ServiceView, HasTheVirtualHostsThatTheServiceMaySee) {
  EXPECT_EQ(NamesOf(*View(kMesh, "web"), "VirtualHost"), (Names{"orders"}));
  EXPECT_EQ(NamesOf(*View(kMesh, "admin"), "VirtualHost"), (Names{"orders", "secret"}));
}

TEST(ServiceView, HasTheClustersThatAnyActionOrSubscriptionNames) {
  EXPECT_EQ(NamesOf(*View(kMesh, "web"), "Cluster"),
            (Names{"audit", "billing", "orders", "orders-canary", "reports"}));
  EXPECT_EQ(NamesOf(*View(kMesh, "admin"), "Cluster").count("secret"), 1u);
}

TEST(ServiceView, HasTheSubscriptionsToWhatItPublishesOnTheSameBroker) {
  EXPECT_EQ(NamesOf(*View(kMesh, "web"), "Subscription"),
            (Names{"audit-on-user", "billing-on-order"}));
}

TEST(ServiceView, HasTheBrokersItUses) {
  EXPECT_EQ(NamesOf(*View(kMesh, "web"), "Broker"), (Names{"events"}));
}

TEST(ServiceView, IsAPolicyWithoutDanglingReferences) {
  for (const char* service : {"web", "admin"}) {
    EXPECT_EQ(config::ToString(config::CheckPolicy(Assemble(*View(kMesh, service)))), "")
        << service;
  }
}

TEST(ServiceView, CarriesTheVersionThatCommitsIt) {
  const auto view = View(kMesh, "web");
  const auto& resource = view->at(discovery::PolicyVersionUrl()).at("policy");
  config::v1::PolicyVersion message;
  ASSERT_TRUE(message.ParseFromString(resource->bytes));
  EXPECT_EQ(message.version(), "v1");
  EXPECT_EQ(resource->version, "v1");
}

TEST(ServiceView, OfAServiceThatSeesNothingHasTheVersionAlone) {
  const auto view = View(R"(
clusters: [{ name: c, endpoints: ["127.0.0.1:1"] }]
virtual_hosts:
- { name: v, domains: [v], source_services: [admin], routes: [{ match: { prefix: / }, route: { cluster: c } }] }
)",
                         "web");
  EXPECT_EQ(view->size(), 1u);
}

TEST(Resources, KeepTheVersionOfWhatDidNotChange) {
  auto before = Load(kMesh);
  auto after = Load(kMesh);
  after->mutable_virtual_hosts(0)->add_domains("orders.local");
  after->mutable_clusters()->RemoveLast();
  after->add_brokers()->set_name("new");
  std::string changes;
  for (const Change& change : Compare(SplitPolicy(*before), SplitPolicy(*after))) {
    const char* kinds[] = {"added", "changed", "removed"};
    changes +=
        StrCat(kinds[static_cast<int>(change.kind)], " ", change.type, " ", change.name, "\n");
  }
  EXPECT_EQ(changes, "removed Cluster secret\nadded Broker new\nchanged VirtualHost orders\n");
}

TEST(PolicyId, NamesTheContentWhateverTheOrderOfTheFiles) {
  auto before = Load(kMesh);
  auto after = Load(kMesh);
  after->mutable_clusters()->SwapElements(0, 1);
  EXPECT_EQ(PolicyId(*before), PolicyId(*after));
  after->mutable_virtual_hosts(0)->mutable_routes()->SwapElements(
      0, 1);  // the order of routes means something
  EXPECT_NE(PolicyId(*before), PolicyId(*after));
}

}  // namespace
}  // namespace pillion::control
