#include "core/config/units.h"

#include <google/protobuf/duration.pb.h>

#include <utility>

#include "absl/strings/numbers.h"
#include "core/strings.h"

namespace pillion::config {
namespace {

constexpr std::pair<std::string_view, int> kUnits[] = {
    {"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}};

}  // namespace

std::optional<absl::Duration> ParseDuration(std::string_view text) {
  // Abseil also reads signs and "inf", which nobody should write.
  if (text.empty() || text.find_first_not_of("0123456789.numsh") != std::string_view::npos)
    return std::nullopt;
  absl::Duration duration;
  if (!absl::ParseDuration(ToAbsl(text), &duration) || duration > kMaxDuration) return std::nullopt;
  return duration;
}

std::string DurationText(absl::Duration duration) {
  return duration == absl::ZeroDuration() ? "0s" : absl::FormatDuration(duration);
}

std::optional<uint64_t> ParseSize(std::string_view text) {
  int shift = 0;
  for (const auto& [unit, bits] : kUnits) {
    if (ConsumeSuffix(text, unit)) {
      shift = bits;
      break;
    }
  }
  if (shift == 0) ConsumeSuffix(text, "B");
  uint64_t number;
  // Abseil also reads signs and white space.
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos ||
      !absl::SimpleAtoi(ToAbsl(text), &number) || number > (UINT64_MAX >> shift)) {
    return std::nullopt;
  }
  return number << shift;
}

std::string SizeText(uint64_t bytes) {
  for (const auto& [unit, bits] : kUnits) {
    if (bytes != 0 && bytes % (uint64_t{1} << bits) == 0) return StrCat(bytes >> bits, unit);
  }
  return StrCat(bytes);
}

absl::Duration ToAbslDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

void SetDuration(absl::Duration from, google::protobuf::Duration* to) {
  to->set_seconds(absl::IDivDuration(from, absl::Seconds(1), &from));
  to->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(from)));
}

}  // namespace pillion::config
