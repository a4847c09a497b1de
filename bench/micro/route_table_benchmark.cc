// Finding the route of a call: the cost must not grow with the policy.

#include <benchmark/benchmark.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/check.h"
#include "core/config/load.h"
#include "core/config/sources.h"
#include "core/routing/request_view.h"
#include "core/routing/route_table.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::routing {
namespace {

class NoHeaders final : public HeaderLookup {
 public:
  std::optional<std::string_view> Get(std::string_view, std::string*) const override {
    return std::nullopt;
  }
};

std::shared_ptr<const RouteTable> Compile(std::string yaml) {
  const config::SourceFile file = {"policy.yaml", std::move(yaml)};
  std::shared_ptr<const config::v1::Policy> policy = config::LoadPolicy({file}).value;
  PILLION_CHECK(policy != nullptr);
  auto table = RouteTable::Compile(std::move(policy));
  PILLION_CHECK(table.ok());
  return *std::move(table);
}

std::string Number(int number) { return std::to_string(number); }

void ExpectMatch(benchmark::State& state, const RouteTable& table, const std::string& authority,
                 const std::string& path) {
  const NoHeaders headers;
  const RequestView request = {"GET", authority, path, "", headers};
  PILLION_CHECK(table.Match(request) != nullptr);
  for (auto _ : state) benchmark::DoNotOptimize(table.Match(request));
}

// All in one virtual host; the call is for the last.
void RoutesOfOneHost(benchmark::State& state) {
  const int routes = static_cast<int>(state.range(0));
  std::string yaml = "virtual_hosts:\n- name: shop\n  domains: [shop]\n  routes:\n";
  for (int i = 0; i < routes; ++i) {
    yaml += "  - { match: { prefix: /api/service" + Number(i) +
            "/ }, direct_response: { status: 200 } }\n";
  }
  ExpectMatch(state, *Compile(std::move(yaml)), "shop:8080",
              "/api/service" + Number(routes - 1) + "/items/4711");
}
BENCHMARK(RoutesOfOneHost)->Arg(10)->Arg(1'000)->Arg(10'000);

// Ten in each virtual host; the call is for one in the middle.
void RoutesOfManyHosts(benchmark::State& state) {
  constexpr int kRoutes = 10;
  const int hosts = static_cast<int>(state.range(0)) / kRoutes;
  std::string yaml = "virtual_hosts:\n";
  for (int host = 0; host < hosts; ++host) {
    const std::string name = "host" + Number(host);
    yaml +=
        "- name: " + name + "\n  domains: [" + name + ", \"*." + name + ".local\"]\n  routes:\n";
    for (int i = 0; i < kRoutes; ++i) {
      yaml += "  - { match: { prefix: /api/service" + Number(i) +
              "/ }, direct_response: { status: 200 } }\n";
    }
  }
  ExpectMatch(state, *Compile(std::move(yaml)), "host" + Number(hosts / 2) + ":8080",
              "/api/service5/items/4711");
}
BENCHMARK(RoutesOfManyHosts)->Arg(10)->Arg(1'000)->Arg(10'000);

}  // namespace
}  // namespace pillion::routing
