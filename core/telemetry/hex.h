// Lower-case hexadecimal, eight bytes at a time: GCC and Clang turn these vectors of 16 bytes into
// the machine's own, or into plain code where it has none.
//
// Threads: pure functions.
#ifndef PILLION_CORE_TELEMETRY_HEX_H_
#define PILLION_CORE_TELEMETRY_HEX_H_

#include <cstdint>
#include <cstring>

namespace pillion::telemetry {

namespace internal {
using Vector16 [[gnu::vector_size(16)]] = uint8_t;
}  // namespace internal

// Writes the 16 digits of the 8 bytes at `bytes` to `out`.
inline void WriteHex8(const uint8_t* bytes, char* out) {
  internal::Vector16 in{};
  std::memcpy(&in, bytes, 8);
  const internal::Vector16 nibbles = __builtin_shufflevector(in >> 4, in & 15, 0, 16, 1, 17, 2, 18,
                                                             3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const internal::Vector16 letter = reinterpret_cast<internal::Vector16>(nibbles > 9);
  const internal::Vector16 digits = nibbles + '0' + (letter & ('a' - '9' - 1));
  std::memcpy(out, &digits, 16);
}

// Reads 16 digits at `digits` into the 8 bytes at `out`. False, and `out` unspecified, if one is
// no lower-case hexadecimal digit.
inline bool ReadHex8(const char* digits, uint8_t* out) {
  internal::Vector16 text;
  std::memcpy(&text, digits, 16);
  const internal::Vector16 number = text - '0';  // below 10 for a digit
  const internal::Vector16 letter = text - 'a';  // below 6 for a letter
  const internal::Vector16 is_letter = reinterpret_cast<internal::Vector16>(letter < 6);
  const internal::Vector16 is_valid = reinterpret_cast<internal::Vector16>(number < 10) | is_letter;
  uint64_t valid[2];
  std::memcpy(valid, &is_valid, 16);
  if ((valid[0] & valid[1]) != ~uint64_t{0}) return false;
  const internal::Vector16 nibbles = (number & ~is_letter) | ((letter + 10) & is_letter);
  uint8_t nibble[16];
  std::memcpy(nibble, &nibbles, 16);
  for (int i = 0; i < 8; ++i) out[i] = static_cast<uint8_t>(nibble[2 * i] << 4 | nibble[2 * i + 1]);
  return true;
}

}  // namespace pillion::telemetry

#endif  // PILLION_CORE_TELEMETRY_HEX_H_
