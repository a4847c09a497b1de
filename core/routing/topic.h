// Topics of messages and the patterns that subscriptions take.
//
// A topic is dotted segments: order.item.changed. In a pattern a segment `*` stands for exactly one
// segment,
// `**` for any number of them, none included.
//
// Threads: a pattern is immutable; any number of threads may match.
#ifndef PILLION_CORE_ROUTING_TOPIC_H_
#define PILLION_CORE_ROUTING_TOPIC_H_

#include <string>
#include <string_view>
#include <vector>

namespace pillion::routing {

class TopicPattern {
 public:
  explicit TopicPattern(std::string_view pattern);

  // No allocation. Time is at most the product of the numbers of segments.
  bool Matches(std::string_view topic) const;

 private:
  std::vector<std::string> segments_;
};

}  // namespace pillion::routing

#endif  // PILLION_CORE_ROUTING_TOPIC_H_
