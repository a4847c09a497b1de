#include "core/http/copy.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"

namespace pillion::http {
namespace {

TEST(Copy, CopiesTextOfAnySizeAndNothingElse) {
  std::string text;
  for (size_t size = 0; size <= 100; ++size) {
    // Blocks of their own size, so that the address sanitizer sees what is read or written beyond.
    const auto from = std::make_unique<char[]>(size);
    const auto to = std::make_unique<char[]>(size);
    std::copy(text.begin(), text.end(), from.get());
    EXPECT_EQ(Copy(to.get(), {from.get(), size}), to.get() + size);
    EXPECT_EQ(std::string(to.get(), size), text);
    text.push_back(static_cast<char>('!' + size));
  }
  char untouched[] = "ab";
  EXPECT_EQ(Copy(untouched, {}), untouched);
  EXPECT_STREQ(untouched, "ab");
}

}  // namespace
}  // namespace pillion::http
