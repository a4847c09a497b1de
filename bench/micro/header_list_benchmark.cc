// Editing the headers of a call, as a policy's request_headers_to_add and _to_remove do.

#include <benchmark/benchmark.h>

#include <string_view>

#include "core/check.h"
#include "core/http/head.h"
#include "core/http/parser.h"

namespace pillion::http {
namespace {

constexpr std::string_view kRequest =
    "GET /user/?user_id=1 HTTP/1.1\r\n"
    "Host: users\r\n"
    "User-Agent: python-requests/2.28.1\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "Accept: */*\r\n"
    "Connection: keep-alive\r\n"
    "Authorization: Bearer me\r\n"
    "X-Debug: on\r\n"
    "X-Tier: silver\r\n"
    "\r\n";

// What every edit is on top of.
void NoHeaderEdits(benchmark::State& state) {
  for (auto _ : state) {
    RequestHead head;
    PILLION_CHECK(ParseRequestHead(kRequest, HeadLimits(), &head).state == ParseResult::kDone);
    benchmark::DoNotOptimize(head);
  }
}
BENCHMARK(NoHeaderEdits);

// One removed, one added, one put in place of another.
void HeaderEdits(benchmark::State& state) {
  for (auto _ : state) {
    RequestHead head;
    PILLION_CHECK(ParseRequestHead(kRequest, HeadLimits(), &head).state == ParseResult::kDone);
    head.headers.Remove("x-debug");
    head.headers.Add("x-team", "payments");
    head.headers.Set("x-tier", "gold");
    benchmark::DoNotOptimize(head);
  }
}
BENCHMARK(HeaderEdits);

}  // namespace
}  // namespace pillion::http
