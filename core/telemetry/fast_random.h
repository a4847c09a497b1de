// A fast random number generator for load balancing, jitter, request ids and span ids:
// xoshiro256** 1.0 by David Blackman and Sebastiano Vigna (https://prng.di.unimi.it/). What must
// not be guessed (operation ids) must not come from here: take the system's secure random source
// for that.
#ifndef PILLION_CORE_TELEMETRY_FAST_RANDOM_H_
#define PILLION_CORE_TELEMETRY_FAST_RANDOM_H_

#include <array>
#include <bit>
#include <cstdint>
#include <limits>

namespace pillion::telemetry {

// Threads: one. Is a uniform random bit generator, so that it can be given to the standard
// distributions.
class FastRandom {
 public:
  using result_type = uint64_t;

  // Seeded from the system (getrandom).
  FastRandom();

  // The same numbers every time, for tests. REQUIRES: not all of `state` is zero.
  explicit FastRandom(const std::array<uint64_t, 4>& state) : s_(state) {}

  // The calling thread's own. Valid while the thread lives.
  static FastRandom& OfThisThread();

  uint64_t operator()() {
    const uint64_t result = std::rotl(s_[1] * 5, 7) * 9;
    const uint64_t t = s_[1] << 17;
    s_[2] ^= s_[0];
    s_[3] ^= s_[1];
    s_[1] ^= s_[2];
    s_[0] ^= s_[3];
    s_[2] ^= t;
    s_[3] = std::rotl(s_[3], 45);
    return result;
  }

  // Uniform in [0, bound), by multiplication (Lemire); the bias is below 2^-32 for bounds below
  // 2^32. REQUIRES: bound > 0.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>((*this)()) * bound) >> 64);
  }

  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return std::numeric_limits<uint64_t>::max(); }

 private:
  std::array<uint64_t, 4> s_;
};

}  // namespace pillion::telemetry

#endif  // PILLION_CORE_TELEMETRY_FAST_RANDOM_H_
