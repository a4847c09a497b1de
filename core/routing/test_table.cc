#include "core/routing/test_table.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <utility>

#include "core/config/load.h"
#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::routing {

std::shared_ptr<const RouteTable> TableOf(const std::string& yaml) {
  const config::SourceFile file{"policy.yaml", yaml};
  config::Loaded<config::v1::Policy> loaded = config::LoadPolicy({&file, 1});
  EXPECT_EQ(config::ToString(loaded.errors), "");
  if (loaded.value == nullptr) std::abort();
  auto table = RouteTable::Compile(std::move(loaded.value));
  EXPECT_TRUE(table.ok()) << table.status();
  return *std::move(table);
}

std::shared_ptr<const RouteTable> TableOfMatches(const std::vector<std::string>& matches) {
  std::string yaml = "virtual_hosts:\n- name: v\n  domains: [v]\n  routes:\n";
  for (const std::string& match : matches) {
    StrAppend(&yaml, "  - { match: { ", match, " }, direct_response: { status: 200 } }\n");
  }
  return TableOf(yaml);
}

std::optional<std::string_view> HeaderMap::Get(std::string_view lower_name, std::string*) const {
  const auto found = headers_.find(lower_name);
  if (found == headers_.end()) return std::nullopt;
  return found->second;
}

int Match(const RouteTable& table, const TestRequest& request) {
  const CompiledRoute* const route = table.Match(request.view());
  return route == nullptr ? -1 : static_cast<int>(route->route_index);
}

}  // namespace pillion::routing
