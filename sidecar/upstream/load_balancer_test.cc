#include "sidecar/upstream/load_balancer.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

namespace pillion::upstream {
namespace {

class LoadBalancerTest : public testing::Test {
 protected:
  void Add(uint32_t weight, uint32_t active = 0) {
    hosts_.push_back({weight, active, 0});
    set_.Add(hosts_.back());
  }

  size_t ChooseIndex(LbPolicy policy) {
    Candidate& chosen = Choose(policy, set_, random_);
    for (size_t i = 0; i < hosts_.size(); ++i) {
      if (&hosts_[i] == &chosen) return i;
    }
    return hosts_.size();
  }

  // The share of each host in many choices.
  std::vector<double> Shares(LbPolicy policy) {
    constexpr int kChoices = 100000;
    std::vector<double> shares(hosts_.size());
    for (int i = 0; i < kChoices; ++i) shares[ChooseIndex(policy)] += 1.0 / kChoices;
    return shares;
  }

  std::deque<Candidate> hosts_;
  CandidateSet set_;
  telemetry::FastRandom random_{{1, 2, 3, 4}};
};

TEST_F(LoadBalancerTest, RoundRobinTakesTurns) {
  for (int i = 0; i < 3; ++i) Add(1);
  std::string order;
  for (int i = 0; i < 7; ++i) order += static_cast<char>('a' + ChooseIndex(LbPolicy::kRoundRobin));
  EXPECT_EQ(order, "abcabca");
}

TEST_F(LoadBalancerTest, RoundRobinSpreadsAHeavyHostsTurns) {
  for (uint32_t weight : {5, 1, 1}) Add(weight);
  std::string order;
  for (int i = 0; i < 14; ++i) order += static_cast<char>('a' + ChooseIndex(LbPolicy::kRoundRobin));
  EXPECT_EQ(order, "aabacaaaabacaa");
}

TEST_F(LoadBalancerTest, RandomSharesByWeight) {
  for (uint32_t weight : {1, 2, 7}) Add(weight);
  const std::vector<double> shares = Shares(LbPolicy::kRandom);
  EXPECT_NEAR(shares[0], 0.1, 0.01);
  EXPECT_NEAR(shares[1], 0.2, 0.01);
  EXPECT_NEAR(shares[2], 0.7, 0.01);
}

TEST_F(LoadBalancerTest, RandomOfEqualWeightsIsEven) {
  for (int i = 0; i < 4; ++i) Add(3);
  for (double share : Shares(LbPolicy::kRandom)) EXPECT_NEAR(share, 0.25, 0.01);
}

TEST_F(LoadBalancerTest, LeastRequestSharesByWeightWhileNothingIsInFlight) {
  for (uint32_t weight : {1, 3}) Add(weight);
  const std::vector<double> shares = Shares(LbPolicy::kLeastRequest);
  EXPECT_NEAR(shares[0], 0.25, 0.01);
  EXPECT_NEAR(shares[1], 0.75, 0.01);
}

TEST_F(LoadBalancerTest, LeastRequestOfEqualHostsWithoutLoadIsEven) {
  for (int i = 0; i < 5; ++i) Add(1);
  for (double share : Shares(LbPolicy::kLeastRequest)) EXPECT_NEAR(share, 0.2, 0.01);
}

TEST_F(LoadBalancerTest, LeastRequestNeverTakesTheBusiestOfAll) {
  for (uint32_t active : {10, 2, 5}) Add(1, active);
  const std::vector<double> shares = Shares(LbPolicy::kLeastRequest);
  EXPECT_EQ(shares[0], 0);
  EXPECT_NEAR(shares[1], 2.0 / 3, 0.01);  // in two of three pairs
}

TEST_F(LoadBalancerTest, LeastRequestWeighsWhatIsInFlight) {
  Add(1, 2);   // 2 for a weight of 1
  Add(10, 8);  // less than 1
  EXPECT_EQ(Shares(LbPolicy::kLeastRequest)[0], 0);
}

TEST_F(LoadBalancerTest, ASingleHostIsAlwaysTaken) {
  Add(7, 100);
  for (LbPolicy policy : {LbPolicy::kLeastRequest, LbPolicy::kRoundRobin, LbPolicy::kRandom}) {
    EXPECT_EQ(ChooseIndex(policy), 0u);
  }
}

}  // namespace
}  // namespace pillion::upstream
