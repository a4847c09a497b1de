// The cost of a match must not grow with the policy:
//
//   bazel run --config=opt //core/routing:route_table_benchmark

#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "core/routing/route_table.h"
#include "core/routing/test_table.h"
#include "core/strings.h"

namespace pillion::routing {
namespace {

// A table of `hosts` virtual hosts with `routes` routes each, and a last route for everything else.
std::shared_ptr<const RouteTable> MakeTable(int hosts, int routes) {
  std::string yaml = "virtual_hosts:\n";
  for (int h = 0; h < hosts; ++h) {
    StrAppend(&yaml, "- name: host", h, "\n  domains: [host", h, ", \"*.host", h,
              ".local\"]\n  routes:\n");
    for (int r = 0; r < routes; ++r) {
      StrAppend(&yaml, "  - { match: { prefix: /api/service", r,
                "/items }, direct_response: { status: 200 } }\n");
    }
    StrAppend(&yaml, "  - { match: { prefix: / }, direct_response: { status: 200 } }\n");
  }
  return TableOf(yaml);
}

void BM_Match(benchmark::State& state) {
  const int hosts = static_cast<int>(state.range(0));
  const int routes = static_cast<int>(state.range(1));
  const auto table = MakeTable(hosts, routes);
  const TestRequest request{.authority = StrCat("host", hosts / 2, ":8080"),
                            .path = StrCat("/api/service", routes / 2, "/items/4711")};
  for (auto _ : state) {
    benchmark::DoNotOptimize(table->Match(request.view()));
  }
}
BENCHMARK(BM_Match)->Args({1, 10})->Args({1, 10'000})->Args({1'000, 10});

}  // namespace
}  // namespace pillion::routing

BENCHMARK_MAIN();
