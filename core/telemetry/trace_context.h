// The two headers that tie the parts of one call together: `traceparent` (W3C Trace Context,
// https://www.w3.org/TR/trace-context/, section 3.2) and `x-request-id` (a version 4 UUID, RFC 9562
// section 5.4). Nothing here allocates. Threads: any; random numbers come from the calling thread's
// FastRandom.
#ifndef PILLION_CORE_TELEMETRY_TRACE_CONTEXT_H_
#define PILLION_CORE_TELEMETRY_TRACE_CONTEXT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace pillion::telemetry {

// A header value of fixed size, made on the stack.
template <size_t kSize>
struct FixedText {
  std::array<char, kSize> bytes;
  std::string_view view() const { return {bytes.data(), bytes.size()}; }
  operator std::string_view() const {
    return view();
  }  // NOLINT: it is a string in all but ownership
};

using TraceparentText = FixedText<55>;
using RequestIdText = FixedText<36>;

struct TraceContext {
  static constexpr uint8_t kSampled = 0x01;
  static constexpr uint8_t kRandomTraceId =
      0x02;  // Level 2: the trace id's last 7 bytes are random

  std::array<uint8_t, 16> trace_id{};  // never all zero
  std::array<uint8_t, 8> parent_id{};  // the span that sent it; never all zero
  uint8_t flags = 0;  // of those above; others are dropped, as section 3.2.2.5 demands

  bool sampled() const { return (flags & kSampled) != 0; }
  bool operator==(const TraceContext&) const = default;
};

// Reads a header value as section 3.2.2 says: lower-case hexadecimal only, no zero ids, version ff
// refused, exactly 55 bytes for version 00; of a later version, the first 55 bytes if the end or a
// dash follows them. nullopt means that the trace is to be restarted, and `tracestate` to be
// dropped.
std::optional<TraceContext> ParseTraceparent(std::string_view value);

// Always in version 00.
TraceparentText FormatTraceparent(const TraceContext& context);

// Begins a trace.
TraceContext NewTrace(bool sampled);

// The same trace, with a new span of ours as the parent of what is called next.
TraceContext ChildSpan(const TraceContext& context);

// Lower case, with dashes.
RequestIdText NewRequestId();

}  // namespace pillion::telemetry

#endif  // PILLION_CORE_TELEMETRY_TRACE_CONTEXT_H_
