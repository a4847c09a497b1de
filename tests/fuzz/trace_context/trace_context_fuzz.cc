// Fuzzes the reader of `traceparent`: whatever is accepted must be written back as it was read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/telemetry/trace_context.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using pillion::telemetry::kTraceparentSize;
  using pillion::telemetry::ParseTraceparent;
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  const auto context = ParseTraceparent(value);
  if (!context) return 0;
  char bytes[kTraceparentSize];
  const std::string_view text = WriteTraceparent(*context, bytes);
  if (ParseTraceparent(text) != context) std::abort();
  // Ids come through unchanged; version and unknown flags need not.
  if (text.substr(2, 51) != value.substr(2, 51)) std::abort();
  return 0;
}
