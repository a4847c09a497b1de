// Whether there is room for one more, and what a caller hears if there is none. Internal to the
// engine.
#ifndef PILLION_SIDECAR_DELIVERY_ROOM_H_
#define PILLION_SIDECAR_DELIVERY_ROOM_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "sidecar/delivery/model.h"

namespace pillion::delivery {

// FailedPrecondition if the target may not have one more delivery of so many bytes. One alone may
// have more bytes than the limit: it would never get through otherwise.
absl::Status HasRoom(const Target& target, const Backlog& backlog, const Backlog& limit,
                     int64_t bytes);

// OutOfRange: several that are to be accepted together would never have room, whenever they come.
absl::Status TooManyAtOnce(const Target& target, int64_t limit);

// ResourceExhausted: the store has reached what `option` of the bootstrap's `store` says.
absl::Status StoreIsFull(std::string_view option, int64_t limit);

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_ROOM_H_
