#include "sidecar/actions/byte_budget.h"

#include <optional>

#include "gtest/gtest.h"

namespace pillion::sidecar {
namespace {

TEST(ByteBudget, IsSharedAndGivenBack) {
  ByteBudget budget(100);
  std::optional<ByteBudget::Share> first(budget);
  ByteBudget::Share second(budget);
  EXPECT_TRUE(first->Grow(60));
  EXPECT_TRUE(second.Grow(40));
  EXPECT_FALSE(second.Grow(1));
  EXPECT_FALSE(first->Grow(1));
  first.reset();
  EXPECT_TRUE(second.Grow(60));
}

TEST(ByteBudget, LetsOneThatIsAloneHaveMore) {
  ByteBudget budget(100);
  ByteBudget::Share large(budget);
  EXPECT_TRUE(large.Grow(90));
  EXPECT_TRUE(large.Grow(90));
  ByteBudget::Share other(budget);
  EXPECT_FALSE(other.Grow(1));
  EXPECT_TRUE(large.Grow(1));
}

}  // namespace
}  // namespace pillion::sidecar
