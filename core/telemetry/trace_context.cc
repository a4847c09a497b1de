#include "core/telemetry/trace_context.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "core/telemetry/fast_random.h"

namespace pillion::telemetry {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";
constexpr size_t kTraceparentSize = 55;  // 00-(32 digits)-(16 digits)-(2 digits)
constexpr uint8_t kKnownFlags = TraceContext::kSampled | TraceContext::kRandomTraceId;

int LowerHexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// REQUIRES: `digits` has two characters per byte of `out`.
bool ReadHex(std::string_view digits, std::span<uint8_t> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    const int high = LowerHexDigit(digits[2 * i]);
    const int low = LowerHexDigit(digits[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

char* WriteHex(std::span<const uint8_t> bytes, char* out) {
  for (uint8_t byte : bytes) {
    *out++ = kHexDigits[byte >> 4];
    *out++ = kHexDigits[byte & 15];
  }
  return out;
}

bool AllZero(std::span<const uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

void FillRandom(std::span<uint8_t> out) {
  FastRandom& random = FastRandom::OfThisThread();
  for (size_t i = 0; i < out.size(); i += sizeof(uint64_t)) {
    const uint64_t number = random();
    std::memcpy(out.data() + i, &number, std::min(sizeof number, out.size() - i));
  }
}

void FillRandomId(std::span<uint8_t> out) {
  do {
    FillRandom(out);
  } while (AllZero(out));
}

}  // namespace

std::optional<TraceContext> ParseTraceparent(std::string_view value) {
  if (value.size() < kTraceparentSize) return std::nullopt;
  if (value[2] != '-' || value[35] != '-' || value[52] != '-') return std::nullopt;
  uint8_t version;
  TraceContext context;
  if (!ReadHex(value.substr(0, 2), {&version, 1}) ||
      !ReadHex(value.substr(3, 32), context.trace_id) ||
      !ReadHex(value.substr(36, 16), context.parent_id) ||
      !ReadHex(value.substr(53, 2), {&context.flags, 1})) {
    return std::nullopt;
  }
  if (version == 0xff || AllZero(context.trace_id) || AllZero(context.parent_id))
    return std::nullopt;
  if (value.size() > kTraceparentSize && (version == 0 || value[kTraceparentSize] != '-'))
    return std::nullopt;
  context.flags &= kKnownFlags;
  return context;
}

TraceparentText FormatTraceparent(const TraceContext& context) {
  TraceparentText text;
  char* out = text.bytes.data();
  *out++ = '0';
  *out++ = '0';
  *out++ = '-';
  out = WriteHex(context.trace_id, out);
  *out++ = '-';
  out = WriteHex(context.parent_id, out);
  *out++ = '-';
  const uint8_t flags = context.flags & kKnownFlags;
  WriteHex({&flags, 1}, out);
  return text;
}

TraceContext NewTrace(bool sampled) {
  TraceContext context;
  FillRandomId(context.trace_id);
  FillRandomId(context.parent_id);
  context.flags = TraceContext::kRandomTraceId | (sampled ? TraceContext::kSampled : 0);
  return context;
}

TraceContext ChildSpan(const TraceContext& context) {
  TraceContext child = context;
  FillRandomId(child.parent_id);
  return child;
}

RequestIdText NewRequestId() {
  std::array<uint8_t, 16> uuid;
  FillRandom(uuid);
  uuid[6] = static_cast<uint8_t>((uuid[6] & 0x0f) | 0x40);  // version 4
  uuid[8] = static_cast<uint8_t>((uuid[8] & 0x3f) | 0x80);  // variant 10
  RequestIdText text;
  char* out = text.bytes.data();
  const std::span<const uint8_t> bytes(uuid);
  out = WriteHex(bytes.subspan(0, 4), out);
  for (size_t start : {4, 6, 8}) {
    *out++ = '-';
    out = WriteHex(bytes.subspan(start, 2), out);
  }
  *out++ = '-';
  WriteHex(bytes.subspan(10, 6), out);
  return text;
}

}  // namespace pillion::telemetry
