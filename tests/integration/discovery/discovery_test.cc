// Control's xDS server and the sidecar's client, in one process, over loopback.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "control/node_registry.h"
#include "control/resources.h"
#include "control/snapshot.h"
#include "control/xds_server.h"
#include "core/config/load.h"
#include "core/discovery/resource_types.h"
#include "envoy/service/discovery/v3/discovery.grpc.pb.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/discovery/policy_source.h"
#include "tests/integration/harness/deadline.h"

namespace pillion {
namespace {

namespace fs = std::filesystem;
using config::v1::Policy;
using envoy::service::discovery::v3::DeltaDiscoveryRequest;
using envoy::service::discovery::v3::DeltaDiscoveryResponse;
using harness::Eventually;

constexpr char kPolicy[] = R"(
clusters:
- { name: orders, endpoints: ["127.0.0.1:5001"] }
- { name: users, endpoints: ["127.0.0.1:5002"] }
virtual_hosts:
- name: orders
  domains: [orders]
  routes: [{ match: { prefix: / }, route: { cluster: orders } }]
- name: users
  domains: [users]
  routes: [{ match: { prefix: / }, route: { cluster: users } }]
)";

// Every kind of value, those that are the same as nothing included.
constexpr char kRichPolicy[] = R"(
clusters:
- name: orders
  endpoints: [{ address: "127.0.0.1:5001", weight: 2 }, "unix:/run/orders.sock"]
  lb_policy: LEAST_REQUEST
  connect_timeout: 1500ms
  circuit_breakers: { max_pending_requests: 0, max_retries: 0 }
brokers: [{ name: events, embedded: { message_retention: 1h } }, { name: bare, embedded: {} }]
subscriptions: [{ name: s, topic: "order.*", broker: events, cluster: orders, order_by_key: false }]
virtual_hosts:
- name: orders
  domains: [orders, "*.orders.local"]
  routes:
  - match:
      prefix: /
      case_sensitive: false
      methods: [POST, PUT]
      headers: [{ name: x-a, present: false }, { name: x-b, exact: "", invert: true }]
      query_parameters: [{ name: q, safe_regex: "\"<&>\u00e9" }]
    route:
      weighted_clusters: [{ name: orders, weight: 3 }]
      timeout: 0s
      retry_policy: { num_retries: 0, retriable_status_codes: [503, 504] }
      retry_buffer_bytes: 0
      request_headers_to_add: { x-c: "" }
      regex_rewrite: { pattern: "^/a", substitution: "" }
    emit: [{ topic: order.changed, broker: events }]
  - match: { path: /p }
    publish: { topic: order.wanted, broker: events, key: { header: x-k } }
  - match: { path: /d }
    direct_response: { status: 204, body: "" }
  - match: { path: /r }
    redirect: { host_redirect: elsewhere, strip_query: true }
  - match: { path_separated_prefix: /b }
    async: { cluster: orders, max_request_bytes: 512MiB, respond: { body: "{operation}" } }
)";

// kPolicy with the mode of one virtual host changed.
std::string WithOrdersAsync() {
  return absl::StrReplaceAll(kPolicy,
                             {{"route: { cluster: orders }", "async: { cluster: orders }"}});
}

// Control, without its files.
class Control {
 public:
  explicit Control(const std::string& address = "127.0.0.1:0") {
    auto server = control::XdsServer::Start(address, &registry_);
    EXPECT_TRUE(server.ok()) << server.status();
    if (server.ok()) server_ = *std::move(server);
  }

  // Returns the version. `change` makes of the policy what no YAML can say.
  std::string Publish(const std::string& yaml, void (*change)(Policy&) = nullptr) {
    auto loaded = config::LoadPolicy({config::SourceFile{"policy.yaml", yaml}});
    EXPECT_EQ(config::ToString(loaded.errors), "");
    if (change != nullptr) change(*loaded.value);
    control::Version version;
    version.id = control::PolicyId(*loaded.value);
    server_->Publish(std::make_shared<control::Snapshot>(std::move(loaded.value), version));
    return version.id;
  }

