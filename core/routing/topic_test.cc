#include "core/routing/topic.h"

#include <gtest/gtest.h>

namespace pillion::routing {
namespace {

struct Case {
  const char* pattern;
  const char* topic;
  bool matches;
};

TEST(TopicPattern, MatchesSegmentBySegment) {
  constexpr Case kCases[] = {
      {"order.changed", "order.changed", true},
      {"order.changed", "order", false},
      {"order.changed", "order.changed.twice", false},
      {"order.changed", "Order.changed", false},
      {"order.*", "order.changed", true},
      {"order.*", "order", false},
      {"order.*", "order.item.changed", false},
      {"*.changed", "order.changed", true},
      {"*", "order", true},
      {"*", "order.changed", false},
      {"**", "order", true},
      {"**", "order.item.changed", true},
      {"order.**", "order", true},
      {"order.**", "order.item.changed", true},
      {"order.**", "orders.item", false},
      {"**.changed", "changed", true},
      {"**.changed", "order.item.changed", true},
      {"**.changed", "order.item.created", false},
      {"a.**.z", "a.z", true},
      {"a.**.z", "a.b.c.z", true},
      {"a.**.z", "a.b.z.c", false},
      {"a.**.b.**.c", "a.x.b.y.b.c", true},
      {"a.**.b.**.c", "a.x.c.y.b", false},
      {"**.a.*", "a.a.a", true},
      {"**.a.*", "a.b", true},
      {"**.a.*", "a.b.c", false},
      {"**.**", "a", true},
      {"*.**.*", "a", false},
      {"*.**.*", "a.b", true},
  };
  for (const Case& c : kCases) {
    EXPECT_EQ(TopicPattern(c.pattern).Matches(c.topic), c.matches) << c.pattern << " " << c.topic;
  }
}

TEST(TopicPattern, TakesNoExponentialTime) {
  std::string pattern;
  std::string topic;
  for (int i = 0; i < 60; ++i) {
    pattern += "**.a.";
    topic += "a.";
  }
  EXPECT_FALSE(TopicPattern(pattern + "b").Matches(topic + "c"));
}

}  // namespace
}  // namespace pillion::routing
