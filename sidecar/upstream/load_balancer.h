// Choosing a host for a call: ROUND_ROBIN, LEAST_REQUEST and RANDOM, all by weight.
//
// Each worker balances by itself, with its own random numbers and what it alone has in flight; that
// is as even as one central view as soon as each worker has a few calls.

#ifndef PILLION_SIDECAR_UPSTREAM_LOAD_BALANCER_H_
#define PILLION_SIDECAR_UPSTREAM_LOAD_BALANCER_H_

#include <cstdint>
#include <vector>

#include "core/telemetry/fast_random.h"
#include "sidecar/upstream/cluster_config.h"

namespace pillion::upstream {

// What balancing has to know of a host; hosts derive from it.
struct Candidate {
  uint32_t weight = 1;  // REQUIRES: > 0
  uint32_t active = 0;  // calls in flight to it
  int64_t credit = 0;   // of ROUND_ROBIN: how overdue its turn is
};

// Candidates with what is worth knowing about them as a whole.
class CandidateSet {
 public:
  void Clear();
  void Add(Candidate& candidate);

  bool empty() const { return members_.empty(); }
  size_t size() const { return members_.size(); }
  const std::vector<Candidate*>& members() const { return members_; }
  uint64_t total_weight() const { return total_weight_; }
  // All weights are the same.
  bool uniform() const { return total_weight_ == members_.size() * uint64_t{max_weight_}; }

 private:
  std::vector<Candidate*> members_;
  uint64_t total_weight_ = 0;
  uint32_t max_weight_ = 0;
};

// Chooses one. ROUND_ROBIN is smooth: of weights 5, 1 and 1 the turns are a a b a c a a.
// LEAST_REQUEST draws two different candidates by weight and takes the one with fewer calls in
// flight for its weight, the first drawn if they are even, so that light load, too, is shared by
// weight. REQUIRES: !candidates.empty()
Candidate& Choose(LbPolicy policy, const CandidateSet& candidates, telemetry::FastRandom& random);

}  // namespace pillion::upstream

#endif  // PILLION_SIDECAR_UPSTREAM_LOAD_BALANCER_H_
