#include "sidecar/actions/attempt_spec.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/strings.h"
#include "sidecar/delivery/fields.h"

namespace pillion::sidecar {
namespace {

std::string Millis(absl::Duration duration) { return StrCat(absl::ToInt64Milliseconds(duration)); }

absl::Duration ToDuration(std::string_view millis) {
  int64_t number = 0;
  (void)absl::SimpleAtoi(ToAbsl(millis), &number);
  return absl::Milliseconds(number);
}

std::string EncodeCallback(const CallbackSpec& spec) {
  std::string bytes;
  delivery::AppendField(bytes, "cluster", spec.cluster);
  delivery::AppendField(bytes, "authority", spec.authority);
  delivery::AppendField(bytes, "path", spec.path);
  delivery::AppendField(bytes, "secret_file", spec.secret_file);
  delivery::AppendField(bytes, "num_retries", StrCat(spec.retry.num_retries));
  delivery::AppendField(bytes, "base_interval", Millis(spec.retry.base_interval));
  delivery::AppendField(bytes, "max_interval", Millis(spec.retry.max_interval));
  delivery::AppendField(bytes, "timeout", Millis(spec.timeout));
  delivery::AppendField(bytes, "expires_after", Millis(spec.expires_after));
  delivery::AppendField(bytes, "retention", Millis(spec.retention));
  return bytes;
}

CallbackSpec DecodeCallback(std::string_view bytes) {
  CallbackSpec spec;
  const auto fields = delivery::DecodeFields(bytes);
  if (!fields) return spec;
  for (const auto& [name, value] : *fields) {
    if (name == "cluster") spec.cluster = value;
    if (name == "authority") spec.authority = value;
    if (name == "path") spec.path = value;
    if (name == "secret_file") spec.secret_file = value;
    if (name == "num_retries") (void)absl::SimpleAtoi(ToAbsl(value), &spec.retry.num_retries);
    if (name == "base_interval") spec.retry.base_interval = ToDuration(value);
    if (name == "max_interval") spec.retry.max_interval = ToDuration(value);
    if (name == "timeout") spec.timeout = ToDuration(value);
    if (name == "expires_after") spec.expires_after = ToDuration(value);
    if (name == "retention") spec.retention = ToDuration(value);
  }
  return spec;
}

}  // namespace

std::string Encode(const AttemptSpec& spec) {
  std::string bytes;
  auto put = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) delivery::AppendField(bytes, name, value);
  };
  put("retry_on", spec.retry_on);
  put("codes", absl::StrJoin(spec.retriable_status_codes, ","));
  put("max_result_bytes", spec.max_result_bytes == 0 ? "" : StrCat(spec.max_result_bytes));
  put("redirect", spec.redirect_when_done ? "1" : "");
  put("follow_status", spec.follow_status ? "1" : "");
  put("callback", spec.callback ? EncodeCallback(*spec.callback) : "");
  put("path", spec.path);
  put("structured", spec.structured ? "1" : "");
  put("no_payload", spec.payload ? "" : "1");
  put("authority", spec.authority);
  put("secret_file", spec.secret_file);
  return bytes;
}

AttemptSpec DecodeAttemptSpec(std::string_view bytes) {
  AttemptSpec spec;
  const auto fields = delivery::DecodeFields(bytes);
  if (!fields) return spec;
  for (const auto& [name, value] : *fields) {
    if (name == "retry_on") spec.retry_on = value;
    if (name == "follow_status") spec.follow_status = true;
    if (name == "callback") spec.callback = DecodeCallback(value);
    if (name == "path") spec.path = value;
    if (name == "authority") spec.authority = value;
    if (name == "secret_file") spec.secret_file = value;
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
