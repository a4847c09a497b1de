#include "sidecar/delivery/ulid.h"

#include <algorithm>
#include <cstdint>

namespace pillion::delivery {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr size_t kLength = 26;
constexpr size_t kTimeLength = 10;
constexpr uint64_t kMaxMillis = (uint64_t{1} << 48) - 1;

}  // namespace

std::string NewUlid(absl::Time now, Random& random) {
  const int64_t millis = std::max<int64_t>(absl::ToUnixMillis(now), 0);
  uint64_t time = std::min<uint64_t>(static_cast<uint64_t>(millis), kMaxMillis);
  uint8_t bytes[10];
  random.Fill(absl::MakeSpan(bytes));

  std::string text(kLength, '0');
  for (size_t i = kTimeLength; i-- > 0; time >>= 5) text[i] = kAlphabet[time & 31];
  // 80 bits are twice 40: 5 bytes make 8 characters.
  for (size_t half = 0; half < 2; ++half) {
    uint64_t bits = 0;
    for (size_t i = 0; i < 5; ++i) bits = bits << 8 | bytes[half * 5 + i];
    for (size_t i = 8; i-- > 0; bits >>= 5) text[kTimeLength + half * 8 + i] = kAlphabet[bits & 31];
  }
  return text;
}

bool IsUlid(std::string_view text) {
  return text.size() == kLength && text[0] <= '7' &&
         text.find_first_not_of(kAlphabet) == std::string_view::npos;
}

}  // namespace pillion::delivery
