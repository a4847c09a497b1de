#include "core/routing/route_table.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/routing/explain.h"
#include "core/routing/test_table.h"
#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::routing {
namespace {

int MatchPath(const RouteTable& table, const std::string& path) {
  return Match(table, {.path = path});
}

TEST(RouteTable, MatchesPrefixesExactPathsSeparatedPrefixesAndExpressions) {
  const auto table =
      TableOfMatches({"path: /a", "path_separated_prefix: /b", "safe_regex: \"/c/[0-9]+\"",
                      "prefix: /d", "path_separated_prefix: /e/"});
  EXPECT_EQ(MatchPath(*table, "/a"), 0);
  EXPECT_EQ(MatchPath(*table, "/a/"), -1);
  EXPECT_EQ(MatchPath(*table, "/A"), -1);
  EXPECT_EQ(MatchPath(*table, "/b"), 1);
  EXPECT_EQ(MatchPath(*table, "/b/x"), 1);
  EXPECT_EQ(MatchPath(*table, "/bx"), -1);
  EXPECT_EQ(MatchPath(*table, "/c/12"), 2);
  EXPECT_EQ(MatchPath(*table, "/c/12/"), -1);
  EXPECT_EQ(MatchPath(*table, "/d"), 3);
  EXPECT_EQ(MatchPath(*table, "/dx/y"), 3);
  EXPECT_EQ(MatchPath(*table, "/e"), -1);
  EXPECT_EQ(MatchPath(*table, "/e/"), 4);
  EXPECT_EQ(MatchPath(*table, "/e/x"), 4);
  EXPECT_EQ(MatchPath(*table, ""), -1);
  EXPECT_EQ(MatchPath(*table, "*"), -1);
}

TEST(RouteTable, TakesTheFirstRouteThatMatchesHoweverItIsFound) {
  const auto table = TableOfMatches(
      {"prefix: /a/b/c", "safe_regex: \"/a/.*\"", "path: /a/b", "prefix: /a", "prefix: /"});
  EXPECT_EQ(MatchPath(*table, "/a/b/c/d"), 0);
  EXPECT_EQ(MatchPath(*table, "/a/b"), 1);
  EXPECT_EQ(MatchPath(*table, "/a"), 3);
  EXPECT_EQ(MatchPath(*table, "/b"), 4);
}

TEST(RouteTable, IgnoresLetterCaseWhereToldTo) {
  const auto table =
      TableOfMatches({"path: /Aa, case_sensitive: false", "prefix: /Bb, case_sensitive: false",
                      "safe_regex: \"/c+\", case_sensitive: false", "prefix: /D"});
  EXPECT_EQ(MatchPath(*table, "/aA"), 0);
  EXPECT_EQ(MatchPath(*table, "/bBx"), 1);
  EXPECT_EQ(MatchPath(*table, "/CC"), 2);
  EXPECT_EQ(MatchPath(*table, "/d"), -1);
  EXPECT_EQ(MatchPath(*table, "/D"), 3);
}

TEST(RouteTable, MatchesMethods) {
  const auto table = TableOfMatches({"prefix: /, methods: [POST, PUT]", "prefix: /"});
  EXPECT_EQ(Match(*table, {.method = "PUT"}), 0);
  EXPECT_EQ(Match(*table, {.method = "put"}), 1);
  EXPECT_EQ(Match(*table, {.method = "GET"}), 1);
}

TEST(RouteTable, MatchesHeadersByEveryCondition) {
  const auto table = TableOfMatches({
      "path: /0, headers: [{ name: X-A, exact: gold }]",
      "path: /1, headers: [{ name: x-a, prefix: go }]",
      "path: /2, headers: [{ name: x-a, suffix: ld }]",
      "path: /3, headers: [{ name: x-a, contains: ol }]",
      "path: /4, headers: [{ name: x-a, safe_regex: \"g.ld\" }]",
      "path: /5, headers: [{ name: x-a, present: true }]",
      "path: /6, headers: [{ name: x-a, present: false }]",
      "path: /7, headers: [{ name: x-a, exact: gold, invert: true }]",
      "path: /8, headers: [{ name: x-a, exact: gold }, { name: x-b, exact: \"1\" }]",
      "path: /9, headers: [{ name: x-a, exact: \"\" }]",
  });
  const auto matching = [&](const Headers& headers) {
    std::string found;
    for (int i = 0; i <= 9; ++i) {
      if (Match(*table, {.path = StrCat("/", i), .headers = HeaderMap(headers)}) == i)
        found += StrCat(i);
    }
    return found;
  };
  EXPECT_EQ(matching({{"x-a", "gold"}}), "012345");
  EXPECT_EQ(matching({{"x-a", "gold"}, {"x-b", "1"}}), "0123458");
  EXPECT_EQ(matching({{"x-a", "golden"}}), "1357");
  EXPECT_EQ(matching({{"x-a", "Gold"}}), "2357");
  EXPECT_EQ(matching({{"x-a", ""}}), "579");
  EXPECT_EQ(matching({}), "67");
}

TEST(RouteTable, MatchesDecodedQueryParameters) {
  const auto table = TableOfMatches({
      "path: /0, query_parameters: [{ name: a, exact: \"b c\" }]",
      "path: /1, query_parameters: [{ name: a, present: true }]",
      "path: /2, query_parameters: [{ name: a, present: false }]",
      "path: /3, query_parameters: [{ name: \"ä&\", prefix: \"%\" }]",
      "path: /4, query_parameters: [{ name: a, contains: x, invert: true }]",
  });
  const auto matching = [&](const std::string& query) {
    std::string found;
    for (int i = 0; i <= 4; ++i) {
      if (Match(*table, {.path = StrCat("/", i), .query = query}) == i) found += StrCat(i);
    }
    return found;
  };
  EXPECT_EQ(matching("a=b%20c"), "014");
  EXPECT_EQ(matching("x=1&a=b+c&a=d"), "014");
  EXPECT_EQ(matching("a=d&a=b+c"), "14");
  EXPECT_EQ(matching("a"), "14");
  EXPECT_EQ(matching("a=x"), "1");
  EXPECT_EQ(matching("aa=b&b=a"), "24");
  EXPECT_EQ(matching("%61=b%20c"), "014");
  EXPECT_EQ(matching("%c3%A4%26=%%%2"), "234");
  EXPECT_EQ(matching(""), "24");
  EXPECT_EQ(matching("&&=&a"), "14");
}

TEST(RouteTable, KnowsRoutesByNameAndPlace) {
  const auto table = TableOf(R"(
virtual_hosts:
- { name: a, domains: [a], routes: [{ match: { prefix: / }, direct_response: { status: 200 } }] }
- { name: b, domains: [b] }
- { name: c, domains: [c], routes: [{ name: x, match: { prefix: / }, direct_response: { status: 200 } }] }
)");
  ASSERT_EQ(table->route_count(), 2u);
  EXPECT_EQ(table->route(0).name, "a/routes[0]");
  EXPECT_EQ(table->route(1).name, "x");
  EXPECT_EQ(table->route(1).virtual_host_index, 2u);
  EXPECT_EQ(table->route(1).virtual_host->name(), "c");
  EXPECT_EQ(Match(*table, {.authority = "b"}), -1);
  EXPECT_EQ(Match(*table, {.authority = "d"}), -1);
  EXPECT_EQ(Match(*table, {.authority = "c:80"}), 0);
}

TEST(RouteTable, RefusesWhatHasNoMeaningAndNamesThePlace) {
  auto policy = std::make_shared<config::v1::Policy>();
  config::v1::VirtualHost* host = policy->add_virtual_hosts();
  host->add_routes()->mutable_match()->set_prefix("/");
  host->add_routes()->mutable_match()->set_safe_regex("(");
  EXPECT_EQ(RouteTable::Compile(policy).status().ToString(),
            "INVALID_ARGUMENT: virtual_hosts[0].routes[1].match: the regular expression does not "
            "compile: missing ): (");
  host->mutable_routes(1)->mutable_match()->clear_safe_regex();
  EXPECT_EQ(
      RouteTable::Compile(policy).status().ToString(),
      "INVALID_ARGUMENT: virtual_hosts[0].routes[1].match: there is no condition on the path");
  host->mutable_routes()->RemoveLast();
  host->mutable_routes(0)->mutable_match()->add_headers()->set_name("x-a");
  EXPECT_EQ(RouteTable::Compile(policy).status().ToString(),
            "INVALID_ARGUMENT: virtual_hosts[0].routes[0].match: there is no condition on 'x-a'");
  host->clear_routes();
  host->add_domains("a");
  host->add_domains("A");
  EXPECT_EQ(RouteTable::Compile(policy).status().ToString(),
            "INVALID_ARGUMENT: virtual_hosts[0].domains: duplicate domain 'A'");
}

TEST(RouteTable, KeepsThePolicyAlive) {
  auto policy = std::make_shared<const config::v1::Policy>();
  const std::weak_ptr<const config::v1::Policy> watch = policy;
  auto table = RouteTable::Compile(std::move(policy));
  ASSERT_TRUE(table.ok());
  EXPECT_FALSE(watch.expired());
  table->reset();
  EXPECT_TRUE(watch.expired());
}

// The index is there for speed only: Explain() tries every route in turn.
TEST(RouteTable, FindsTheRouteThatTryingAllInOrderFinds) {
  std::mt19937 random(7);
  const auto pick = [&](const std::vector<std::string>& choices) {
    return choices[random() % choices.size()];
  };
  const auto some_path = [&] {
    std::string path;
    for (size_t left = random() % 4 + 1; left > 0; --left) {
      path += pick({"/a", "/b", "/ab", "/A", "/B", "/", "/a.", "/ac"});
    }
    while (path.find("//") != std::string::npos) path.erase(path.find("//"), 1);
    return path;
  };
  const auto some_regex = [&] {
    return pick({"", "^", "(?i)"}) + some_path() +
           pick({"", ".*", "?", "*", "+", "{0,2}", "|/b", "[a-c]*", "\\\\.", "$", "(/a|/b)*"});
  };
  int matched = 0;
  for (int round = 0; round < 60; ++round) {
    std::vector<std::string> matches;
    for (size_t left = random() % 60 + 1; left > 0; --left) {
      const std::string path =
          random() % 3 == 0
              ? StrCat("safe_regex: \"", some_regex(), "\"")
              : StrCat(pick({"prefix: ", "path: ", "path_separated_prefix: "}), some_path());
      matches.push_back(path + pick({"", ", case_sensitive: false"}) +
                        pick({"", "", ", methods: [GET]", ", headers: [{ name: x, exact: y }]"}));
    }
    const auto table = TableOfMatches(matches);
    for (int i = 0; i < 200; ++i) {
      const TestRequest request{.method = pick({"GET", "PUT"}),
                                .path = some_path(),
                                .headers = HeaderMap(Headers{{"x", pick({"y", "z"})}})};
      const CompiledRoute* const expected = Explain(*table, request.view()).route;
      ASSERT_EQ(table->Match(request.view()), expected) << request.method << " " << request.path;
      matched += expected != nullptr;
    }
  }
  EXPECT_GT(matched, 3000);  // both kinds of answers were compared
  EXPECT_LT(matched, 11900);
}

}  // namespace
}  // namespace pillion::routing
