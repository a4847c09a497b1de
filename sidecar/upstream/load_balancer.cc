#include "sidecar/upstream/load_balancer.h"

#include <algorithm>

#include "core/check.h"

namespace pillion::upstream {
namespace {

// One by weight, other than `excluded`, whose weight is left out of the draw.
Candidate& Draw(const CandidateSet& candidates, telemetry::FastRandom& random,
                const Candidate* excluded = nullptr) {
  const std::vector<Candidate*>& members = candidates.members();
  if (candidates.uniform()) {
    const size_t index = random.Below(members.size() - (excluded != nullptr ? 1 : 0));
    return members[index] == excluded ? *members.back() : *members[index];
  }
  uint64_t rest =
      random.Below(candidates.total_weight() - (excluded != nullptr ? excluded->weight : 0));
  for (Candidate* candidate : members) {
    if (candidate == excluded) continue;
    if (rest < candidate->weight) return *candidate;
    rest -= candidate->weight;
  }
  PILLION_CHECK(false);  // the weights add up to the total
  return *members.front();
}

Candidate& LeastRequest(const CandidateSet& candidates, telemetry::FastRandom& random) {
  Candidate& first = Draw(candidates, random);
  if (candidates.size() == 1) return first;
  Candidate& second = Draw(candidates, random, &first);
  // second.active / second.weight < first.active / first.weight
  const bool second_is_freer =
      uint64_t{second.active} * first.weight < uint64_t{first.active} * second.weight;
  return second_is_freer ? second : first;
}

// nginx's smooth weighted round robin: everyone earns its weight, the richest is chosen and pays
// the total.
Candidate& RoundRobin(const CandidateSet& candidates) {
  Candidate* chosen = nullptr;
  for (Candidate* candidate : candidates.members()) {
    candidate->credit += candidate->weight;
    if (chosen == nullptr || candidate->credit > chosen->credit) chosen = candidate;
  }
  chosen->credit -= static_cast<int64_t>(candidates.total_weight());
  return *chosen;
}

}  // namespace

void CandidateSet::Clear() {
  members_.clear();
  total_weight_ = 0;
  max_weight_ = 0;
}

void CandidateSet::Add(Candidate& candidate) {
  members_.push_back(&candidate);
  total_weight_ += candidate.weight;
  max_weight_ = std::max(max_weight_, candidate.weight);
}

Candidate& Choose(LbPolicy policy, const CandidateSet& candidates, telemetry::FastRandom& random) {
  PILLION_CHECK(!candidates.empty());
  if (candidates.size() == 1) return *candidates.members().front();
  switch (policy) {
    case LbPolicy::kRoundRobin:
      return RoundRobin(candidates);
    case LbPolicy::kRandom:
      return Draw(candidates, random);
    case LbPolicy::kLeastRequest:
      break;
  }
  return LeastRequest(candidates, random);
}

}  // namespace pillion::upstream
