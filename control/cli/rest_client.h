// Asking control or a sidecar over its REST interface: one call, one connection.
//
// Threads: blocks the calling thread.
#ifndef PILLION_CONTROL_CLI_REST_CLIENT_H_
#define PILLION_CONTROL_CLI_REST_CLIENT_H_

#include <chrono>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace pillion::control {

// The URL of `path` at `address`, which is host:port or http://host:port, with or without a / at
// its end.
std::string UrlOf(std::string_view address, std::string_view path);

// The body of the 200 that `url` (http://host[:port]/path) answers to GET. Errors say what a person
// can do: INVALID_ARGUMENT for the URL, UNAVAILABLE if nobody answers within `timeout`, UNKNOWN for
// another status than 200 (with the `detail` of its problem), an answer above 64 MiB, or one that
// is not HTTP/1.1.
absl::StatusOr<std::string> Get(const std::string& url, std::chrono::seconds timeout);

// The same for a POST with a body of JSON.
absl::StatusOr<std::string> Post(const std::string& url, const std::string& json,
                                 std::chrono::seconds timeout);

}  // namespace pillion::control

#endif  // PILLION_CONTROL_CLI_REST_CLIENT_H_
