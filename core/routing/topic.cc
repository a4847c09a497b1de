#include "core/routing/topic.h"

#include <cstddef>
#include <optional>

#include "absl/strings/str_split.h"
#include "core/strings.h"

namespace pillion::routing {
namespace {

// Splits the first segment off `topic`, which becomes nullopt after the last one.
std::string_view TakeSegment(std::optional<std::string_view>* topic) {
  const size_t dot = (*topic)->find('.');
  const std::string_view segment = (*topic)->substr(0, dot);
  if (dot == std::string_view::npos) {
    topic->reset();
  } else {
    (*topic)->remove_prefix(dot + 1);
  }
  return segment;
}

}  // namespace

TopicPattern::TopicPattern(std::string_view pattern)
    : segments_(absl::StrSplit(ToAbsl(pattern), '.')) {}

// As for file name patterns: only the last `**` seen can ever need another try, one segment further
// on.
bool TopicPattern::Matches(std::string_view topic) const {
  std::optional<std::string_view> rest = topic;
  size_t next = 0;
  std::optional<size_t> after_star;  // the segment after the last `**`
  std::optional<std::string_view>
      star_rest;  // where the topic goes on if `**` took one segment more
  while (rest.has_value()) {
    if (next < segments_.size() && segments_[next] == "**") {
      after_star = ++next;
      star_rest = rest;
      continue;
    }
    std::optional<std::string_view> remaining = rest;
    const std::string_view segment = TakeSegment(&remaining);
    if (next < segments_.size() && (segments_[next] == "*" || segments_[next] == segment)) {
      ++next;
      rest = remaining;
      continue;
    }
    if (!after_star.has_value()) return false;
    TakeSegment(&star_rest);
    next = *after_star;
    rest = star_rest;
  }
  while (next < segments_.size() && segments_[next] == "**") ++next;
  return next == segments_.size();
}

}  // namespace pillion::routing
