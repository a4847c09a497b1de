#include "control/delta_session.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/discovery/resource_types.h"
#include "envoy/service/discovery/v3/discovery.pb.h"

namespace pillion::control {
namespace {

using Request = DeltaSession::Request;
using Response = DeltaSession::Response;

const std::string kCluster = "type.googleapis.com/pillion.config.v1.Cluster";
const std::string kVirtualHost = "type.googleapis.com/pillion.config.v1.VirtualHost";

std::shared_ptr<const Resource> Made(const std::string& name, const std::string& version,
                                     size_t bytes = 10) {
  return std::make_shared<Resource>(Resource{name, version, std::string(bytes, 'x')});
}

Request Subscribe(const std::string& type, std::vector<std::string> names = {}) {
  Request request;
  request.set_type_url(type);
  for (const std::string& name : names) request.add_resource_names_subscribe(name);
  return request;
}

// A response as one line: "Cluster a=1 b=2 -c".
std::string Line(const Response& response) {
  std::string line(discovery::ShortTypeName(response.type_url()));
  for (const auto& resource : response.resources())
    line += " " + resource.name() + "=" + resource.version();
  for (const auto& name : response.removed_resources()) line += " -" + name;
  return line;
}

class DeltaSessionTest : public testing::Test {
 protected:
  // All that there is to say, as lines.
  std::vector<std::string> Drain() {
    std::vector<std::string> lines;
    while (session_.Next(view_, clusters_, version_, &response_)) lines.push_back(Line(response_));
    return lines;
  }

  // A policy with two clusters and a virtual host, of version `version_`.
  void SetUp() override {
    view_[kCluster]["a"] = Made("a", "1");
    view_[kCluster]["b"] = Made("b", "1");
    view_[kVirtualHost]["v"] = Made("v", "1");
    Commit("p1");
  }
  void Commit(const std::string& version) {
    version_ = version;
    view_[discovery::PolicyVersionUrl()]["policy"] = Made("policy", version);
  }
  void SubscribeToAll() {
    for (const auto& type : discovery::ResourceTypes()) session_.OnRequest(Subscribe(type.url));
  }

