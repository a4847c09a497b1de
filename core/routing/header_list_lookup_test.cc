#include "core/routing/header_list_lookup.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "core/http/head.h"

namespace pillion::routing {
namespace {

TEST(HeaderListLookup, FindsAHeaderInAnyLetterCaseWithoutACopy) {
  http::HeaderList list;
  const std::string value = "1";
  list.Add("X-A", value);
  std::string scratch;
  const std::optional<std::string_view> found = HeaderListLookup(list).Get("x-a", &scratch);
  ASSERT_EQ(found, "1");
  EXPECT_EQ(found->data(), value.data());
  EXPECT_EQ(HeaderListLookup(list).Get("x-b", &scratch), std::nullopt);
  EXPECT_EQ(scratch, "");
}

TEST(HeaderListLookup, JoinsLinesOfOneName) {
  http::HeaderList list;
  list.Add("X-A", "1");
  list.Add("Accept", "text/html");
  list.Add("x-a", "2");
  list.Add("accept", "*/*");
  list.Add("x-A", "");
  std::string scratch = "of before";
  EXPECT_EQ(HeaderListLookup(list).Get("x-a", &scratch), "1,2,");
  EXPECT_EQ(HeaderListLookup(list).Get("accept", &scratch), "text/html,*/*");
}

}  // namespace
}  // namespace pillion::routing
