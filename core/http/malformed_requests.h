// Raw requests that a strict HTTP/1.1 server refuses: mistakes, and the known tricks of request
// smuggling.
//
// Every entry is a complete message as far as its sender is concerned: it must be refused at once,
// not wait for more bytes. The parser's unit test and the integration test against a running
// sidecar both send all.
#ifndef PILLION_CORE_HTTP_MALFORMED_REQUESTS_H_
#define PILLION_CORE_HTTP_MALFORMED_REQUESTS_H_

#include <string>
#include <vector>

namespace pillion::http {

struct MalformedRequest {
  std::string name;   // unique; what is wrong
  std::string bytes;  // as sent
  int status;         // of the answer, with the default HeadLimits
};

// All of them: more than 300.
std::vector<MalformedRequest> MalformedRequests();

namespace internal {
void AddMalformedStartLines(std::vector<MalformedRequest>* out);
void AddMalformedHeaders(std::vector<MalformedRequest>* out);
void AddMalformedFraming(std::vector<MalformedRequest>* out);
void AddMalformedBodies(std::vector<MalformedRequest>* out);
}  // namespace internal

}  // namespace pillion::http

#endif  // PILLION_CORE_HTTP_MALFORMED_REQUESTS_H_
