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

inline constexpr size_t kTraceparentSize = 55;
inline constexpr size_t kRequestIdSize = 36;

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

// Writes it to `out`, which has room for kTraceparentSize bytes, and returns it as a text: always
// in version 00.
std::string_view WriteTraceparent(const TraceContext& context, char* out);

// Begins a trace.
TraceContext NewTrace(bool sampled);

// The same trace, with a new span of ours as the parent of what is called next.
TraceContext ChildSpan(const TraceContext& context);

// Writes a new one to `out`, which has room for kRequestIdSize bytes, and returns it as a text:
// lower case, with dashes.
std::string_view WriteNewRequestId(char* out);

}  // namespace pillion::telemetry

#endif  // PILLION_CORE_TELEMETRY_TRACE_CONTEXT_H_
