// Times as people write them: 2026-01-31T12:00:00Z.
#ifndef PILLION_CORE_RFC3339_H_
#define PILLION_CORE_RFC3339_H_

#include <optional>
#include <string_view>

#include "absl/time/time.h"
#include "core/strings.h"

namespace pillion {

// RFC 3339, with any offset and fractions of a second; of the years 1 to 9999, as Protobuf's
// Timestamp has them (whose own parser aborts the process for what an offset leads out of these).
inline std::optional<absl::Time> ParseRfc3339(std::string_view text) {
  absl::Time time;
  if (!absl::ParseTime(absl::RFC3339_full, ToAbsl(text), &time, nullptr)) return std::nullopt;
  const absl::TimeZone utc = absl::UTCTimeZone();
  const bool in_range = time >= absl::FromCivil(absl::CivilSecond(1), utc) &&
                        time < absl::FromCivil(absl::CivilSecond(10000), utc);
  return in_range ? std::optional<absl::Time>(time) : std::nullopt;
}

}  // namespace pillion

#endif  // PILLION_CORE_RFC3339_H_
