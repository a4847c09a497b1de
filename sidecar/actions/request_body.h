// A request's body on its way to an upstream, kept for another attempt while it is small.

#ifndef PILLION_SIDECAR_ACTIONS_REQUEST_BODY_H_
#define PILLION_SIDECAR_ACTIONS_REQUEST_BODY_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "core/http/client.h"
#include "core/http/server.h"
#include "core/net/task.h"

namespace pillion::sidecar {

// Lives as long as the call; belongs to its worker.
class RequestBody {
 public:
  // `keep_limit`: bytes that may be kept for a repetition.
  RequestBody(http::ServerExchange& exchange, size_t keep_limit)
      : exchange_(exchange), keep_limit_(keep_limit) {}

  // Takes what has arrived of the body. Call once, before anything else. Errors (InvalidArgument):
  // the framing is broken.
  absl::Status Begin();

  // Another attempt can send the body from its start. May turn false as long as an Upload() runs.
  bool replayable() const { return replayable_; }
  // All of it has arrived.
  bool complete() const { return exchange_.body_done(); }
  // What an attempt sends along with the head: all that was read so far. REQUIRES: replayable()
  std::string_view first() const;

  // Sends the rest as it arrives, until the end. What ended it otherwise is told apart: a caller
  // that left or sent nonsense, or an upstream that takes no more.
  struct UploadResult {
    absl::Status caller;
    absl::Status upstream;
  };
  net::Task<UploadResult> Upload(http::ClientConnection& upstream, net::CancelScope& scope);

 private:
  void Keep(std::string_view piece);

  http::ServerExchange& exchange_;
  const size_t keep_limit_;
  // A body that arrived whole stays where it is: nothing is read behind it, so nothing moves it.
  std::string_view in_place_;
  std::string kept_;
  bool replayable_ = true;
};

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_REQUEST_BODY_H_