  const std::string& address() const { return server_->address(); }
  std::vector<control::NodeStatus> nodes() const { return registry_.List(); }
  // REQUIRES: one node is known.
  control::NodeStatus node() const { return registry_.List().at(0); }
  bool Runs(const std::string& version) const {
    const auto all = nodes();
    return all.size() == 1 && all[0].version_applied == version && !all[0].rejects;
  }

 private:
  control::NodeRegistry registry_;
  std::unique_ptr<control::XdsServer> server_;
};

// A sidecar, as far as its policy goes.
class Sidecar {
 public:
  struct Applied {
    std::shared_ptr<const Policy> policy;
    std::string version;
  };

  Sidecar(const std::string& control, const std::string& last_good_path,
          absl::Duration patience = absl::Minutes(1))
      : source_(discovery::FollowControl({control, "web-1", "web", last_good_path, patience},
                                         [this](auto policy, const auto& version) {
                                           return Apply(std::move(policy), version);
                                         })) {}

  // Makes the sidecar refuse every policy from now on; "" ends that.
  void Refuse(const std::string& why) {
    std::lock_guard lock(mutex_);
    refusal_ = why;
  }

  std::vector<Applied> applied() const {
    std::lock_guard lock(mutex_);
    return applied_;
  }
  bool Runs(const std::string& version) const {
    const auto all = applied();
    return !all.empty() && all.back().version == version;
  }
  discovery::SourceState state() const { return source_->state(); }
  void WantCluster(const std::string& name) { source_->WantCluster(name); }

 private:
  absl::Status Apply(std::shared_ptr<const Policy> policy, const std::string& version) {
    std::lock_guard lock(mutex_);
    if (!refusal_.empty()) return absl::InvalidArgumentError(refusal_);
    applied_.push_back({std::move(policy), version});
    return absl::OkStatus();
  }

  mutable std::mutex mutex_;
  std::vector<Applied> applied_;
  std::string refusal_;
  std::unique_ptr<discovery::PolicySource> source_;
};

// An xDS client that does as it is told: for what travels, byte by byte.
class BareClient {
 public:
  explicit BareClient(const std::string& address)
      : stub_(envoy::service::discovery::v3::AggregatedDiscoveryService::NewStub(
            grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))),
        stream_(stub_->DeltaAggregatedResources(&context_)) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  }
  ~BareClient() {
    context_.TryCancel();
    if (!finished_) Finish();
  }

  void SubscribeToAll(const std::string& node_id) {
    for (const auto& type : discovery::ResourceTypes()) {
      DeltaDiscoveryRequest request;
      request.set_type_url(type.url);
      request.mutable_node()->set_id(node_id);
      request.mutable_node()->set_cluster("web");
      stream_->Write(request);
    }
  }

  // The names of all that arrives up to the next PolicyVersion.
  std::string NextPolicy() {
    std::string line;
    DeltaDiscoveryResponse response;
    while (stream_->Read(&response)) {
      line += std::string(discovery::ShortTypeName(response.type_url()));
      for (const auto& resource : response.resources()) line += " " + resource.name();
      for (const auto& name : response.removed_resources()) line += " -" + name;
      line += "\n";
      if (response.type_url() == discovery::PolicyVersionUrl()) return line;
    }
    return line + "(end)";
  }

  grpc::Status SendWithoutNode() {
    DeltaDiscoveryRequest request;
    request.set_type_url(discovery::PolicyVersionUrl());
    stream_->Write(request);
    return Finish();
  }

 private:
  grpc::Status Finish() {
    DeltaDiscoveryResponse response;
    while (stream_->Read(&response)) continue;
    finished_ = true;
    return stream_->Finish();
  }

  grpc::ClientContext context_;
  std::unique_ptr<envoy::service::discovery::v3::AggregatedDiscoveryService::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<DeltaDiscoveryRequest, DeltaDiscoveryResponse>> stream_;
  bool finished_ = false;
};

// The names of the clusters in the newest policy of a sidecar.
std::string Clusters(const Sidecar& sidecar) {
  std::string names;
  for (const auto& cluster : sidecar.applied().back().policy->clusters()) {
    absl::StrAppend(&names, names.empty() ? "" : " ", cluster.name());
  }
  return names;
}