  DeltaSession session_;
  ResourcesByType view_;
  ResourceMap clusters_;  // beyond the view
  std::string version_;
  Response response_;
};

using Lines = std::vector<std::string>;

TEST_F(DeltaSessionTest, SaysNothingBeforeASubscription) { EXPECT_EQ(Drain(), Lines{}); }

TEST_F(DeltaSessionTest, SendsTypeByTypeAndTheVersionLast) {
  for (auto type = discovery::ResourceTypes().rbegin(); type != discovery::ResourceTypes().rend();
       ++type) {
    session_.OnRequest(Subscribe(type->url));
  }
  EXPECT_EQ(Drain(), (Lines{"Cluster a=1 b=1", "VirtualHost v=1", "PolicyVersion policy=p1"}));
  EXPECT_EQ(Drain(), Lines{});
}

TEST_F(DeltaSessionTest, SendsOnlyWhatChanged) {
  SubscribeToAll();
  Drain();
  view_[kVirtualHost]["v"] = Made("v", "2");
  view_[kCluster].erase("a");
  Commit("p2");
  EXPECT_EQ(Drain(), (Lines{"Cluster -a", "VirtualHost v=2", "PolicyVersion policy=p2"}));
}

TEST_F(DeltaSessionTest, SendsNothingToAClientThatComesBackWithAllOfIt) {
  Request clusters = Subscribe(kCluster);
  (*clusters.mutable_initial_resource_versions())["a"] = "1";
  (*clusters.mutable_initial_resource_versions())["b"] = "1";
  session_.OnRequest(clusters);
  Request version = Subscribe(discovery::PolicyVersionUrl());
  (*version.mutable_initial_resource_versions())["policy"] = "p1";
  const auto outcome = session_.OnRequest(version);
  EXPECT_EQ(Drain(), Lines{});
  EXPECT_EQ(outcome.runs_version, "p1");
}

TEST_F(DeltaSessionTest, TellsAClientThatComesBackWhatChangedMeanwhile) {
  Request clusters = Subscribe(kCluster);
  (*clusters.mutable_initial_resource_versions())["a"] = "0";
  (*clusters.mutable_initial_resource_versions())["b"] = "1";
  (*clusters.mutable_initial_resource_versions())["gone"] = "1";
  session_.OnRequest(clusters);
  EXPECT_EQ(Drain(), (Lines{"Cluster a=1 -gone"}));
}

TEST_F(DeltaSessionTest, SendsNamedResourcesAndSaysWhichDoNotExist) {
  session_.OnRequest(Subscribe(kCluster, {"a", "nope"}));
  EXPECT_EQ(Drain(), (Lines{"Cluster a=1 -nope"}));
  view_[kCluster]["nope"] = Made("nope", "1");
  EXPECT_EQ(Drain(), (Lines{"Cluster nope=1"}));
  view_[kCluster].erase("nope");
  EXPECT_EQ(Drain(), (Lines{"Cluster -nope"}));
}

TEST_F(DeltaSessionTest, SendsAClusterBeyondTheViewToAClientThatNamesItAsLongAsItDoes) {
  clusters_ = {{"a", Made("a", "1")}, {"c", Made("c", "1")}};
  SubscribeToAll();
  EXPECT_EQ(Drain(), (Lines{"Cluster a=1 b=1", "VirtualHost v=1", "PolicyVersion policy=p1"}));
  session_.OnRequest(Subscribe(kCluster, {"c", "nope"}));
  session_.OnRequest(Subscribe(discovery::PolicyVersionUrl(), {"policy"}));
  EXPECT_EQ(Drain(), (Lines{"Cluster c=1 -nope", "PolicyVersion policy=p1"}));
  clusters_["c"] = Made("c", "2");
  EXPECT_EQ(Drain(), (Lines{"Cluster c=2"}));
  view_[kCluster]["c"] = Made("c", "2");
  EXPECT_EQ(Drain(), Lines{});
  view_[kCluster].erase("c");
  EXPECT_EQ(Drain(), Lines{}) << "it is named still";
  Request unsubscribe = Subscribe(kCluster);
  unsubscribe.add_resource_names_unsubscribe("c");
  session_.OnRequest(unsubscribe);
  EXPECT_EQ(Drain(), (Lines{"Cluster -c"}));
}

TEST_F(DeltaSessionTest, FollowsSubscriptionsThatChange) {
  session_.OnRequest(Subscribe(kCluster, {"a"}));
  Drain();
  session_.OnRequest(Subscribe(kCluster, {"b"}));
  EXPECT_EQ(Drain(), (Lines{"Cluster b=1"}));
  Request unsubscribe = Subscribe(kCluster);
  unsubscribe.add_resource_names_unsubscribe("a");
  session_.OnRequest(unsubscribe);
  view_[kCluster]["a"] = Made("a", "2");
  EXPECT_EQ(Drain(), Lines{});
  session_.OnRequest(Subscribe(kCluster, {"*"}));
  EXPECT_EQ(Drain(), (Lines{"Cluster a=2"}));
}

TEST_F(DeltaSessionTest, SendsAgainWhatIsSubscribedToAgain) {
  session_.OnRequest(Subscribe(kCluster, {"a"}));
  Drain();
  session_.OnRequest(Subscribe(kCluster, {"a"}));
  EXPECT_EQ(Drain(), (Lines{"Cluster a=1"}));
}

TEST_F(DeltaSessionTest, TellsAcknowledgementFromRejectionByTheErrorDetail) {
  session_.OnRequest(Subscribe(kCluster));
  ASSERT_TRUE(session_.Next(view_, clusters_, version_, &response_));
  Request reply;
  reply.set_type_url(kCluster);
  reply.set_response_nonce(response_.nonce());
  reply.mutable_error_detail()->set_message("no such thing");
  const auto rejected = session_.OnRequest(reply).verdict;
  ASSERT_TRUE(rejected.has_value());
  EXPECT_FALSE(rejected->accepted);
  EXPECT_EQ(rejected->reason, "no such thing");
  EXPECT_EQ(rejected->policy_version, "p1");
  EXPECT_EQ(Drain(), Lines{}) << "what was rejected is not sent again until it changes";

  view_[kCluster]["a"] = Made("a", "2");
  ASSERT_TRUE(session_.Next(view_, clusters_, version_, &response_));
  reply.set_response_nonce(response_.nonce());
  reply.clear_error_detail();
  const auto accepted = session_.OnRequest(reply).verdict;
  ASSERT_TRUE(accepted.has_value());
  EXPECT_TRUE(accepted->accepted);
}

TEST_F(DeltaSessionTest, IgnoresAnAnswerToAResponseThatItDoesNotKnow) {
  session_.OnRequest(Subscribe(kCluster));
  ASSERT_TRUE(session_.Next(view_, clusters_, version_, &response_));
  Request reply;
  reply.set_type_url(kCluster);
  for (const char* nonce : {"7", "-1", "x", "99999999999999999999"}) {
    reply.set_response_nonce(nonce);
    EXPECT_FALSE(session_.OnRequest(reply).verdict.has_value()) << nonce;
  }
  reply.set_response_nonce(response_.nonce());
  EXPECT_TRUE(session_.OnRequest(reply).verdict.has_value());
  EXPECT_FALSE(session_.OnRequest(reply).verdict.has_value()) << "answered twice";
}

TEST_F(DeltaSessionTest, CutsLargeNewsIntoResponsesThatAGrpcClientAccepts) {
  view_[kCluster].clear();
  for (char name = 'a'; name <= 'e'; ++name) {
    view_[kCluster][std::string(1, name)] = Made(std::string(1, name), "1", 600 << 10);
  }
  SubscribeToAll();
  EXPECT_EQ(Drain(), (Lines{"Cluster a=1", "Cluster b=1", "Cluster c=1", "Cluster d=1",
                            "Cluster e=1", "VirtualHost v=1", "PolicyVersion policy=p1"}));
}

TEST_F(DeltaSessionTest, StartsAgainWithTheNewerPolicyWhenItChangesHalfway) {
  SubscribeToAll();
  ASSERT_TRUE(session_.Next(view_, clusters_, version_, &response_));
  EXPECT_EQ(Line(response_), "Cluster a=1 b=1");
  view_[kCluster]["a"] = Made("a", "2");
  Commit("p2");
  EXPECT_EQ(Drain(), (Lines{"Cluster a=2", "VirtualHost v=1", "PolicyVersion policy=p2"}));
}

}  // namespace
}  // namespace pillion::control
