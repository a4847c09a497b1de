// Fuzzes route matching with what a caller can choose, one a line: method, authority, path, query,
// and the value of the header x. The index must find what trying all routes in order finds, and
// what is said about it must be safe to print.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config/load.h"
#include "core/routing/explain.h"
#include "core/routing/request_view.h"
#include "core/routing/route_table.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::routing {
namespace {

constexpr char kPolicy[] = R"(
virtual_hosts:
- name: a
  domains: [a, "a:8080", "*.a.b", "*.b:81", "a.*", "[::1]", "*"]
  routes:
  - { match: { path: /x }, direct_response: { status: 200 } }
  - { match: { prefix: /x/y, methods: [GET] }, direct_response: { status: 200 } }
  - { match: { path_separated_prefix: /x }, direct_response: { status: 200 } }
  - { match: { safe_regex: "/r/[0-9]+" }, direct_response: { status: 200 } }
  - { match: { safe_regex: "/(p|q)x?" }, direct_response: { status: 200 } }
  - { match: { prefix: /Any, case_sensitive: false }, direct_response: { status: 200 } }
  - { match: { prefix: /h, headers: [{ name: x, exact: y }] }, direct_response: { status: 200 } }
  - { match: { prefix: /h, headers: [{ name: x, safe_regex: "[a-c]+", invert: true }] }, direct_response: { status: 200 } }
  - { match: { prefix: /q, query_parameters: [{ name: "a b", exact: "c&d" }] }, direct_response: { status: 200 } }
  - { match: { prefix: /q, query_parameters: [{ name: a, suffix: "=" }] }, direct_response: { status: 200 } }
)";

const RouteTable& Table() {
  static const std::shared_ptr<const RouteTable>& table = *[] {
    const config::SourceFile file{"policy.yaml", kPolicy};
    config::Loaded<config::v1::Policy> loaded = config::LoadPolicy({&file, 1});
    if (loaded.value == nullptr) std::abort();
    return new std::shared_ptr<const RouteTable>(*RouteTable::Compile(std::move(loaded.value)));
  }();
  return *table;
}

class OneHeader final : public HeaderLookup {
 public:
  explicit OneHeader(std::optional<std::string_view> x) : x_(x) {}
  std::optional<std::string_view> Get(std::string_view name, std::string*) const override {
    return name == "x" ? x_ : std::nullopt;
  }

 private:
  const std::optional<std::string_view> x_;
};

void CheckPrintable(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    for (const char c : line) {
      if (c < 0x20 || c > 0x7e) std::abort();
    }
  }
}

}  // namespace
}  // namespace pillion::routing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pillion::routing;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::array<std::optional<std::string_view>, 5> fields;
  for (std::optional<std::string_view>& field : fields) {
    const size_t end = rest.find('\n');
    field = rest.substr(0, end);
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  const OneHeader headers(fields[4]);
  const RequestView request{*fields[0], fields[1].value_or(""), fields[2].value_or(""),
                            fields[3].value_or(""), headers};
  const CompiledRoute* const route = Table().Match(request);
  const Explanation explanation = Explain(Table(), request);
  if (explanation.route != route) std::abort();
  CheckPrintable(explanation.lines);
  if (route == nullptr) CheckPrintable(NoRouteWhy(Table(), request));
  return 0;
}