class DiscoveryTest : public testing::Test {
 protected:
  DiscoveryTest() {
    std::string name = fs::path(testing::TempDir()) / "discoveryXXXXXX";
    root_ = mkdtemp(name.data());
    last_good_ = root_ / "store/policy.json";
  }
  ~DiscoveryTest() override { fs::remove_all(root_); }

  // Puts what no file can replace where the copy is to be, or takes it away.
  void ObstructCopy() { fs::create_directories(fs::path(last_good_) / "in the way"); }
  void ClearCopy() { fs::remove_all(last_good_); }

  fs::path root_;
  std::string last_good_;
};

TEST_F(DiscoveryTest, ASidecarGetsThePolicyAndControlKnowsThatItRunsIt) {
  Control control;
  const std::string version = control.Publish(kPolicy);
  Sidecar sidecar(control.address(), last_good_);
  ASSERT_TRUE(Eventually([&] { return control.Runs(version); }));

  ASSERT_EQ(sidecar.applied().size(), 1u);
  const Policy& policy = *sidecar.applied()[0].policy;
  EXPECT_EQ(policy.virtual_hosts_size(), 2);
  EXPECT_EQ(policy.clusters_size(), 2);
  EXPECT_EQ(policy.clusters(0).connect_timeout().seconds(), 1) << "defaults are filled in";
  EXPECT_EQ(control.node().id, "web-1");
  EXPECT_EQ(control.node().service, "web");
  EXPECT_EQ(control.node().version_sent, version);
  EXPECT_TRUE(absl::StartsWith(control.node().address, "127.0.0.1:")) << control.node().address;
  EXPECT_TRUE(sidecar.state().connected);
  EXPECT_EQ(sidecar.state().version, version);
  EXPECT_EQ(sidecar.state().last_error, "");
}

TEST_F(DiscoveryTest, AnEditReachesTheSidecar) {
  Control control;
  control.Publish(kPolicy);
  Sidecar sidecar(control.address(), last_good_);
  ASSERT_TRUE(Eventually([&] { return !sidecar.applied().empty(); }));
  const std::string version = control.Publish(WithOrdersAsync());
  ASSERT_TRUE(Eventually([&] { return control.Runs(version); }));
  EXPECT_EQ(sidecar.applied().size(), 2u);
  EXPECT_TRUE(sidecar.applied()[1].policy->virtual_hosts(0).routes(0).has_async());
}

TEST_F(DiscoveryTest, OnlyWhatChangedTravels) {
  Control control;
  control.Publish(kPolicy);
  BareClient client(control.address());
  client.SubscribeToAll("bare");
  EXPECT_EQ(client.NextPolicy(),
            "Cluster orders users\nVirtualHost orders users\nPolicyVersion policy\n");
  control.Publish(WithOrdersAsync());
  EXPECT_EQ(client.NextPolicy(), "VirtualHost orders\nPolicyVersion policy\n");
}

TEST_F(DiscoveryTest, WhatDoesNotConcernAServiceTellsItTheVersionAlone) {
  Control control;
  control.Publish(kPolicy);
  BareClient client(control.address());
  client.SubscribeToAll("bare");
  client.NextPolicy();
  control.Publish(std::string(kPolicy) +
                  "- { name: hidden, domains: [hidden], source_services: [admin],\n"
                  "    routes: [{ match: { prefix: / }, route: { cluster: users } }] }\n");
  EXPECT_EQ(client.NextPolicy(), "PolicyVersion policy\n");
}

