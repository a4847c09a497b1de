#include "sidecar/actions/retry_on.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "core/strings.h"

namespace pillion::sidecar {

absl::StatusOr<RetryOn> RetryOn::Parse(std::string_view conditions,
                                       std::vector<uint32_t> status_codes) {
  static constexpr std::pair<std::string_view, uint32_t> kNames[] = {
      {"5xx", k5xx},
      {"gateway-error", kGatewayError},
      {"connect-failure", kConnectFailure},
      {"refused-stream", kRefusedStream},
      {"reset", kResetBit},
      {"retriable-4xx", kRetriable4xx},
      {"retriable-status-codes", kRetriableStatusCodes},
  };
  RetryOn result;
  result.status_codes_ = std::move(status_codes);
  for (absl::string_view part : absl::StrSplit(ToAbsl(conditions), ',')) {
    const std::string_view name = FromAbsl(absl::StripAsciiWhitespace(part));
    if (name.empty()) continue;
    const auto* found = std::find_if(std::begin(kNames), std::end(kNames),
                                     [&](const auto& known) { return known.first == name; });
    if (found == std::end(kNames)) {
      return absl::InvalidArgumentError(StrCat("retry_on: unknown condition '", name, "'"));
    }
    result.bits_ |= found->second;
  }
  return result;
}

bool RetryOn::Matches(AttemptFailure failure, bool idempotent) const {
  switch (failure) {
    case AttemptFailure::kConnect:
      return (bits_ & (kConnectFailure | k5xx | kGatewayError)) != 0;
    case AttemptFailure::kStale:
      if (idempotent && (bits_ & kRefusedStream) != 0) return true;
      return (bits_ & (kResetBit | k5xx)) != 0;
    case AttemptFailure::kReset:
    case AttemptFailure::kTimeout:
    case AttemptFailure::kProtocolError:
      return (bits_ & (kResetBit | k5xx)) != 0;
  }
  return false;
}

bool RetryOn::Matches(int status) const {
  if ((bits_ & k5xx) != 0 && status >= 500) return true;
  if ((bits_ & kGatewayError) != 0 && status >= 502 && status <= 504) return true;
  if ((bits_ & kRetriable4xx) != 0 && status == 409) return true;
  return (bits_ & kRetriableStatusCodes) != 0 &&
         std::find(status_codes_.begin(), status_codes_.end(), static_cast<uint32_t>(status)) !=
             status_codes_.end();
}

}  // namespace pillion::sidecar
