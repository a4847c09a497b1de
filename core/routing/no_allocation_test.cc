// Counts this process's heap allocations, for which reason it is a program of its own.

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "core/routing/explain.h"
#include "core/routing/route_table.h"
#include "core/routing/test_table.h"
#include "core/strings.h"

namespace {
size_t allocations = 0;
}  // namespace

void* operator new(size_t size) {
  ++allocations;
  void* const memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace pillion::routing {
namespace {

TEST(RouteTable, DoesNotAllocateToMatch) {
  std::vector<std::string> matches = {
      "prefix: /a, headers: [{ name: a-rather-long-header-name, exact: other }]",
      "safe_regex: \"/a/[0-9]+\"", "prefix: /A, case_sensitive: false, methods: [DELETE]"};
  for (int i = 0; i < 20; ++i) matches.push_back("path: /a/" + std::to_string(i));
  matches.push_back(
      "prefix: /a, query_parameters: [{ name: q, exact: \"a value of some length\" }]");
  const auto table = TableOfMatches(matches);
  const TestRequest request{
      .authority = "V:8080",
      .path = "/a/b/c",
      .query = "p=1&q=a%20value+of%20some%20length",
      .headers = HeaderMap(
          Headers{{"a-rather-long-header-name", "a value that is too long to stand inline"}})};
  EXPECT_EQ(Match(*table, request), 23);  // RE2 builds its automaton at first use
  const size_t before = allocations;
  const int index = Match(*table, request);
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(index, 23);
}

TEST(NoRouteWhy, IsCheapHoweverManyDomainsThereAre) {
  std::string yaml = "virtual_hosts:\n";
  for (int host = 0; host < 5; ++host) {
    StrAppend(&yaml, "- name: v", host, "\n  domains: [v", host);
    for (int i = 0; i < 500; ++i) StrAppend(&yaml, ", d", i, ".of-v", host);
    StrAppend(&yaml, "]\n");
  }
  const auto table = TableOf(yaml);
  for (const char* authority : {"nobody", "d17.of-v2"}) {
    const TestRequest request{.authority = authority};
    const size_t before = allocations;
    const std::vector<std::string> why = NoRouteWhy(*table, request.view());
    EXPECT_LT(allocations - before, 200u) << authority;
    EXPECT_FALSE(why.empty());
  }
}

}  // namespace
}  // namespace pillion::routing