TEST_F(DiscoveryTest, ARefusedPolicyIsShownWithItsReasonAndTheLastGoodOneStays) {
  Control control;
  const std::string good = control.Publish(kPolicy);
  Sidecar sidecar(control.address(), last_good_);
  ASSERT_TRUE(Eventually([&] { return control.Runs(good); }));

  sidecar.Refuse("port 5001 is haunted");
  const std::string bad = control.Publish(WithOrdersAsync());
  ASSERT_TRUE(Eventually([&] { return control.node().rejects; }));
  EXPECT_EQ(control.node().rejection->reason, "port 5001 is haunted");
  EXPECT_EQ(control.node().rejection->version, bad);
  EXPECT_EQ(control.node().version_applied, good);
  EXPECT_EQ(sidecar.state().version, good);
  EXPECT_EQ(sidecar.state().last_error, "port 5001 is haunted");
  EXPECT_EQ(sidecar.state().rejected, 1u);
  EXPECT_TRUE(sidecar.state().refusing);

  sidecar.Refuse("");
  EXPECT_EQ(control.Publish(kPolicy), good);
  ASSERT_TRUE(Eventually([&] { return control.Runs(good); }));
  EXPECT_FALSE(sidecar.state().refusing);
  EXPECT_EQ(sidecar.applied().size(), 1u) << "what is in effect already is not applied again";
}

TEST_F(DiscoveryTest, APolicyRefusedAtTheStartStaysRefusedWhenTheCopyIsTaken) {
  Control control;
  const std::string good = control.Publish(kPolicy);
  {
    Sidecar sidecar(control.address(), last_good_);
    ASSERT_TRUE(Eventually([&] { return fs::exists(last_good_); }));
  }
  const auto newer = [](Policy& policy) {
    auto& cluster = *policy.mutable_clusters(0);
    cluster.GetReflection()->MutableUnknownFields(&cluster)->AddVarint(77, 1);
  };
  control.Publish(kPolicy, newer);
  Sidecar sidecar(control.address(), last_good_, absl::Milliseconds(50));
  ASSERT_TRUE(Eventually([&] { return sidecar.Runs(good) && control.node().rejects; }));
  EXPECT_TRUE(Eventually([&] { return sidecar.state().from_last_good_copy; }));
  EXPECT_TRUE(sidecar.state().refusing);
  EXPECT_TRUE(absl::StrContains(sidecar.state().last_error, "field 77"));
}

TEST_F(DiscoveryTest, ARefusalEndsWhenControlComesBackWithThePolicyInEffect) {
  auto control = std::make_unique<Control>();
  const std::string address = control->address();
  const std::string good = control->Publish(kPolicy);
  Sidecar sidecar(address, last_good_);
  ASSERT_TRUE(Eventually([&] { return control->Runs(good); }));
  sidecar.Refuse("port 5001 is haunted");
  control->Publish(WithOrdersAsync());
  ASSERT_TRUE(Eventually([&] { return sidecar.state().refusing; }));

  control.reset();
  ASSERT_TRUE(Eventually([&] { return !sidecar.state().connected; }));
  control = std::make_unique<Control>(address);
  control->Publish(kPolicy);
  EXPECT_TRUE(Eventually([&] { return control->Runs(good) && !sidecar.state().refusing; }));
  EXPECT_EQ(sidecar.applied().size(), 1u);
}

TEST_F(DiscoveryTest, APolicyThatSaysWhatTheSidecarDoesNotKnowIsRefused) {
  Control control;
  const std::string good = control.Publish(kPolicy);
  Sidecar sidecar(control.address(), last_good_);
  ASSERT_TRUE(Eventually([&] { return control.Runs(good); }));
  control.Publish(kPolicy, [](Policy& policy) {
    auto& match = *policy.mutable_virtual_hosts(1)->mutable_routes(0)->mutable_match();
    match.GetReflection()->MutableUnknownFields(&match)->AddVarint(99, 1);
  });
  ASSERT_TRUE(Eventually([&] { return control.node().rejects; }));
  EXPECT_EQ(control.node().rejection->reason,
            "VirtualHost 'users' says what this sidecar does not know (routes[0].match: field 99): "
            "control is newer than this sidecar: update it");
  EXPECT_EQ(sidecar.state().version, good);

  const std::string known = control.Publish(WithOrdersAsync());
  EXPECT_TRUE(Eventually([&] { return control.Runs(known); }));
}

