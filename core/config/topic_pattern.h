// Which topics a subscription wants.
#ifndef PILLION_CORE_CONFIG_TOPIC_PATTERN_H_
#define PILLION_CORE_CONFIG_TOPIC_PATTERN_H_

#include <string_view>

namespace pillion::config {

// Whether `topic` (dotted segments: order.changed) is one of those that `pattern` names, in which a
// segment `*` stands for any one segment and `**` for any number of them, none included. Takes time
// proportional to the product of the two lengths at worst, whatever the pattern.
bool TopicMatches(std::string_view pattern, std::string_view topic);

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_TOPIC_PATTERN_H_
