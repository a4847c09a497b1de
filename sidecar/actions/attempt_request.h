// The request that an attempt sends, built from what was stored.

#ifndef PILLION_SIDECAR_ACTIONS_ATTEMPT_REQUEST_H_
#define PILLION_SIDECAR_ACTIONS_ATTEMPT_REQUEST_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "core/http/head.h"
#include "sidecar/delivery/model.h"

namespace pillion::store::v1 {
class AttemptSpec;
}  // namespace pillion::store::v1

namespace pillion::sidecar {

struct AttemptRequest {
  http::RequestHead head;
  std::string body;  // used when the stored one is not sent as it is
  std::string path;
  std::string query;
  bool own_body = false;
};

// Where the upstream of an asynchronous call may report progress; `authority` leads to this
// sidecar.
std::string OperationUrl(std::string_view authority, std::string_view id);

// Fills `*request`, whose views point into it, into `delivery` and into `spec`; none of them may
// move while it is used. `webhook_keys` sign a callback, `now` is when. `operation_authority`: see
// OperationUrl; empty: the upstream is not told.
void BuildAttemptRequest(const delivery::ClaimedDelivery& delivery,
                         const store::v1::AttemptSpec& spec, std::string_view via,
                         std::string_view operation_authority,
                         const std::vector<std::string>& webhook_keys, absl::Time now,
                         AttemptRequest* request);

// The same for a GET of `path`, where the upstream of an asynchronous call said that it tells its
// status or its result: with the caller's headers, but for those about the call's body.
void BuildStatusRequest(const delivery::ClaimedDelivery& delivery, std::string_view path,
                        AttemptRequest* request);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_ATTEMPT_REQUEST_H_