TEST_F(DiscoveryTest, AClusterThatADeliveryNeedsComesBeyondWhatTheRoutesNeed) {
  Control control;
  control.Publish(WithOrdersAsync());
  auto sidecar = std::make_unique<Sidecar>(control.address(), last_good_);
  const std::string edited = absl::StrReplaceAll(
      kPolicy, {{"route: { cluster: orders }", "publish: { topic: order.wanted }"}});
  const std::string version = control.Publish(edited);
  ASSERT_TRUE(Eventually([&] { return control.Runs(version) && sidecar->Runs(version); }));
  EXPECT_EQ(Clusters(*sidecar), "users");

  sidecar->WantCluster("orders");
  EXPECT_TRUE(Eventually([&] { return Clusters(*sidecar) == "orders users"; }));
  EXPECT_TRUE(sidecar->Runs(version));

  // Its edits come, too, and it is in the copy.
  const std::string moved = control.Publish(absl::StrReplaceAll(edited, {{":5001", ":5009"}}));
  ASSERT_TRUE(Eventually([&] { return control.Runs(moved); }));
  EXPECT_EQ(sidecar->applied().back().policy->clusters(0).endpoints(0).address(), "127.0.0.1:5009");
  sidecar.reset();
  Sidecar restarted("127.0.0.1:1", last_good_);
  ASSERT_TRUE(Eventually([&] { return restarted.Runs(moved); }));
  EXPECT_EQ(Clusters(restarted), "orders users");
}

TEST_F(DiscoveryTest, AWantedClusterThatDoesNotExistComesWhenItDoes) {
  auto control = std::make_unique<Control>();
  const std::string address = control->address();
  const std::string without = control->Publish(kPolicy);
  Sidecar sidecar(address, last_good_);
  ASSERT_TRUE(Eventually([&] { return control->Runs(without); }));
  sidecar.WantCluster("billing");
  const std::string unused = "- { name: billing, endpoints: [\"127.0.0.1:5003\"] }\nvirtual_hosts:";
  const std::string with = absl::StrReplaceAll(kPolicy, {{"virtual_hosts:", unused}});
  EXPECT_TRUE(Eventually([&] { return control->Runs(control->Publish(with)); }));
  EXPECT_TRUE(Eventually([&] { return Clusters(sidecar) == "billing orders users"; }));

  // Wishes end with the stream: what is wanted still is asked for again, also while there is none.
  control.reset();
  ASSERT_TRUE(Eventually([&] { return !sidecar.state().connected; }));
  sidecar.WantCluster("audit");
  control = std::make_unique<Control>(address);
  control->Publish(absl::StrReplaceAll(with, {{"billing", "audit"}}));
  EXPECT_TRUE(Eventually([&] { return Clusters(sidecar) == "audit orders users"; }));
}

TEST_F(DiscoveryTest, NothingIsSentAgainWhenControlComesBack) {
  auto control = std::make_unique<Control>();
  const std::string address = control->address();
  const std::string version = control->Publish(kPolicy);
  Sidecar sidecar(address, last_good_);
  ASSERT_TRUE(Eventually([&] { return control->Runs(version); }));

  control.reset();
  ASSERT_TRUE(Eventually([&] { return !sidecar.state().connected; }));
  EXPECT_EQ(sidecar.state().version, version);
  EXPECT_TRUE(absl::StrContains(sidecar.state().last_error, address)) << sidecar.state().last_error;

  control = std::make_unique<Control>(address);
  control->Publish(kPolicy);
  ASSERT_TRUE(Eventually([&] { return control->Runs(version); }));
  EXPECT_EQ(control->node().version_sent, "");
  EXPECT_EQ(sidecar.applied().size(), 1u);
  EXPECT_TRUE(Eventually([&] { return sidecar.state().connected; }));
}

TEST_F(DiscoveryTest, AnEditMadeWhileControlWasAwayArrivesAfterwards) {
  auto control = std::make_unique<Control>();
  const std::string address = control->address();
  const std::string before = control->Publish(kPolicy);
  Sidecar sidecar(address, last_good_);
  ASSERT_TRUE(Eventually([&] { return sidecar.Runs(before); }));
  control.reset();
  control = std::make_unique<Control>(address);
  const std::string after = control->Publish(WithOrdersAsync());
  EXPECT_TRUE(Eventually([&] { return sidecar.Runs(after); }));
}

