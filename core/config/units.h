// Durations and sizes as people write them in configuration: 250ms, 15s, 10m, 24h; 64KiB, 8MiB.
//
// Threads: pure functions.
#ifndef PILLION_CORE_CONFIG_UNITS_H_
#define PILLION_CORE_CONFIG_UNITS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace google::protobuf {
class Duration;
}

namespace pillion::config {

// The longest duration that can be written.
inline constexpr absl::Duration kMaxDuration = absl::Hours(1'000'000);

// A number and a unit (ns, us, ms, s, m, h), or several as in 1h30m; fractions as in 1.5s; 0 needs
// no unit. Not negative, at most kMaxDuration. nullopt: not a duration.
std::optional<absl::Duration> ParseDuration(std::string_view text);

// The shortest text that ParseDuration reads as `duration`; "0s" for zero.
std::string DurationText(absl::Duration duration);

// A whole number of bytes, with B, KiB, MiB, GiB or TiB after it or nothing. nullopt: not a size,
// or more than 2^64 - 1 bytes.
std::optional<uint64_t> ParseSize(std::string_view text);

// The text with the largest unit that divides `bytes`.
std::string SizeText(uint64_t bytes);

// The protobuf form of durations, for everyone who reads the configuration.
absl::Duration ToAbslDuration(const google::protobuf::Duration& duration);
void SetDuration(absl::Duration from, google::protobuf::Duration* to);

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_UNITS_H_
