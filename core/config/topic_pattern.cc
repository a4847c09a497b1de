#include "core/config/topic_pattern.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace pillion::config {
namespace {

std::vector<std::string_view> Segments(std::string_view text) {
  std::vector<std::string_view> segments;
  for (size_t dot; (dot = text.find('.')) != text.npos; text.remove_prefix(dot + 1)) {
    segments.push_back(text.substr(0, dot));
  }
  segments.push_back(text);
  return segments;
}

}  // namespace

// The usual wildcard match with one point to go back to: after a later `**` matched as little as it
// can, giving more to an earlier one cannot help.
bool TopicMatches(std::string_view pattern, std::string_view topic) {
  const std::vector<std::string_view> wanted = Segments(pattern);
  const std::vector<std::string_view> given = Segments(topic);
  size_t w = 0, g = 0;
  std::optional<size_t> after_last_any;  // in `wanted`
  size_t given_to_any = 0;               // in `given`: where what the last `**` takes ends
  while (g < given.size()) {
    if (w < wanted.size() && wanted[w] == "**") {
      after_last_any = ++w;
      given_to_any = g;
    } else if (w < wanted.size() && (wanted[w] == "*" || wanted[w] == given[g])) {
      ++w;
      ++g;
    } else if (after_last_any.has_value()) {
      w = *after_last_any;
      g = ++given_to_any;
    } else {
      return false;
    }
  }
  while (w < wanted.size() && wanted[w] == "**") ++w;
  return w == wanted.size();
}

}  // namespace pillion::config