TEST_F(DiscoveryTest, ASidecarThatStartsWithoutControlTakesTheLastGoodCopy) {
  auto control = std::make_unique<Control>();
  const std::string address = control->address();
  const std::string version = control->Publish(kPolicy);
  {
    Sidecar sidecar(address, last_good_);
    ASSERT_TRUE(Eventually([&] { return control->Runs(version) && fs::exists(last_good_); }));
  }
  control.reset();

  Sidecar sidecar(address, last_good_);
  ASSERT_TRUE(Eventually([&] { return sidecar.Runs(version); }));
  EXPECT_TRUE(sidecar.state().from_last_good_copy);
  EXPECT_EQ(sidecar.applied()[0].policy->virtual_hosts_size(), 2);

  control = std::make_unique<Control>(address);
  control->Publish(kPolicy);
  ASSERT_TRUE(Eventually([&] { return control->Runs(version); }));
  EXPECT_EQ(control->node().version_sent, "") << "the copy is good enough to start from";
}

TEST_F(DiscoveryTest, ASidecarThatStartsWithControlDoesNotTakeTheCopy) {
  Control control;
  control.Publish(kPolicy);
  {
    Sidecar sidecar(control.address(), last_good_);
    ASSERT_TRUE(Eventually([&] { return fs::exists(last_good_); }));
  }
  const std::string version = control.Publish(WithOrdersAsync());
  Sidecar sidecar(control.address(), last_good_);
  ASSERT_TRUE(Eventually([&] { return !sidecar.applied().empty(); }));
  EXPECT_EQ(sidecar.applied()[0].version, version);
  EXPECT_FALSE(sidecar.state().from_last_good_copy);
}

TEST_F(DiscoveryTest, AControlThatHasNoPolicyDoesNotKeepASidecarWaiting) {
  std::string version;
  {
    Control control;
    version = control.Publish(kPolicy);
    Sidecar sidecar(control.address(), last_good_);
    ASSERT_TRUE(Eventually([&] { return fs::exists(last_good_); }));
  }
  Control without_policy;
  Sidecar sidecar(without_policy.address(), last_good_, absl::Milliseconds(50));
  ASSERT_TRUE(Eventually([&] { return sidecar.Runs(version); }));
  EXPECT_TRUE(sidecar.state().from_last_good_copy);
}

TEST_F(DiscoveryTest, ACopyThatCannotBeReadIsIgnoredAndReplaced) {
  fs::create_directories(fs::path(last_good_).parent_path());
  std::ofstream(last_good_) << "{ not json";
  Control control;
  const std::string version = control.Publish(kPolicy);
  Sidecar sidecar(control.address(), last_good_);
  ASSERT_TRUE(Eventually([&] { return control.Runs(version); }));
  EXPECT_TRUE(Eventually([&] {
    std::ifstream file(last_good_);
    return absl::StrContains(std::string(std::istreambuf_iterator<char>(file), {}), version);
  }));
}

TEST_F(DiscoveryTest, ACopyThatCannotBeWrittenIsReportedAndChangesNothing) {
  std::ofstream(root_ / "store") << "a file where the directory should be";
  Control control;
  const std::string version = control.Publish(kPolicy);
  Sidecar sidecar(control.address(), last_good_);
  EXPECT_TRUE(Eventually([&] {
    return absl::StrContains(sidecar.state().last_error, "cannot keep the last good policy");
  }));
  EXPECT_TRUE(Eventually([&] { return control.Runs(version); }));
}

TEST_F(DiscoveryTest, ACopyIsWrittenAsSoonAsTheDiskAllowsItAndTheErrorShownUntilThen) {
  ObstructCopy();
  auto control = std::make_unique<Control>();
  const std::string address = control->address();
  const std::string version = control->Publish(kPolicy);
  Sidecar sidecar(address, last_good_);
  ASSERT_TRUE(Eventually([&] { return control->Runs(version); }));
  control.reset();
  ASSERT_TRUE(Eventually([&] { return !sidecar.state().connected; }));
  control = std::make_unique<Control>(address);
  control->Publish(kPolicy);
  ASSERT_TRUE(Eventually([&] { return control->Runs(version); }));
  EXPECT_TRUE(absl::StrContains(sidecar.state().last_error, "cannot keep the last good policy"))
      << sidecar.state().last_error;

  ClearCopy();
  EXPECT_TRUE(Eventually([&] { return sidecar.state().last_error.empty(); }));
  EXPECT_TRUE(fs::is_regular_file(last_good_));
}

