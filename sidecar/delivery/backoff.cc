#include "sidecar/delivery/backoff.h"

#include <algorithm>

namespace pillion::delivery {

absl::Duration NextBackoff(const RetryPolicy& policy, int failed_attempts,
                           absl::Duration retry_after, Random& random) {
  // Past 2^40 every base of a nanosecond or more is beyond any maximum worth the name.
  const int doublings = std::clamp(failed_attempts - 1, 0, 40);
  const absl::Duration max_interval = std::max(policy.base_interval, policy.max_interval);
  const absl::Duration ceiling =
      std::min(max_interval, policy.base_interval * static_cast<double>(int64_t{1} << doublings));
  const int64_t bound = std::max<int64_t>(absl::ToInt64Microseconds(ceiling), 0);
  const absl::Duration jitter =
      absl::Microseconds(UniformBelow(random, static_cast<uint64_t>(bound)));
  return std::max(jitter, std::min(retry_after, max_interval));
}

}  // namespace pillion::delivery
