#include "sidecar/delivery/random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace pillion::delivery {

void SecureRandom::Fill(absl::Span<uint8_t> bytes) {
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
