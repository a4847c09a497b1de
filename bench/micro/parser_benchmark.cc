// Parsing heads: of the smallest call that a load generator makes, and of a browser's.

#include <benchmark/benchmark.h>

#include <string_view>

#include "core/check.h"
#include "core/http/parser.h"

namespace pillion::http {
namespace {

constexpr std::string_view kSmallRequest =
    "GET /user/?user_id=1 HTTP/1.1\r\n"
    "Host: users\r\n"
    "\r\n";

constexpr std::string_view kBrowserRequest =
    "GET /products/4711?colour=green&size=m HTTP/1.1\r\n"
    "Host: shop.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8\r\n"
    "Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Referer: https://shop.example.com/\r\n"
    "Cookie: session=6f1b0c5e9a5d4d1fb0c2d0d8; consent=necessary%2Cstatistics; cart=3f9a\r\n"
    "Authorization: Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl\r\n"
    "Cache-Control: no-cache\r\n"
    "If-None-Match: \"33a64df551425fcc55e4d42a148795d9f25f89d4\"\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "Priority: u=0, i\r\n"
    "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"
    "X-Request-Id: 9f0f5d0e-2b5c-4b8e-9a77-6f1c0e3f5b1d\r\n"
    "X-Forwarded-For: 203.0.113.195, 198.51.100.178\r\n"
    "X-Forwarded-Proto: https\r\n"
    "\r\n";

constexpr std::string_view kSmallResponse =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: 70\r\n"
    "\r\n";

constexpr std::string_view kServiceResponse =
    "HTTP/1.1 200 OK\r\n"
    "Server: gunicorn\r\n"
    "Date: Sun, 22 Nov 2026 23:36:31 GMT\r\n"
    "Content-Type: application/json; charset=utf-8\r\n"
    "Content-Length: 1842\r\n"
    "Cache-Control: private, max-age=0, must-revalidate\r\n"
    "ETag: W/\"732-Yl3WnQ9YJ1k5c0ZtJ3m1\"\r\n"
    "Vary: Accept-Encoding, Origin\r\n"
    "Set-Cookie: session=6f1b0c5e9a5d4d1fb0c2d0d8; Path=/; HttpOnly; Secure; SameSite=Lax\r\n"
    "Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Request-Id: 9f0f5d0e-2b5c-4b8e-9a77-6f1c0e3f5b1d\r\n"
    "\r\n";

void RequestHead(benchmark::State& state, std::string_view bytes) {
  const HeadLimits limits;
  for (auto _ : state) {
    http::RequestHead head;
    const ParseResult result = ParseRequestHead(bytes, limits, &head);
    PILLION_CHECK(result.state == ParseResult::kDone);
    benchmark::DoNotOptimize(head);
  }
  state.SetBytesProcessed(state.iterations() * bytes.size());
}
BENCHMARK_CAPTURE(RequestHead, small, kSmallRequest);
BENCHMARK_CAPTURE(RequestHead, browser, kBrowserRequest);

void ResponseHead(benchmark::State& state, std::string_view bytes) {
  const HeadLimits limits;
  for (auto _ : state) {
    http::ResponseHead head;
    const ParseResult result = ParseResponseHead(bytes, limits, "GET", &head);
    PILLION_CHECK(result.state == ParseResult::kDone);
    benchmark::DoNotOptimize(head);
  }
  state.SetBytesProcessed(state.iterations() * bytes.size());
}
BENCHMARK_CAPTURE(ResponseHead, small, kSmallResponse);
BENCHMARK_CAPTURE(ResponseHead, service, kServiceResponse);

}  // namespace
}  // namespace pillion::http
