#include "core/config/topic_pattern.h"

#include <gtest/gtest.h>

#include <string>

namespace pillion::config {
namespace {

TEST(TopicMatches, AsThePolicyReferenceSays) {
  struct Case {
    const char* pattern;
    const char* topic;
    bool matches;
  };
  for (const Case& c : {
           Case{"order.changed", "order.changed", true},
           {"order.changed", "order.deleted", false},
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
           {"order.**", "orders.changed", false},
           {"**.changed", "order.item.changed", true},
           {"**.changed", "changed", true},
           {"**.changed", "order.item.deleted", false},
           {"a.**.b.*.c", "a.b.b.x.c", true},
           {"a.**.b.*.c", "a.x.b.c", false},
           {"a.**.b.**.c", "a.x.c.b.c.y.c", true},
           {"or*", "order", false},
       }) {
    EXPECT_EQ(TopicMatches(c.pattern, c.topic), c.matches) << c.pattern << " " << c.topic;
  }
}

TEST(TopicMatches, DoesNotTakeExponentialTime) {
  std::string pattern, topic;
  for (int i = 0; i < 200; ++i) {
    pattern += "**.a.";
    topic += "a.a.";
  }
  EXPECT_FALSE(TopicMatches(pattern + "b", topic + "a"));
}

}  // namespace
}  // namespace pillion::config
