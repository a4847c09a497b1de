#include "sidecar/delivery/random.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace pillion::delivery {

namespace {

// Of which nobody has had any yet.
struct Reserve {
  std::array<uint8_t, 256> bytes;
  size_t used = sizeof bytes;
};

void FillFromSystem(absl::Span<uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = getrandom(bytes.data(), bytes.size(), 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      std::perror("getrandom");
      std::abort();
    }
    bytes.remove_prefix(static_cast<size_t>(got));
  }
}

}  // namespace

// For an id, the system call would be most of the work.
void SecureRandom::Fill(absl::Span<uint8_t> bytes) {
  thread_local Reserve reserve;
  if (bytes.size() > reserve.bytes.size()) return FillFromSystem(bytes);
  if (bytes.size() > reserve.bytes.size() - reserve.used) {
    FillFromSystem(absl::MakeSpan(reserve.bytes));
    reserve.used = 0;
  }
  uint8_t* const taken = reserve.bytes.data() + reserve.used;
  std::copy_n(taken, bytes.size(), bytes.begin());
  std::fill_n(taken, bytes.size(), 0);
  reserve.used += bytes.size();
}

uint64_t UniformBelow(Random& random, uint64_t bound) {
  if (bound == 0) return 0;
  uint8_t bytes[8];
  random.Fill(absl::MakeSpan(bytes));
  uint64_t value = 0;
  for (uint8_t byte : bytes) value = value << 8 | byte;
  // The high half of a 128-bit product: no division, and a bias below bound / 2^64.
  return static_cast<uint64_t>((static_cast<unsigned __int128>(value) * bound) >> 64);
}

}  // namespace pillion::delivery
