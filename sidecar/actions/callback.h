// `callback` of an `async` route: the end of an operation is announced by a signed POST.
//
// Where to is settled when the call is accepted, and stored with the operation. When that ends, the
// delivery engine asks CallbackOf() for the announcement, which it stores in the same transaction;
// it is a message with one delivery, tried again like any other.

#ifndef PILLION_SIDECAR_ACTIONS_CALLBACK_H_
#define PILLION_SIDECAR_ACTIONS_CALLBACK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/http/head.h"
#include "core/http/url.h"
#include "pillion/store/v1/attempt_spec.pb.h"
#include "sidecar/delivery/requests.h"

namespace pillion::config::v1 {
class Callback;
class Policy;
}  // namespace pillion::config::v1

namespace pillion::sidecar {

// The policy of one route. Immutable.
class CallbackPolicy {
 public:
  // Errors (InvalidArgument): an allowed target that is no URL's.
  static absl::StatusOr<CallbackPolicy> Compile(const config::v1::Callback& config);

  // Where the end of this call's operation is to be announced; nothing: nowhere, as the caller
  // names no place. Takes the caller's header from the request. Errors (InvalidArgument), with what
  // to do about it: the header is no http:// URL, or not that of an allowed target.
  absl::StatusOr<std::optional<store::v1::CallbackSpec>> For(http::RequestHead& request) const;

 private:
  struct AllowedTarget {
    http::HttpUrl authority;
    std::string prefix;  // canonical
    std::string cluster;
    std::string name;  // for errors
  };

  std::string header_;            // empty: the target is fixed
  store::v1::CallbackSpec spec_;  // of a fixed target all, else what the caller does not choose
  std::vector<AllowedTarget> allowed_;
};

// The announcement of an operation that has ended. Nothing if it is not to be announced. For
// delivery::EngineOptions::callback_of.
std::optional<delivery::AcceptRequest> CallbackOf(const delivery::MessageView& operation);

// What is wrong with the secret files of the policy's callbacks, a line for each; they wait until
// it is mended. Reads the files: blocks as long as the file system does.
std::vector<std::string> CheckSecretFiles(const config::v1::Policy& policy);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_CALLBACK_H_
