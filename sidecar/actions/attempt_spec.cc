#include "sidecar/actions/attempt_spec.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/strings.h"
#include "sidecar/delivery/fields.h"

namespace pillion::sidecar {

std::string Encode(const AttemptSpec& spec) {
  std::string bytes;
  auto put = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) delivery::AppendField(bytes, name, value);
  };
  put("retry_on", spec.retry_on);
  put("codes", absl::StrJoin(spec.retriable_status_codes, ","));
  put("max_result_bytes", spec.max_result_bytes == 0 ? "" : StrCat(spec.max_result_bytes));
  put("redirect", spec.redirect_when_done ? "1" : "");
  put("path", spec.path);
  put("structured", spec.structured ? "1" : "");
  put("no_payload", spec.payload ? "" : "1");
  return bytes;
}

AttemptSpec DecodeAttemptSpec(std::string_view bytes) {
  AttemptSpec spec;
  const auto fields = delivery::DecodeFields(bytes);
  if (!fields) return spec;
  for (const auto& [name, value] : *fields) {
    if (name == "retry_on") spec.retry_on = value;
    if (name == "path") spec.path = value;
    if (name == "structured") spec.structured = true;
    if (name == "no_payload") spec.payload = false;
    if (name == "redirect") spec.redirect_when_done = true;
    if (name == "max_result_bytes") (void)absl::SimpleAtoi(ToAbsl(value), &spec.max_result_bytes);
    if (name != "codes") continue;
    for (absl::string_view code : absl::StrSplit(ToAbsl(value), ',')) {
      uint32_t number = 0;
      if (absl::SimpleAtoi(code, &number)) spec.retriable_status_codes.push_back(number);
    }
  }
  return spec;
}

}  // namespace pillion::sidecar
