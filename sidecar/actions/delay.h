// When an accepted call may begin: the policy's `delay`, or what the caller asks for instead with
// the header `pillion-delay`, as far as the policy's `max_delay` lets it.

#ifndef PILLION_SIDECAR_ACTIONS_DELAY_H_
#define PILLION_SIDECAR_ACTIONS_DELAY_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/http/head.h"

namespace pillion::sidecar {

inline constexpr std::string_view kDelayHeader = "pillion-delay";

struct DelayRule {
  absl::Duration delay = absl::ZeroDuration();      // of a call that does not say
  absl::Duration max_delay = absl::ZeroDuration();  // zero: a call must not say
  absl::Duration expires_after = absl::InfiniteDuration();

  // How long after its acceptance a call with these headers begins. Errors (InvalidArgument, for
  // the caller to read): the header is not allowed, is no duration or there twice, is longer than
  // max_delay, or not below expires_after.
  absl::StatusOr<absl::Duration> Of(const http::HeaderList& headers) const;
};

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_DELAY_H_
