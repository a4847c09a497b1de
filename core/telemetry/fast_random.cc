#include "core/telemetry/fast_random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>

namespace pillion::telemetry {

FastRandom::FastRandom() {
  do {
    ssize_t got;
    do {
      got = getrandom(s_.data(), sizeof s_, 0);
    } while (got < 0 && errno == EINTR);
    // Requests of up to 256 bytes are never cut short, and the call has been there since
    // Linux 3.17.
    if (got != static_cast<ssize_t>(sizeof s_)) std::abort();
  } while ((s_[0] | s_[1] | s_[2] | s_[3]) == 0);
}

FastRandom& FastRandom::OfThisThread() {
  thread_local FastRandom random;
  return random;
}

}  // namespace pillion::telemetry
