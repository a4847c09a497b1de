#include "sidecar/actions/delay.h"

#include <optional>

#include "core/config/units.h"
#include "core/strings.h"

namespace pillion::sidecar {

absl::StatusOr<absl::Duration> DelayRule::Of(const http::HeaderList& headers) const {
  const size_t count = headers.Count(kDelayHeader);
  if (count == 0) return delay;
  if (max_delay == absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        "this route does not let its callers choose a pillion-delay: send the call without that "
        "header, or set max_delay in the route's policy");
  }
  if (count > 1) return absl::InvalidArgumentError("the header pillion-delay is there twice");
  const std::string_view value = headers.Value(kDelayHeader);
  const std::optional<absl::Duration> asked = config::ParseDuration(value);
  if (!asked) {
    return absl::InvalidArgumentError(
        StrCat("pillion-delay '", value, "' is no duration: write it as 30s, 10m or 1h30m"));
  }
  if (*asked > max_delay) {
    return absl::InvalidArgumentError(StrCat("the pillion-delay of ", config::DurationText(*asked),
                                             " is longer than the route's max_delay of ",
                                             config::DurationText(max_delay)));
  }
  if (*asked >= expires_after) {
    return absl::InvalidArgumentError(
        StrCat("after a pillion-delay of ", config::DurationText(*asked),
               " the operation would have expired: the route's expires_after is ",
               config::DurationText(expires_after)));
  }
  return *asked;
}

}  // namespace pillion::sidecar
