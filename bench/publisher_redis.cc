// RESP 2: https://redis.io/docs/latest/develop/reference/protocol-spec/

#include <charconv>
#include <initializer_list>
#include <string>

#include "bench/publisher_protocol.h"

namespace pillion::bench {
namespace {

constexpr std::string_view kStream = "pillion-bench";
constexpr size_t kMaxReply = 1 << 20;

std::string Command(std::initializer_list<std::string_view> words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string_view word : words) {
    bytes += "$" + std::to_string(word.size()) + "\r\n";
    bytes.append(word).append("\r\n");
  }
  return bytes;
}

Reply Wrong(std::string_view received) {
  return {.error = "not a reply in RESP: " + std::string(received.substr(0, 40))};
}

// Of the kinds of replies, those to XADD and DEL: strings, numbers and errors.
Reply Read(std::string_view received) {
  const size_t end = received.find("\r\n");
  if (end == std::string_view::npos) return received.size() < kMaxReply ? Reply{} : Wrong(received);
  const std::string_view line = received.substr(0, end);
  Reply reply{.size = end + 2, .kind = line.empty() ? 0 : static_cast<uint32_t>(line[0])};
  if (reply.kind == '-') return {.error = std::string(line.substr(1))};
  if (reply.kind == ':' || reply.kind == '+') return reply;
  size_t length = 0;
  const auto [rest, error] = std::from_chars(line.data() + 1, line.data() + line.size(), length);
  if (reply.kind != '$' || error != std::errc() || rest != line.data() + line.size() ||
      length > kMaxReply) {
    return Wrong(received);
  }
  reply.size += length + 2;
  return received.size() < reply.size ? Reply{} : reply;
}

}  // namespace

Protocol RedisStream(size_t body_bytes) {
  const std::string body(body_bytes, 'x');
  return {.opening = {},
          .publish = {Command({"XADD", kStream, "*", "body", body}), '$'},
          .closing = {Command({"DEL", kStream}), ':'},
          .read = Read};
}

}  // namespace pillion::bench
