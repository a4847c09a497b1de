#include "core/routing/domain_table.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>

namespace pillion::routing {
namespace {

// A table of the domains in their order: the first is virtual host 0.
DomainTable TableOf(std::initializer_list<const char*> domains) {
  DomainTable table;
  size_t host = 0;
  for (const char* domain : domains) EXPECT_TRUE(table.Add(domain, {host++, 0}).ok()) << domain;
  return table;
}

TEST(DomainTable, PrefersExactThenLongestSuffixThenLongestPrefixThenAny) {
  const DomainTable table =
      TableOf({"*", "orders.*", "orders.eu.*", "*.local", "*.eu.local", "orders.eu.local"});
  EXPECT_EQ(table.Find("orders.eu.local"), 5u);
  EXPECT_EQ(table.Find("users.eu.local"), 4u);
  EXPECT_EQ(table.Find("a.users.eu.local"), 4u);
  EXPECT_EQ(table.Find("users.local"), 3u);
  EXPECT_EQ(table.Find("orders.eu.net"), 2u);
  EXPECT_EQ(table.Find("orders.us.net"), 1u);
  EXPECT_EQ(table.Find("orders"), 0u);
  EXPECT_EQ(table.Find(""), 0u);
}

TEST(DomainTable, WantsSomethingInPlaceOfAWildcard) {
  const DomainTable table = TableOf({"*.local", "orders.*"});
  EXPECT_EQ(table.Find(".local"), std::nullopt);
  EXPECT_EQ(table.Find("local"), std::nullopt);
  EXPECT_EQ(table.Find("orders."), std::nullopt);
  EXPECT_EQ(table.Find("a.local"), 0u);
  EXPECT_EQ(table.Find("orders.a"), 1u);
}

TEST(DomainTable, IgnoresLetterCase) {
  const DomainTable table = TableOf({"Orders", "*.LOCAL"});
  EXPECT_EQ(table.Find("oRDERS"), 0u);
  EXPECT_EQ(table.Find("a.Local:8080"), 1u);
}

TEST(DomainTable, IgnoresThePortUnlessADomainNamesOne) {
  const DomainTable table =
      TableOf({"orders", "orders:8080", "users:80", "*.a:81", "*:9000", "[::1]", "[::2]:82"});
  EXPECT_EQ(table.Find("orders"), 0u);
  EXPECT_EQ(table.Find("orders:1234"), 0u);
  EXPECT_EQ(table.Find("orders:8080"), 1u);
  EXPECT_EQ(table.Find("users"), 2u);
  EXPECT_EQ(table.Find("users:80"), 2u);
  EXPECT_EQ(table.Find("users:81"), std::nullopt);
  EXPECT_EQ(table.Find("x.a:81"), 3u);
  EXPECT_EQ(table.Find("x.a"), std::nullopt);
  EXPECT_EQ(table.Find("anything:9000"), 4u);
  EXPECT_EQ(table.Find("[::1]"), 5u);
  EXPECT_EQ(table.Find("[::1]:7"), 5u);
  EXPECT_EQ(table.Find("[::2]:82"), 6u);
  EXPECT_EQ(table.Find("[::2]"), std::nullopt);
}

TEST(DomainTable, PrefersTheLongerNameToThePort) {
  const DomainTable table = TableOf({"*.local:80", "*.a.local", "*:80", "*"});
  EXPECT_EQ(table.Find("x.a.local:80"), 1u);
  EXPECT_EQ(table.Find("x.b.local:80"), 0u);
  EXPECT_EQ(table.Find("x.b.local:81"), 3u);
  EXPECT_EQ(table.Find("x:80"), 2u);
}

TEST(DomainTable, TakesNoPortForThatOfHttp) {
  const DomainTable table = TableOf({"orders", "orders:80"});
  EXPECT_EQ(table.Find("orders"), 1u);
  EXPECT_EQ(table.Find("orders:"), 1u);
  EXPECT_EQ(table.Find("orders:81"), 0u);
}

TEST(DomainTable, TakesWhatIsNotAPortForNone) {
  const DomainTable table = TableOf({"orders", "orders:80"});
  for (const char* authority : {"orders:x", "orders:65616", "orders:-80"}) {
    EXPECT_EQ(table.Find(authority), 0u) << authority;
  }
}

TEST(DomainTable, FindsNobodyForAnOverlongAuthority) {
  const DomainTable table = TableOf({"*", "*.local"});
  EXPECT_EQ(table.Find(std::string(249, 'a') + ".local"), 1u);
  EXPECT_EQ(table.Find(std::string(250, 'a') + ".local"), std::nullopt);
}

TEST(DomainTable, FindsWhateverTheDots) {
  const DomainTable table = TableOf({"*.local", "a.*"});
  EXPECT_EQ(table.Find(std::string(255, '.')), std::nullopt);
  EXPECT_EQ(table.Find("a...local"), 0u);
  EXPECT_EQ(table.Find("a..."), 1u);
}

TEST(DomainTable, LooksForNobodyWhereOneTakesAll) {
  DomainTable table;
  EXPECT_EQ(table.Find("orders"), std::nullopt);
  ASSERT_TRUE(table.Add("*", {0, 0}).ok());
  for (const char* authority : {"", "orders", "ORDERS.eu.local:81", "[::1]:7", "orders:x"}) {
    EXPECT_EQ(table.Find(authority), 0u) << authority;
  }
  ASSERT_TRUE(table.Add("*:81", {1, 0}).ok());
  EXPECT_EQ(table.Find("orders:81"), 1u);
  EXPECT_EQ(table.Find("orders"), 0u);
}

TEST(DomainTable, TellsThousandsOfNamesAndPortsApart) {
  DomainTable table;
  constexpr size_t kCount = 3000;
  for (size_t i = 0; i < kCount; ++i) {
    const std::string number = std::to_string(i);
    ASSERT_TRUE(table.Add("host-" + number, {i, 0}).ok());
    ASSERT_TRUE(table.Add("*.of-" + number, {i, 1}).ok());
    ASSERT_TRUE(table.Add("in-" + number + ".*", {i, 2}).ok());
    ASSERT_TRUE(table.Add("localhost:" + std::to_string(i + 1), {i, 3}).ok());
  }
  for (size_t i = 0; i < kCount; ++i) {
    const std::string number = std::to_string(i);
    size_t domain = 0;
    for (const std::string& authority :
         {"host-" + number + ":81", "a.of-" + number, "in-" + number + ".a.b",
          "localhost:" + std::to_string(i + 1)}) {
      const auto place = table.FindPlace(authority);
      ASSERT_TRUE(place.has_value()) << authority;
      EXPECT_EQ(place->virtual_host, i) << authority;
      EXPECT_EQ(place->domain, domain++) << authority;
    }
  }
  EXPECT_EQ(table.Find("localhost:" + std::to_string(kCount + 1)), std::nullopt);
  EXPECT_EQ(table.Find("host-" + std::to_string(kCount)), std::nullopt);
}

TEST(DomainTable, RefusesADuplicate) {
  DomainTable table;
  ASSERT_TRUE(table.Add("*.local:80", {0, 0}).ok());
  ASSERT_TRUE(table.Add("*.local", {0, 1}).ok());
  EXPECT_EQ(table.Add("*.LOCAL:80", {1, 0}).ToString(),
            "ALREADY_EXISTS: duplicate domain '*.LOCAL:80'");
  for (const char* domain : {"orders", "orders:80", "orders.*", "*", "*:80"}) {
    EXPECT_TRUE(table.Add(domain, {1, 0}).ok()) << domain;
    EXPECT_FALSE(table.Add(domain, {2, 0}).ok()) << domain;
  }
}

}  // namespace
}  // namespace pillion::routing
