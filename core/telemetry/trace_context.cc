#include "core/telemetry/trace_context.h"

#include <bit>
#include <cstring>

#include "core/telemetry/fast_random.h"
#include "core/telemetry/hex.h"

namespace pillion::telemetry {
namespace {

// 00-(32 digits)-(16 digits)-(2 digits)
constexpr size_t kTraceIdAt = 3;
constexpr size_t kParentIdAt = 36;
constexpr size_t kFlagsAt = 53;
constexpr uint8_t kKnownFlags = TraceContext::kSampled | TraceContext::kRandomTraceId;

int LowerHexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// The byte of two digits, or a negative number.
int ReadHexByte(const char* digits) {
  const int high = LowerHexDigit(digits[0]);
  const int low = LowerHexDigit(digits[1]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

template <size_t kSize>
bool AllZero(const std::array<uint8_t, kSize>& bytes) {
  return bytes == std::array<uint8_t, kSize>{};
}

template <size_t kWords>
inline std::array<uint64_t, kWords> RandomWords(FastRandom& random) {
  std::array<uint64_t, kWords> words;
  for (uint64_t& word : words) word = random();
  return words;
}

// Random, but not all zero.
template <size_t kSize>
inline void MakeId(FastRandom& random, std::array<uint8_t, kSize>* id) {
  constexpr size_t kWords = kSize / sizeof(uint64_t);
  std::array<uint64_t, kWords> words;
  do {
    words = RandomWords<kWords>(random);
  } while (words == std::array<uint64_t, kWords>{});
  *id = std::bit_cast<std::array<uint8_t, kSize>>(words);
}

}  // namespace

std::optional<TraceContext> ParseTraceparent(std::string_view value) {
  if (value.size() < kTraceparentSize) return std::nullopt;
  if (value[2] != '-' || value[35] != '-' || value[52] != '-') return std::nullopt;
  const char* const text = value.data();
  const int version = ReadHexByte(text);
  const int flags = ReadHexByte(text + kFlagsAt);
  TraceContext context;
  if (version < 0 || flags < 0 || !ReadHex8(text + kTraceIdAt, context.trace_id.data()) ||
      !ReadHex8(text + kTraceIdAt + 16, context.trace_id.data() + 8) ||
      !ReadHex8(text + kParentIdAt, context.parent_id.data())) {
    return std::nullopt;
  }
  if (version == 0xff || AllZero(context.trace_id) || AllZero(context.parent_id))
    return std::nullopt;
  if (value.size() > kTraceparentSize && (version == 0 || value[kTraceparentSize] != '-'))
    return std::nullopt;
  context.flags = static_cast<uint8_t>(flags) & kKnownFlags;
  return context;
}

std::string_view WriteTraceparent(const TraceContext& context, char* out) {
  static_assert(kKnownFlags < 10);
  std::memcpy(out, "00-", 3);
  WriteHex8(context.trace_id.data(), out + kTraceIdAt);
  WriteHex8(context.trace_id.data() + 8, out + kTraceIdAt + 16);
  out[kParentIdAt - 1] = '-';
  WriteHex8(context.parent_id.data(), out + kParentIdAt);
  out[kFlagsAt - 1] = '-';
  out[kFlagsAt] = '0';
  out[kFlagsAt + 1] = static_cast<char>('0' + (context.flags & kKnownFlags));
  return {out, kTraceparentSize};
}

TraceContext NewTrace(bool sampled) {
  FastRandom& random = FastRandom::OfThisThread();
  TraceContext context;
  MakeId(random, &context.trace_id);
  MakeId(random, &context.parent_id);
  context.flags = TraceContext::kRandomTraceId | (sampled ? TraceContext::kSampled : 0);
  return context;
}

TraceContext ChildSpan(const TraceContext& context) {
  TraceContext child = context;
  MakeId(FastRandom::OfThisThread(), &child.parent_id);
  return child;
}

std::string_view WriteNewRequestId(char* out) {
  const auto uuid =
      std::bit_cast<std::array<uint8_t, 16>>(RandomWords<2>(FastRandom::OfThisThread()));
  char digits[32];
  WriteHex8(uuid.data(), digits);
  WriteHex8(uuid.data() + 8, digits + 16);
  std::memcpy(out, digits, 8);
  std::memcpy(out + 9, digits + 8, 4);
  std::memcpy(out + 14, digits + 12, 4);
  std::memcpy(out + 19, digits + 16, 4);
  std::memcpy(out + 24, digits + 20, 12);
  out[8] = out[13] = out[18] = out[23] = '-';
  out[14] = '4';                         // the version
  out[19] = "89ab"[(uuid[8] >> 4) & 3];  // the variant: binary 10 before two random bits
  return {out, kRequestIdSize};
}

}  // namespace pillion::telemetry
