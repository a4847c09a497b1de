// ULIDs: 26 characters, of which the first 10 are the time in milliseconds and the other 16 are 80
// random bits, in Crockford's base 32. Made later sorts later (to the millisecond), and nobody can
// guess one.
#ifndef PILLION_SIDECAR_DELIVERY_ULID_H_
#define PILLION_SIDECAR_DELIVERY_ULID_H_

#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "sidecar/delivery/random.h"

namespace pillion::delivery {

// Thread-safe as `random` is.
std::string NewUlid(absl::Time now, Random& random);

// True for the canonical form only: 26 upper-case characters, at most 7ZZZ...
bool IsUlid(std::string_view text);

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_ULID_H_
