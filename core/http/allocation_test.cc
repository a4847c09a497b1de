// The codec's promise that a small message costs no heap: every allocation of this program is
// counted.
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>

#include "core/http/body.h"
#include "core/http/header_rules.h"
#include "core/http/parser.h"
#include "core/http/path.h"
#include "core/http/serialize.h"
#include "gtest/gtest.h"

namespace {
size_t allocations = 0;
}  // namespace

void* operator new(size_t size) {
  ++allocations;
  void* const memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace pillion::http {
namespace {

// Reads a request, edits it as a proxy does, and writes it again; returns the bytes written.
size_t Forward(std::string_view bytes, char* out) {
  RequestHead head;
  if (ParseRequestHead(bytes, {}, &head).state != ParseResult::kDone) return 0;
  std::string scratch;
  head.path = NormalizePath(head.path, &scratch).path;
  RemoveHopByHop(&head.headers);
  RemovePillionHeaders(&head.headers);
  SetFraming(&head.headers, head.body);
  AppendVia(&head.headers, head.version, "web-1");
  AppendForwardedFor(&head.headers, "127.0.0.1");
  head.headers.SetCopy(HeaderId::kRequestId, "0190163d-8694-739b-aea5-966c26f8ad91");
  return static_cast<size_t>(SerializeTo(out, head) - out);
}

std::string Request(int headers) {
  std::string bytes =
      "POST /.well-known/a?b HTTP/1.1\r\nHost: orders\r\nConnection: keep-alive, x-0\r\n";
  bytes += "Transfer-Encoding: chunked\r\n";
  for (int i = 0; i < headers; ++i) bytes += "X-" + std::to_string(i) + ": value\r\n";
  return bytes + "\r\n";
}

TEST(Codec, ForwardsAMessageOfThirtyHeadersWithoutTheHeap) {
  const std::string bytes = Request(27);
  char out[4096];
  const size_t before = allocations;
  const size_t size = Forward(bytes, out);
  EXPECT_EQ(allocations, before);
  EXPECT_GT(size, bytes.size() - 100);
}

TEST(Codec, StillForwardsAMessageOfAHundredHeaders) {
  const std::string bytes = Request(97);
  char out[4096];
  const size_t before = allocations;
  EXPECT_GT(Forward(bytes, out), bytes.size() - 100);
  EXPECT_GT(allocations, before);  // or the count above proves nothing
}

TEST(Codec, DecodesChunksWithoutTheHeap) {
  const std::string_view bytes = "5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n";
  const size_t before = allocations;
  ChunkedDecoder decoder;
  for (char c : bytes) decoder.Decode({&c, 1});
  EXPECT_TRUE(decoder.done());
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace pillion::http
