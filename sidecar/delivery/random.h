// Where unpredictable bytes come from: ids that nobody can guess, and the jitter of retries.
#ifndef PILLION_SIDECAR_DELIVERY_RANDOM_H_
#define PILLION_SIDECAR_DELIVERY_RANDOM_H_

#include <cstdint>

#include "absl/types/span.h"

namespace pillion::delivery {

// Thread-safe.
class Random {
 public:
  virtual ~Random() = default;
  virtual void Fill(absl::Span<uint8_t> bytes) = 0;
};

// The system's secure source, getrandom(2). Ends the process if there is none: ids that can be
// guessed would open every caller's results to every other.
class SecureRandom : public Random {
 public:
  void Fill(absl::Span<uint8_t> bytes) override;
};

// Uniform in [0, bound); 0 if bound is 0.
uint64_t UniformBelow(Random& random, uint64_t bound);

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_RANDOM_H_
