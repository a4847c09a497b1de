// Counts and byte strings in the files and blobs of this folder: a number is a base-128 varint,
// least significant group first; a string is its length and its bytes.
#ifndef PILLION_SIDECAR_DELIVERY_VARINT_H_
#define PILLION_SIDECAR_DELIVERY_VARINT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pillion::delivery {

inline constexpr size_t kMaxVarintBytes = 10;

// Returns how many bytes that are.
inline size_t EncodeVarint(uint64_t number, char* bytes) {
  size_t size = 0;
  for (; number >= 0x80; number >>= 7) bytes[size++] = static_cast<char>(number | 0x80);
  bytes[size++] = static_cast<char>(number);
  return size;
}

inline void AppendVarint(std::string& encoded, uint64_t number) {
  char bytes[kMaxVarintBytes];
  encoded.append(bytes, EncodeVarint(number, bytes));
}

inline void AppendCounted(std::string& encoded, std::string_view text) {
  AppendVarint(encoded, text.size());
  encoded.append(text);
}

// These take from the beginning of `encoded`. False if that is not what stands there.
inline bool ConsumeVarint(std::string_view& encoded, uint64_t& number) {
  number = 0;
  for (int shift = 0; shift < 64 && !encoded.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(encoded.front());
    encoded.remove_prefix(1);
    number |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

inline bool ConsumeCounted(std::string_view& encoded, std::string_view& text) {
  uint64_t length = 0;
  if (!ConsumeVarint(encoded, length) || length > encoded.size()) return false;
  text = encoded.substr(0, length);
  encoded.remove_prefix(length);
  return true;
}

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_VARINT_H_
