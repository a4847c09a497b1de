// What a caller hears when something was accepted, and when it could not be.

#ifndef PILLION_SIDECAR_ACTIONS_ACCEPTED_H_
#define PILLION_SIDECAR_ACTIONS_ACCEPTED_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/net/task.h"
#include "sidecar/actions/header_edits.h"
#include "sidecar/delivery/requests.h"

namespace pillion::config::v1 {
class Respond;
}

namespace pillion::sidecar {

struct Call;

// The policy's `respond`: what an unmodified caller expects to hear. Immutable.
class AcceptedResponse {
 public:
  // Null: the usual 202 with its JSON.
  explicit AcceptedResponse(const config::v1::Respond* config);

  // Answers. `collection` is kOperations or kMessages; `due`: when its first attempt is made;
  // `preferred`: the caller asked for it with Prefer.
  net::Task<void> Send(Call& call, std::string_view collection, std::string_view id,
                       std::string_view state, absl::Time due, bool preferred) const;

 private:
  bool own_ = false;
  int status_ = 202;
  std::string body_;
  HeaderEdits headers_;
};

// Answers a call that brought several messages: 202, with the id and the status URL of each, in
// order. The policy's `respond` knows of one only.
net::Task<void> SendAcceptedBatch(Call& call, const std::vector<delivery::Accepted>& messages,
                                  absl::Time due);

// The Retry-After (RFC 9110 section 10.2.3) of a status that does not change before `due`: the
// seconds until then, but 1 at least, and an hour at most, as whoever is told may want to see that
// it was canceled.
std::string RetryAfter(absl::Time due);

// Answers a call that the engine would not accept: 422, 413, 429 or 503 with the reason. Nothing is
// stored.
net::Task<void> FailAccept(Call& call, const absl::Status& why);

// The absolute URL of `path` on the authority that the caller used.
std::string UrlOf(const Call& call, std::string_view path);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_ACCEPTED_H_
