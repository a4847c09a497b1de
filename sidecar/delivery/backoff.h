// How long to wait before the next attempt.
#ifndef PILLION_SIDECAR_DELIVERY_BACKOFF_H_
#define PILLION_SIDECAR_DELIVERY_BACKOFF_H_

#include "absl/time/time.h"
#include "sidecar/delivery/model.h"
#include "sidecar/delivery/random.h"

namespace pillion::delivery {

// Full jitter: random in [0, min(max_interval, base_interval * 2^(failed_attempts - 1))), but not
// less than `retry_after`, of which no more than max_interval counts. A max_interval below
// base_interval is taken for base_interval. REQUIRES: failed_attempts
// >= 1.
absl::Duration NextBackoff(const RetryPolicy& policy, int failed_attempts,
                           absl::Duration retry_after, Random& random);

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_BACKOFF_H_
