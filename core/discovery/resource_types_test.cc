#include "core/discovery/resource_types.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "pillion/config/v1/policy.pb.h"

namespace pillion::discovery {
namespace {

TEST(ResourceTypes, CoverEveryListOfThePolicy) {
  const auto* policy = config::v1::Policy::descriptor();
  for (int i = 0; i < policy->field_count(); ++i) {
    const auto* field = policy->field(i);
    EXPECT_EQ(std::count_if(ResourceTypes().begin(), ResourceTypes().end(),
                            [&](const ResourceType& type) { return type.list == field; }),
              1)
        << field->full_name() << " would never reach a sidecar";
    ASSERT_NE(field->message_type()->FindFieldByName("name"), nullptr) << field->full_name();
  }
}

TEST(ResourceTypes, EndWithTheOneThatCommitsTheOthers) {
  EXPECT_EQ(PolicyVersionUrl(), "type.googleapis.com/pillion.config.v1.PolicyVersion");
  EXPECT_EQ(ShortTypeName(PolicyVersionUrl()), "PolicyVersion");
}

}  // namespace
}  // namespace pillion::discovery
