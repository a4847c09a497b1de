// Signing as Standard Webhooks 1.0.0 says (https://www.standardwebhooks.com).

#ifndef PILLION_SIDECAR_ACTIONS_WEBHOOK_H_
#define PILLION_SIDECAR_ACTIONS_WEBHOOK_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace pillion::sidecar {

// The keys in the text of a secret file: each on a line of its own, "whsec_" and its base64, 24 to
// 64 bytes; empty lines and those that begin with '#' do not count. Errors (InvalidArgument), with
// the line, never with its text: no key, or a line that is none.
absl::StatusOr<std::vector<std::string>> ParseWebhookSecrets(std::string_view text);

// The same from a file of at most 64 KiB. Errors name it. Blocks as long as the file system does.
absl::StatusOr<std::vector<std::string>> ReadWebhookSecrets(const std::string& path);

// The value of webhook-signature: "v1," and the base64 of the HMAC-SHA256 of "id.timestamp.body",
// one for each key, with spaces between. `timestamp`: seconds since 1970.
// REQUIRES: there is no '.' in `id`.
std::string WebhookSignature(const std::vector<std::string>& keys, std::string_view id,
                             int64_t timestamp, std::string_view body);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_WEBHOOK_H_
