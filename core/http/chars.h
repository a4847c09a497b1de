// Which bytes may stand where in HTTP/1.1: tables, and the scans that use them.
//
// Threads: constant tables and pure functions.
#ifndef PILLION_CORE_HTTP_CHARS_H_
#define PILLION_CORE_HTTP_CHARS_H_

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace pillion::http {

// Classes of a byte, as bits of kCharClass.
enum CharClass : uint8_t {
  kTokenChar = 1,  // tchar, RFC 9110 section 5.6.2
  kPathChar = 2,   // pchar, '/', and what browsers leave unescaped: [ ] { } | ^ `
  kQueryChar = 4,  // the same, '?' and backslash
  kHostChar = 8,  // of a reg-name, RFC 3986 section 3.2.2, without '%': an escape would be an alias
  kUnreservedChar = 16,  // RFC 3986 section 2.3
  kHexDigit = 32,
  kFieldChar = 64,  // of a field value: visible, obs-text, space, tab; RFC 9110 section 5.5
  kDigit = 128,
};

namespace internal {
constexpr std::array<uint8_t, 256> MakeCharClasses() {
  std::array<uint8_t, 256> table{};
  const auto add = [&table](std::string_view chars, int bits) {
    for (char c : chars) table[static_cast<uint8_t>(c)] |= static_cast<uint8_t>(bits);
  };
  constexpr int kUri = kPathChar | kQueryChar;
  add("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~",
      kUri | kHostChar | kUnreservedChar);
  add("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~", kTokenChar);
  add("!$&'()*+,;=", kUri | kHostChar);  // sub-delims
  add(":@/%[]{}|^`", kUri);
  add("?\\", kQueryChar);
  add("0123456789abcdefABCDEF", kHexDigit);
  add("0123456789", kDigit);
  for (int c = 0x20; c < 0x100; ++c) {
    if (c != 0x7f) table[static_cast<size_t>(c)] |= kFieldChar;
  }
  table['\t'] |= kFieldChar;
  return table;
}
}  // namespace internal

inline constexpr std::array<uint8_t, 256> kCharClass = internal::MakeCharClasses();

inline bool Is(char c, CharClass bits) { return (kCharClass[static_cast<uint8_t>(c)] & bits) != 0; }

// How many bytes of a class `text` begins with.
inline size_t CountLeading(std::string_view text, CharClass bits) {
  size_t count = 0;
  while (count < text.size() && Is(text[count], bits)) ++count;
  return count;
}

// True if every byte of `text` is of a class; true for "".
inline bool All(std::string_view text, CharClass bits) {
  return CountLeading(text, bits) == text.size();
}

// A method or a header name.
inline bool IsToken(std::string_view text) { return !text.empty() && All(text, kTokenChar); }

// A header value that can be sent as it is: no control characters, no white space around it.
inline bool IsFieldValue(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || c == '\t'; };
  return All(text, kFieldChar) && (text.empty() || (!space(text.front()) && !space(text.back())));
}

// Value of a hexadecimal digit. REQUIRES: Is(c, kHexDigit).
inline unsigned HexValue(char c) {
  return Is(c, kDigit) ? unsigned(c - '0') : unsigned((c | 0x20) - 'a') + 10;
}

// `text` without the spaces and tabs around it (OWS, RFC 9110 section 5.6.3).
inline std::string_view TrimOws(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || c == '\t'; };
  const char* begin = text.data();
  const char* end = begin + text.size();
  while (begin != end && space(*begin)) ++begin;
  while (begin != end && space(end[-1])) --end;
  return {begin, static_cast<size_t>(end - begin)};
}

namespace internal {

// FindControl() of eight bytes a step.
inline const char* FindControlByWords(const char* p, const char* end) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHigh = 0x8080808080808080;
  while (end - p >= 8) {
    uint64_t word;
    std::memcpy(&word, p, sizeof(word));
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    // The high bit of each byte below space or equal to DEL; exact up to the first such byte, as
    // borrows only go upwards.
    const uint64_t below_space = (word - kOnes * 0x20) & ~word;
    const uint64_t not_delete = word ^ (kOnes * 0x7f);
    const uint64_t is_delete = (not_delete - kOnes) & ~not_delete;
    const uint64_t found = (below_space | is_delete) & kHigh;
    if (found == 0) {
      p += 8;
      continue;
    }
    p += std::countr_zero(found) / 8;
    if (*p != '\t') return p;
    ++p;
  }
  while (p != end && Is(*p, kFieldChar)) ++p;
  return p;
}

}  // namespace internal

// The first control character other than tab in [p, end), or end. Looks at 16 bytes a step where
// the machine is known to: most of a head has none.
inline const char* FindControl(const char* p, const char* end) {
#ifdef __SSE2__
  while (end - p >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i below_space = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    const __m128i is_tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
    const __m128i is_delete = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
    const __m128i control = _mm_or_si128(_mm_andnot_si128(is_tab, below_space), is_delete);
    const auto found = static_cast<unsigned>(_mm_movemask_epi8(control));
    if (found != 0) return p + std::countr_zero(found);
    p += 16;
  }
#endif
  return internal::FindControlByWords(p, end);
}

// The first `c` in [p, end), or end. For what is expected within a few bytes.
inline const char* FindNear(char c, const char* p, const char* end) {
#ifdef __SSE2__
  if (end - p >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const auto found =
        static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(c))));
    if (found != 0) return p + std::countr_zero(found);
    p += 16;
  }
#endif
  return std::find(p, end, c);
}

}  // namespace pillion::http

#endif  // PILLION_CORE_HTTP_CHARS_H_
