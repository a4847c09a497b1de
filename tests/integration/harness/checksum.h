// Content of any size that need not be kept: made piece by piece from a seed, compared by checksum.

#ifndef PILLION_TESTS_INTEGRATION_HARNESS_CHECKSUM_H_
#define PILLION_TESTS_INTEGRATION_HARNESS_CHECKSUM_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace pillion::harness {

// FNV-1a with 64 bits, over pieces in order; where the pieces are cut makes no difference.
class Checksum {
 public:
  void Add(std::string_view bytes) {
    uint64_t value = value_;
    for (const char byte : bytes)
      value = (value ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
    value_ = value;
    size_ += bytes.size();
  }
  uint64_t value() const { return value_; }
  uint64_t size() const { return size_; }  // Bytes.

 private:
  uint64_t value_ = 0xcbf29ce484222325u;
  uint64_t size_ = 0;
};

// The next piece of a body; empty when there is no more.
using BodySource = std::function<std::string()>;

// `size` bytes that look random and depend on `seed` alone, in pieces of 64 KiB.
inline BodySource RandomBody(uint64_t size, uint64_t seed) {
  return [left = size, state = seed | 1]() mutable {
    std::string piece(std::min<uint64_t>(left, 64 * 1024), '\0');
    for (char& byte : piece) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      byte = static_cast<char>(state >> 56);
    }
    left -= piece.size();
    return piece;
  };
}

}  // namespace pillion::harness

#endif  // PILLION_TESTS_INTEGRATION_HARNESS_CHECKSUM_H_
