// What an attempt has to know about its delivery beyond what the engine does: kept with the
// delivery (delivery::DeliverySpec::extra), so that an edit of the policy changes nothing that was
// accepted.

#ifndef PILLION_SIDECAR_ACTIONS_ATTEMPT_SPEC_H_
#define PILLION_SIDECAR_ACTIONS_ATTEMPT_SPEC_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "sidecar/delivery/model.h"

namespace pillion::sidecar {

// Where the end of an operation is announced, and how.
struct CallbackSpec {
  std::string cluster;
  std::string authority;  // as the Host of the request
  std::string path;       // with the query
  std::string secret_file;
  delivery::RetryPolicy retry;
  absl::Duration timeout;                          // of one attempt
  absl::Duration expires_after = absl::Hours(24);  // from the end of the operation
  absl::Duration retention;                        // of the announcement, after its end
};

struct AttemptSpec {
  // Of an asynchronous call:
  std::string retry_on;
  std::vector<uint32_t> retriable_status_codes;
  uint64_t max_result_bytes = 0;
  bool redirect_when_done = false;
  bool follow_status = false;
  std::optional<CallbackSpec> callback;
  // Of a message on its way to a subscription:
  std::string path;
  bool structured = false;  // CloudEvents structured mode, else binary
  bool payload = true;
  // Of a callback, beside `path`:
  std::string authority;
  std::string secret_file;
};

std::string Encode(const AttemptSpec& spec);

// Bytes that are no such text give the defaults: a delivery must be attempted all the same.
AttemptSpec DecodeAttemptSpec(std::string_view bytes);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_ATTEMPT_SPEC_H_
