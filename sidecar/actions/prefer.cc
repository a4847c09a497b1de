#include "sidecar/actions/prefer.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "core/strings.h"

namespace pillion::sidecar {
namespace {

constexpr uint32_t kMaxWaitSeconds = 60;

std::string_view Trim(std::string_view text) {
  return FromAbsl(absl::StripAsciiWhitespace(ToAbsl(text)));
}

// The length of the text up to `separator` outside of quoted strings.
size_t UnquotedLength(std::string_view text, char separator) {
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && text[i] == separator) {
      return i;
    }
  }
  return text.size();
}

struct Seen {
  bool respond_async = false;
  bool wait = false;
};

void Apply(std::string_view preference, Seen& seen, Preferences& result) {
  preference = preference.substr(0, UnquotedLength(preference, ';'));  // parameters
  const size_t equals = preference.find('=');
  const std::string_view name = Trim(preference.substr(0, equals));
  std::string_view value;
  if (equals != preference.npos) value = Trim(preference.substr(equals + 1));
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  if (absl::EqualsIgnoreCase(ToAbsl(name), "respond-async") && !seen.respond_async) {
    seen.respond_async = true;
    result.respond_async = true;
  } else if (absl::EqualsIgnoreCase(ToAbsl(name), "wait") && !seen.wait) {
    seen.wait = true;
    uint32_t seconds = 0;
    const bool number =
        !value.empty() && std::all_of(value.begin(), value.end(), absl::ascii_isdigit);
    if (number && absl::SimpleAtoi(ToAbsl(value), &seconds)) {
      result.wait = std::chrono::seconds(std::min(seconds, kMaxWaitSeconds));
    }
  }
}

void ApplyAll(std::string_view value, Seen& seen, Preferences& result) {
  while (!value.empty()) {
    const size_t length = UnquotedLength(value, ',');
    Apply(value.substr(0, length), seen, result);
    value.remove_prefix(std::min(length + 1, value.size()));
  }
}

}  // namespace

Preferences ParsePrefer(const http::HeaderList& headers) {
  Preferences result;
  Seen seen;
  if (!headers.Has(http::HeaderId::kPrefer)) return result;
  for (const http::Header& header : headers) {
    if (header.id == http::HeaderId::kPrefer) ApplyAll(header.value, seen, result);
  }
  return result;
}

Preferences ParsePrefer(std::string_view value) {
  Preferences result;
  Seen seen;
  ApplyAll(value, seen, result);
  return result;
}

}  // namespace pillion::sidecar
