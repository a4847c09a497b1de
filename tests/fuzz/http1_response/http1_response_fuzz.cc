// Fuzzes the response parser. Whatever it accepts must be read the same however it is cut, and must
// mean the same to the caller once it is written again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/http/chars.h"
#include "core/http/header_rules.h"
#include "core/http/parser.h"
#include "core/http/serialize.h"

namespace pillion::http {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

void RequireEqual(const ParseResult& a, const ParseResult& b) {
  Require(a.state == b.state && a.consumed == b.consumed && a.error.status == b.error.status &&
          std::string_view(a.error.reason) == b.error.reason);
}

void RequireSameHeaders(const HeaderList& a, const HeaderList& b) {
  Require(std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Header& x, const Header& y) {
    return x.name == y.name && x.value == y.value && x.id == y.id;
  }));
}

ParseResult ParseInPieces(std::string_view bytes, size_t step, const HeadLimits& limits,
                          std::string_view method, ResponseHead* head) {
  HeadScanner scanner(HeadScanner::Kind::kResponse);
  ParseResult result = ParseResponseHead(&scanner, {}, limits, method, head);
  for (size_t size = 0; size < bytes.size() && result.state == ParseResult::kNeedMore;) {
    size = std::min(bytes.size(), size + step);
    result = ParseResponseHead(&scanner, bytes.substr(0, size), limits, method, head);
  }
  return result;
}

// Writes `head` and reads it again as the answer to `method`.
void RequireReadAgain(const ResponseHead& head, std::string_view method) {
  std::string bytes;
  AppendTo(&bytes, head);
  ResponseHead again;
  const HeadLimits unlimited = {bytes.size(), bytes.size(), bytes.size()};
  const ParseResult result = ParseResponseHead(bytes, unlimited, method, &again);
  Require(result.state == ParseResult::kDone && result.consumed == bytes.size());
  Require(again.status == head.status && again.body == head.body);
  Require(again.reason == (head.reason.empty() ? ReasonPhrase(head.status) : head.reason));
  RequireSameHeaders(head.headers, again.headers);
}

void FuzzOne(std::string_view bytes, const HeadLimits& limits, std::string_view method) {
  ResponseHead whole;
  const ParseResult result = ParseResponseHead(bytes, limits, method, &whole);
  ResponseHead pieces;
  for (size_t step : {1, 7})
    RequireEqual(ParseInPieces(bytes, step, limits, method, &pieces), result);
  if (result.state == ParseResult::kError) {
    Require(result.error.status == 502 && *result.error.reason != '\0');
  }
  if (result.state != ParseResult::kDone) return;

  Require(whole.status >= 100 && whole.status <= 999);
  Require(whole.body.kind != BodyFraming::kUntilClose || !whole.keep_alive);
  Require(method != "HEAD" || !whole.body.has_body());
  for (const Header& header : whole.headers)
    Require(IsToken(header.name) && IsFieldValue(header.value));
  RequireSameHeaders(whole.headers, pieces.headers);
  RequireReadAgain(whole, method);

  RemoveHopByHop(&whole.headers, whole.upgrade ? UpgradeRule::kPass : UpgradeRule::kDrop);
  SetFraming(&whole.headers, whole.body);
  RequireReadAgain(whole, method);
}

}  // namespace
}  // namespace pillion::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  pillion::http::FuzzOne(bytes, {}, "GET");
  pillion::http::FuzzOne(bytes, {}, "HEAD");
  pillion::http::FuzzOne(bytes, {.max_header_bytes = 64, .max_request_line = 24, .max_headers = 2},
                         "GET");
  return 0;
}
