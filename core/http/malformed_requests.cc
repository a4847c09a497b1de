#include "core/http/malformed_requests.h"

namespace pillion::http {
namespace {

// Every control character but tab, CR and LF, in every part of a head.
void AddControlCharacters(std::vector<MalformedRequest>* out) {
  for (int c = 0; c <= 0x7f; ++c) {
    if ((c >= 0x20 && c != 0x7f) || c == '\t' || c == '\r' || c == '\n') continue;
    const std::string bad(1, static_cast<char>(c));
    const std::string name = "control character " + std::to_string(c) + " in ";
    const std::string host = "Host: orders\r\n";
    out->push_back({name + "the method", "G" + bad + "T / HTTP/1.1\r\n" + host + "\r\n", 400});
    out->push_back({name + "the path", "GET /a" + bad + " HTTP/1.1\r\n" + host + "\r\n", 400});
    out->push_back({name + "the query", "GET /?a" + bad + " HTTP/1.1\r\n" + host + "\r\n", 400});
    out->push_back({name + "Host", "GET / HTTP/1.1\r\nHost: ord" + bad + "ers\r\n\r\n", 400});
    out->push_back(
        {name + "a header name", "GET / HTTP/1.1\r\n" + host + "X" + bad + ": y\r\n\r\n", 400});
    out->push_back(
        {name + "a header value", "GET / HTTP/1.1\r\n" + host + "X: y" + bad + "z\r\n\r\n", 400});
  }
}

}  // namespace

std::vector<MalformedRequest> MalformedRequests() {
  std::vector<MalformedRequest> all;
  internal::AddMalformedStartLines(&all);
  internal::AddMalformedHeaders(&all);
  internal::AddMalformedFraming(&all);
  internal::AddMalformedBodies(&all);
  AddControlCharacters(&all);
  return all;
}

}  // namespace pillion::http
