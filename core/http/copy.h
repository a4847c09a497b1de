// Copying of text that is short more often than not: names and values of headers.
//
// Threads: pure functions.
#ifndef PILLION_CORE_HTTP_COPY_H_
#define PILLION_CORE_HTTP_COPY_H_

#include <cstddef>
#include <cstring>
#include <string_view>

namespace pillion::http {

namespace internal {
// Copies `size` bytes as the first and the last kBlock of them. REQUIRES: kBlock <= size <= 2 *
// kBlock.
template <size_t kBlock>
void CopyEnds(char* out, const char* from, size_t size) {
  std::memcpy(out, from, kBlock);
  std::memcpy(out + size - kBlock, from + size - kBlock, kBlock);
}
}  // namespace internal

// Copies `text` to `out`, where it must have room and not lie itself; returns the end of the copy.
// A call of memcpy() costs more than the few moves that a short text takes.
inline char* Copy(char* out, std::string_view text) {
  const size_t size = text.size();
  if (size > 32) {
    std::memcpy(out, text.data(), size);
  } else if (size >= 16) {
    internal::CopyEnds<16>(out, text.data(), size);
  } else if (size >= 8) {
    internal::CopyEnds<8>(out, text.data(), size);
  } else if (size >= 4) {
    internal::CopyEnds<4>(out, text.data(), size);
  } else if (size >= 2) {
    internal::CopyEnds<2>(out, text.data(), size);
  } else if (size == 1) {
    *out = text[0];
  }
  return out + size;
}

}  // namespace pillion::http

#endif  // PILLION_CORE_HTTP_COPY_H_
