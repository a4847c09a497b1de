// A call as a person writes it on a command line, read by the very parser that reads it in a
// sidecar.
//
// Threads: a plain value.
#ifndef PILLION_CONTROL_CLI_REQUEST_TEXT_H_
#define PILLION_CONTROL_CLI_REQUEST_TEXT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/http/head.h"

namespace pillion::control {

class RequestText {
 public:
  // `url` is http://host[:port]/path?query; each of `headers` "name: value". The authority is that
  // of the URL, or the header Host if there is one: `curl -H 'host: orders'
  // http://127.0.0.1:15001/`. INVALID_ARGUMENT says what is wrong, and what a sidecar answers if it
  // is the request as a whole.
  static absl::StatusOr<RequestText> Make(const std::string& method, const std::string& url,
                                          const std::vector<std::string>& headers);

  const http::RequestHead& head() const { return parsed_->head; }

 private:
  // On the heap, as the head points into the bytes.
  struct Parsed {
    std::string bytes;
    http::RequestHead head;
  };

  explicit RequestText(std::unique_ptr<Parsed> parsed) : parsed_(std::move(parsed)) {}
  static absl::StatusOr<RequestText> Parse(std::string bytes);

  std::unique_ptr<Parsed> parsed_;
};

}  // namespace pillion::control

#endif  // PILLION_CONTROL_CLI_REQUEST_TEXT_H_