TEST_F(DiscoveryTest, ACopyThatSaysSomethingElseThanItsVersionIsNotUsed) {
  Control control;
  control.Publish(kPolicy);
  {
    Sidecar sidecar(control.address(), last_good_);
    ASSERT_TRUE(Eventually([&] { return fs::exists(last_good_); }));
  }
  std::string text;
  {
    std::ifstream file(last_good_);
    text = absl::StrReplaceAll(std::string(std::istreambuf_iterator<char>(file), {}),
                               {{"127.0.0.1:5001", "127.0.0.1:6001"}});
  }
  std::ofstream(last_good_) << text;
  Sidecar without_control("127.0.0.1:1", last_good_);
  ASSERT_TRUE(Eventually([&] { return !without_control.state().last_error.empty(); }));
  EXPECT_TRUE(without_control.applied().empty());
  Sidecar sidecar(control.address(), last_good_);
  ASSERT_TRUE(Eventually([&] { return !sidecar.applied().empty(); }));
  EXPECT_EQ(sidecar.applied()[0].policy->clusters(0).endpoints(0).address(), "127.0.0.1:5001");
}

TEST_F(DiscoveryTest, ACopyKeepsWhateverAPolicyCanSay) {
  std::string version;
  {
    Control control;
    version = control.Publish(kRichPolicy);
    Sidecar sidecar(control.address(), last_good_);
    ASSERT_TRUE(Eventually([&] { return control.Runs(version) && fs::exists(last_good_); }));
  }
  Sidecar sidecar("127.0.0.1:1", last_good_);
  EXPECT_TRUE(Eventually([&] { return sidecar.Runs(version); }));
}

TEST_F(DiscoveryTest, ASidecarStopsPromptlyWhileControlIsAway) {
  Sidecar* sidecar = new Sidecar("127.0.0.1:1", last_good_);
  ASSERT_TRUE(Eventually([&] { return !sidecar->state().last_error.empty(); }));
  const absl::Time start = absl::Now();
  delete sidecar;
  EXPECT_LT(absl::Now() - start, absl::Seconds(2));
}

TEST_F(DiscoveryTest, TwoConnectionsOfOneNodeIdAreBothShownAndMarked) {
  Control control;
  control.Publish(kPolicy);
  std::optional<BareClient> first(std::in_place, control.address());
  first->SubscribeToAll("twin");
  first->NextPolicy();
  BareClient second(control.address());
  second.SubscribeToAll("twin");
  second.NextPolicy();
  ASSERT_EQ(control.nodes().size(), 2u);
  EXPECT_TRUE(control.nodes()[0].duplicate);
  EXPECT_TRUE(control.nodes()[1].duplicate);
  first.reset();
  ASSERT_TRUE(Eventually([&] { return control.nodes().size() == 1; }));
  EXPECT_FALSE(control.node().duplicate);
}

TEST_F(DiscoveryTest, ANodeThatLeavesIsShownAsAway) {
  Control control;
  const std::string version = control.Publish(kPolicy);
  {
    Sidecar sidecar(control.address(), last_good_);
    ASSERT_TRUE(Eventually([&] { return control.Runs(version); }));
  }
  ASSERT_TRUE(Eventually([&] { return control.node().disconnected_at.has_value(); }));
  EXPECT_EQ(control.node().version_applied, version);
}

TEST_F(DiscoveryTest, AStreamWithoutANodeIsRefusedWithTheReason) {
  Control control;
  BareClient client(control.address());
  const grpc::Status status = client.SendWithoutNode();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(absl::StrContains(status.error_message(), "node.id")) << status.error_message();
}

TEST_F(DiscoveryTest, APortInUseIsAnErrorThatNamesIt) {
  Control control;
  control::NodeRegistry registry;
  auto second = control::XdsServer::Start(control.address(), &registry);
  ASSERT_FALSE(second.ok());
  EXPECT_TRUE(absl::StrContains(second.status().message(), control.address())) << second.status();
  EXPECT_TRUE(absl::StrContains(second.status().message(), "in use")) << second.status();
}

