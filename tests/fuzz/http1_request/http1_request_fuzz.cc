// Fuzzes the request parser. Whatever it accepts must be read the same however it is cut, and must
// mean the same to the next server once it is written again: that is what keeps requests from being
// smuggled.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/http/chars.h"
#include "core/http/header_rules.h"
#include "core/http/parser.h"
#include "core/http/path.h"
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

// A head's views point into the bytes it was parsed from, so both must have been parsed from living
// ones.
void RequireSameMeaning(const RequestHead& a, const RequestHead& b) {
  Require(a.method == b.method && a.path == b.path && a.has_query == b.has_query &&
          a.query == b.query);
  Require(a.authority == b.authority && a.body == b.body);
  Require(a.upgrade == b.upgrade && a.expect_continue == b.expect_continue);
}

void RequireSameHeaders(const HeaderList& a, const HeaderList& b) {
  Require(std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Header& x, const Header& y) {
    return x.name == y.name && x.value == y.value && x.id == y.id;
  }));
}

void RequireValid(const RequestHead& head) {
  Require(IsToken(head.method) && !head.path.empty() && All(head.path, kPathChar));
  Require(All(head.query, kQueryChar));
  Require(head.headers.Count(HeaderId::kHost) <= 1);
  Require(head.headers.Value(HeaderId::kHost) == head.authority);
  for (const Header& header : head.headers) {
    Require(IsToken(header.name) && IsFieldValue(header.value));
    Require(header.id == LookupHeader(header.name));
  }
}

ParseResult ParseInPieces(std::string_view bytes, size_t step, const HeadLimits& limits,
                          RequestHead* head) {
  HeadScanner scanner;
  ParseResult result = ParseRequestHead(&scanner, {}, limits, head);
  for (size_t size = 0; size < bytes.size() && result.state == ParseResult::kNeedMore;) {
    size = std::min(bytes.size(), size + step);
    result = ParseRequestHead(&scanner, bytes.substr(0, size), limits, head);
  }
  return result;
}

// What Pillion would send on must be read by the next server as Pillion read it.
void RequireForwardedAsRead(const RequestHead& read, RequestHead* sent) {
  RemoveHopByHop(&sent->headers, sent->upgrade ? UpgradeRule::kPass : UpgradeRule::kDrop);
  SetFraming(&sent->headers, sent->body);
  AppendVia(&sent->headers, sent->version, "fuzz");
  std::string bytes;
  AppendTo(&bytes, *sent);
  RequestHead next;
  const HeadLimits unlimited = {bytes.size(), bytes.size(), bytes.size()};
  const ParseResult result = ParseRequestHead(bytes, unlimited, &next);
  Require(result.state == ParseResult::kDone && result.consumed == bytes.size());
  RequireSameMeaning(read, next);
  Require(ViaContains(next.headers, "fuzz"));
  Require(!next.headers.Has(HeaderId::kKeepAlive) && !next.headers.Has(HeaderId::kTe));
}

void RequireCanonicalPath(std::string_view path) {
  std::string scratch;
  const NormalizedPath once = NormalizePath(path, &scratch);
  if (once.error != nullptr) return;
  std::string unused;
  const NormalizedPath twice = NormalizePath(once.path, &unused);
  Require(twice.error == nullptr && twice.path.data() == once.path.data());
}

void FuzzOne(std::string_view bytes, const HeadLimits& limits) {
  RequestHead whole;
  const ParseResult result = ParseRequestHead(bytes, limits, &whole);
  RequestHead pieces;
  for (size_t step : {1, 7}) RequireEqual(ParseInPieces(bytes, step, limits, &pieces), result);
  if (result.state == ParseResult::kError) {
    Require(result.error.status >= 400 && result.error.status < 600 &&
            *result.error.reason != '\0');
  }
  if (result.state != ParseResult::kDone) return;

  Require(result.consumed <= std::min(bytes.size(), limits.max_header_bytes));
  RequireValid(whole);
  RequireSameMeaning(whole, pieces);
  RequireSameHeaders(whole.headers, pieces.headers);
  RequireCanonicalPath(whole.path);

  // HTTP/1.0 may come without Host; it is written as HTTP/1.1, which may not.
  if (whole.authority.empty()) {
    whole.headers.Set(HeaderId::kHost, "fuzz");
    whole.authority = "fuzz";
  }
  std::string written;
  AppendTo(&written, whole);
  RequestHead again;
  const HeadLimits unlimited = {written.size(), written.size(), written.size()};
  Require(ParseRequestHead(written, unlimited, &again).state == ParseResult::kDone);
  RequireSameHeaders(whole.headers, again.headers);
  if (whole.version == Version::kHttp11) RequireSameMeaning(whole, again);
  RequireForwardedAsRead(again, &again);
}

}  // namespace
}  // namespace pillion::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  pillion::http::FuzzOne(bytes, {});
  pillion::http::FuzzOne(bytes, {.max_header_bytes = 64, .max_request_line = 24, .max_headers = 2});
  return 0;
}
