// A limit on the memory that many take together, little by little.

#ifndef PILLION_SIDECAR_ACTIONS_BYTE_BUDGET_H_
#define PILLION_SIDECAR_ACTIONS_BYTE_BUDGET_H_

#include <atomic>
#include <cstdint>

namespace pillion::sidecar {

// Thread-safe. Outlives its shares.
class ByteBudget {
 public:
  explicit ByteBudget(uint64_t limit) : limit_(limit) {}

  // What one of them has taken; given back at the end. One thread at a time.
  class Share {
   public:
    explicit Share(ByteBudget& budget) : budget_(budget) {}
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    ~Share() { budget_.taken_ -= bytes_; }

    // Takes more, unless all together would then have more than the limit. Who is alone may: else
    // what is larger than the limit would never get through.
    bool Grow(uint64_t bytes) {
      bytes_ += bytes;
      const uint64_t taken = budget_.taken_ += bytes;
      if (taken <= budget_.limit_ || taken == bytes_) return true;
      bytes_ -= bytes;
      budget_.taken_ -= bytes;
      return false;
    }

   private:
    ByteBudget& budget_;
    uint64_t bytes_ = 0;
  };

 private:
  const uint64_t limit_;
  std::atomic<uint64_t> taken_ = 0;
};

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_BYTE_BUDGET_H_