TEST_F(DiscoveryTest, FiftyEditsInARowEndWithTheLast) {
  Control control;
  control.Publish(kPolicy);
  Sidecar sidecar(control.address(), last_good_);
  std::string last;
  for (int i = 1; i <= 50; ++i) {
    last = control.Publish(absl::StrReplaceAll(kPolicy, {{":5001", absl::StrCat(":", 5100 + i)}}));
  }
  ASSERT_TRUE(Eventually([&] { return control.Runs(last); }));
  EXPECT_TRUE(sidecar.Runs(last));
}

TEST_F(DiscoveryTest, FilesAreFollowedAndMistakesChangeNothing) {
  const std::string path = root_ / "policy.yaml";
  std::ofstream(path) << kPolicy;
  std::mutex mutex;
  std::vector<std::shared_ptr<const Policy>> applied;
  auto source =
      discovery::WatchPolicyFiles({path}, last_good_, [&](auto policy, const std::string&) {
        std::lock_guard lock(mutex);
        applied.push_back(std::move(policy));
        return absl::OkStatus();
      });
  ASSERT_TRUE(Eventually([&] { return source->state().applied == 1; }));
  const std::string version = source->state().version;

  std::ofstream(path) << absl::StrReplaceAll(kPolicy, {{"cluster: users", "cluster: user"}});
  ASSERT_TRUE(Eventually([&] { return source->state().rejected == 1; }));
  EXPECT_EQ(source->state().version, version);
  EXPECT_TRUE(absl::StrContains(source->state().last_error, "policy.yaml:11:"))
      << source->state().last_error;
  EXPECT_TRUE(absl::StrContains(source->state().last_error, "did you mean 'users'"));

  fs::remove(path);
  ASSERT_TRUE(Eventually([&] { return !source->state().connected; }));
  EXPECT_TRUE(absl::StrContains(source->state().last_error, "no such file"));

  std::ofstream(path) << WithOrdersAsync();
  ASSERT_TRUE(Eventually([&] { return source->state().applied == 2; }));
  EXPECT_EQ(source->state().last_error, "");
  std::lock_guard lock(mutex);
  EXPECT_TRUE(applied[1]->virtual_hosts(0).routes(0).has_async());
}

TEST_F(DiscoveryTest, ASidecarThatStartsWithMistakesInItsFilesTakesTheLastGoodCopy) {
  const std::string path = root_ / "policy.yaml";
  std::mutex mutex;
  std::vector<std::string> applied;
  const auto start = [&] {
    return discovery::WatchPolicyFiles({path}, last_good_, [&](auto, const std::string& version) {
      std::lock_guard lock(mutex);
      applied.push_back(version);
      return absl::OkStatus();
    });
  };
  std::ofstream(path) << kRichPolicy;
  auto source = start();
  ASSERT_TRUE(Eventually([&] { return source->state().applied == 1; }));
  const std::string version = source->state().version;
  source.reset();

  std::ofstream(path) << "rubbish: 1\n";
  source = start();
  ASSERT_TRUE(Eventually([&] { return source->state().version == version; }));
  EXPECT_TRUE(source->state().from_last_good_copy);
  EXPECT_TRUE(source->state().refusing);
  EXPECT_TRUE(absl::StrContains(source->state().last_error, "rubbish: unknown field"))
      << source->state().last_error;
  source.reset();

  fs::remove(path);  // as a mount that is missing
  source = start();
  ASSERT_TRUE(Eventually([&] { return source->state().version == version; }));

  std::ofstream(path) << kRichPolicy;
  ASSERT_TRUE(Eventually([&] { return !source->state().from_last_good_copy; }));
  EXPECT_FALSE(source->state().refusing);
  EXPECT_EQ(source->state().last_error, "");
  std::lock_guard lock(mutex);
  EXPECT_EQ(applied.front(), version);
  EXPECT_EQ(applied.back(), version);
}

}  // namespace
}  // namespace pillion
