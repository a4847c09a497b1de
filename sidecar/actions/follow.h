// Following an upstream that works on (`follow_status`): what it says of its work, and where.
//
// It speaks as Pillion itself does (docs/policy.md, "async"), and as many do: 202 with a Location
// or a `statusUrl`; at that URL 202 while it works, then 303 to the result, or the result itself,
// or JSON with a `status`.

#ifndef PILLION_SIDECAR_ACTIONS_FOLLOW_H_
#define PILLION_SIDECAR_ACTIONS_FOLLOW_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "sidecar/delivery/model.h"

namespace pillion::sidecar {

// Where an upstream tells its status: kept between two looks at it
// (delivery::AttemptOutcome::resume).
struct FollowedStatus {
  int polls = 0;           // so far
  std::string path;        // with the query
  int failed_results = 0;  // errors at the result's URL so far that may pass
};
std::string Encode(const FollowedStatus& followed);
// Bytes that are none give "/", never an empty path.
FollowedStatus DecodeFollowedStatus(std::string_view bytes);

// The path (with its query, fit for a request) that `reference` leads to from the request target
// `base` (RFC 3986 section 5.2). Of an http or https URL the authority is left out: whoever follows
// it asks the same cluster. Empty if it is no such URL, or its path is refused by NormalizePath().
std::string ResolvePath(std::string_view base, std::string_view reference);

// Where the upstream that answered 202 to a request for `target` tells its status: its Location,
// else `statusUrl` of its JSON. Empty: it does not say.
std::string StatusPathOf(const delivery::Answer& accepted, std::string_view target);

struct UpstreamStatus {
  enum Kind {
    kWorking,    // ask again
    kSucceeded,  // the result is at `result_path` or, if that is empty, is the answer itself
    kFailed,     // the same
  };
  Kind kind = kWorking;
  std::string word;                     // the upstream's own, or of ours what comes nearest
  std::string result_path;              // with the query
  std::optional<int> percent_complete;  // 0 to 100
};

// Whether an answer says that there may be another one later: 202, or an error that passes.
bool IsPassing(int status);

// What the answer to a GET of `path` says. An answer that says nothing of a status is the result.
UpstreamStatus ReadUpstreamStatus(const delivery::Answer& answer, std::string_view path);

// A report of progress, {"percentComplete": 40}: a number from 0 to 100, of which the fraction does
// not count. Errors (InvalidArgument): what it must look like.
absl::StatusOr<int> ParseProgress(std::string_view body);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_FOLLOW_H_
