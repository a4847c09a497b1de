// What the delivery engine stores and hands out: messages, their deliveries, and views of both.
//
// A message is what a caller gave and was told is safe. A delivery is the duty to bring one message
// to one target. An asynchronous call is a message with one delivery, and both have the same id; a
// published message has one delivery per matching subscription, perhaps none.
//
//   pending -> running -> succeeded | failed (dead letter) | canceled | expired
//
// A message can be *held*: it is stored, but its deliveries are not due before it is released, and
// it goes without a trace if it is discarded.
//
// Plain values: no threads, no locks. Instants are kept to the millisecond.
#ifndef PILLION_SIDECAR_DELIVERY_MODEL_H_
#define PILLION_SIDECAR_DELIVERY_MODEL_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace pillion::delivery {

// The numbers of these enumerations are in the database: they never change their meaning.
enum class MessageKind { kAsync = 0, kPublish = 1, kEmit = 2, kCallback = 3 };
enum class TargetKind { kRoute = 0, kSubscription = 1, kCallback = 2 };
enum class DeliveryState {
  kPending = 1,
  kRunning = 2,
  kSucceeded = 3,
  kFailed = 4,
  kCanceled = 5,
  kExpired = 6
};

// Why a delivery is `failed`.
enum class FailureReason {
  kNone = 0,
  kRejected = 1,          // the destination's answer says that another attempt is of no use
  kRetriesExhausted = 2,  // every attempt that the retry policy allows has failed
};

// As they stand in JSON and in filters: "pending", "running", "succeeded", "failed", "canceled",
// "expired".
std::string_view DeliveryStateName(DeliveryState state);
std::optional<DeliveryState> ParseDeliveryState(std::string_view name);
constexpr bool IsFinal(DeliveryState state) { return state >= DeliveryState::kSucceeded; }
inline constexpr DeliveryState kDeliveryStates[] = {
    DeliveryState::kPending, DeliveryState::kRunning,  DeliveryState::kSucceeded,
    DeliveryState::kFailed,  DeliveryState::kCanceled, DeliveryState::kExpired};

// Who is to get a delivery: the policy's route (VIRTUAL_HOST/ROUTE) or subscription, or a cluster
// that hears of the ends of a route's operations (CallbackTarget). Limits count by target, and
// targets take turns, so that one that is slow or dead never holds up another.
struct Target {
  TargetKind kind = TargetKind::kRoute;
  std::string name;

  friend bool operator==(const Target&, const Target&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Target& target) {
    return H::combine(std::move(h), target.kind, target.name);
  }
};

// The callbacks of `route` that go to `cluster`: "ROUTE -> CLUSTER", so that one receiver that does
// not answer takes no other receiver's turns.
Target CallbackTarget(std::string_view route, std::string_view cluster);
// The route in the name of such a target.
std::string_view RouteOfCallback(const Target& target, std::string_view cluster);

// `headers`, `attributes` and `DeliverySpec::extra` belong to whoever accepts and sends: the engine
// keeps the bytes and never looks at them. fields.h has an encoding for lists of names and values.
struct Message {
  std::string id;  // a ULID; made by the engine
  MessageKind kind = MessageKind::kAsync;
  std::string topic;  // CloudEvents `type`; empty for an asynchronous call
  std::string method;
  std::string path_and_query;
  std::string authority;
  std::string headers;
  std::string attributes;  // CloudEvents context attributes
  std::string body;
  absl::Time created_at;                            // made by the engine
  absl::Time expires_at = absl::InfiniteFuture();   // made by the engine
  absl::Duration retention = absl::ZeroDuration();  // how long a message without deliveries is kept
};

// An attempt that failed is repeated up to `num_retries` times, each time after a random wait in
// [0, min(max_interval, base_interval * 2^n)) where n counts the retries from 0 ("full jitter").
struct RetryPolicy {
  int num_retries = 0;
  absl::Duration base_interval = absl::Seconds(1);
  absl::Duration max_interval = absl::Minutes(5);
};

// The bytes of a message that a caller decides about.
int64_t SizeOf(const Message& message);

// What the policy said when the delivery was accepted. Stored with it: an edit of the policy does
// not change what was accepted before.
struct DeliverySpec {
  RetryPolicy retry;
  absl::Duration attempt_timeout = absl::Minutes(10);
  // How long the outcome is kept after the end, and how long if the end is a dead letter (a
  // message's delivery that failed or expired). Infinite: until it is dropped.
  absl::Duration retention = absl::Hours(24);
  absl::Duration dead_letter_retention = absl::InfiniteDuration();
  int concurrency = 0;  // not started while this many of its target are running; 0: no limit
  // Of an asynchronous call: its end is announced, see EngineOptions::callback_of.
  bool callback = false;
  std::string extra;
};

// What is on its way to a target: accepted and not final.
struct Backlog {
  int64_t deliveries = 0;
  int64_t bytes = 0;  // of their messages; one for several targets counts for each
};

struct NewDelivery {
  Target target;
  std::string cluster;
  std::optional<std::string>
      ordering_key;  // one at a time per target and key, in the order of acceptance
  // The first attempt is made no earlier than this after acceptance. Of its key, it holds up those
  // behind it all the while.
  absl::Duration delay = absl::ZeroDuration();
  // It is not accepted if the target's backlog would be larger. One alone may have more bytes: it
  // would never get through otherwise.
  Backlog max_backlog = {std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::max()};
  // Who will be told of its end (DeliverySpec::callback): it is not accepted either while that
  // target's backlog is as large as max_backlog.
  std::optional<Target> callback_target;
  DeliverySpec spec;
};

// A key that a caller chose so that repeating a request is harmless. `scope` is who may use it for
// what: the caller and the service that is called. `fingerprint` tells requests apart: a digest of
// method, path and body.
struct Idempotency {
  std::string scope;
  std::string key;
  std::string fingerprint;
};

// What the destination answered. status 0: there was no answer.
struct Answer {
  int status = 0;
  std::string headers;
  std::string body;
};

// One attempt that is to be made now.
struct ClaimedDelivery {
  uint64_t claim =
      0;  // names this attempt, in Engine::Complete and in the abort hook; never used twice
  std::string id;  // the same on every attempt
  std::shared_ptr<const Message> message;
  Target target;
  std::string cluster;
  std::optional<std::string> ordering_key;
  DeliverySpec spec;
  int attempt = 1;
  // AttemptOutcome::resume of the outcome before; then the message comes without its body. Empty:
  // from the beginning.
  std::string resume;
};

// How an attempt ended.
struct AttemptOutcome {
  enum class Verdict {
    kSuccess,           // -> succeeded
    kRetry,             // -> pending again, or failed if no retry is left
    kPermanentFailure,  // -> failed
    kAborted,           // stopped by us (shutdown): -> pending, and the attempt does not count
    kPostponed,  // it could not be sent: -> pending, and it does not count, so goes on for ever
    kContinue,   // the destination works on: -> pending; the next one continues from `resume`, and
                 // is no attempt of its own
  };
  Verdict verdict = Verdict::kSuccess;
  // kRetry: at least so long, up to max_interval. kPostponed, kContinue: just so long.
  absl::Duration retry_after = absl::ZeroDuration();
  std::string resume;  // kContinue: what the next one has to know, not empty; the engine keeps it
  std::optional<int> percent_complete;  // kContinue: 0 to 100, if it is known
  Answer answer;
  std::string error;  // for a person; what went wrong if there was no answer
};

struct DeliveryView {
  std::string id;
  Target target;
  std::string cluster;
  std::optional<std::string> ordering_key;
  DeliveryState state = DeliveryState::kPending;
  bool behind_key = false;  // pending because an earlier delivery of its key is not final
  bool held = false;        // pending because its message is held
  bool continues = false;   // not final, and the destination works on it (kContinue)
  FailureReason reason = FailureReason::kNone;
  int attempts = 0;                           // begun so far
  std::optional<absl::Time> next_attempt_at;  // pending, not behind its key and not held
  std::optional<absl::Time> started_at;       // of the latest attempt
  std::optional<absl::Time> finished_at;
  std::optional<int> percent_complete;  // 0 to 100, as the destination has said last
  int last_status = 0;                  // 0: none yet, or no answer
  std::string last_error;
  std::string callback_id;  // of the message that announces the end; empty: there is none (yet)
  std::string extra;        // DeliverySpec::extra
};

// Everything about a message but its content.
struct MessageSummary {
  std::string id;
  MessageKind kind = MessageKind::kAsync;
  std::string topic;
  std::string method;
  std::string path_and_query;
  std::string authority;
  absl::Time created_at;
  absl::Time expires_at = absl::InfiniteFuture();
  bool forgotten =
      false;  // content and answer are gone, after the retention; only the status is left
};

struct MessageView {
  MessageSummary message;
  std::vector<DeliveryView> deliveries;

  bool final() const;  // every delivery is
};

// What a message carries: the parts of Message that a summary leaves out.
struct Content {
  std::string headers;
  std::string attributes;
  std::string body;  // empty if it is longer than it may be
  size_t body_bytes = 0;
};

struct ListedDelivery {
  MessageSummary message;
  DeliveryView delivery;
  std::optional<Answer> answer;    // if it was asked for, and one was kept
  std::optional<Content> content;  // if it was asked for, and is not forgotten
};

// Absent fields match everything; texts match whole.
struct DeliveryFilter {
  std::vector<DeliveryState> states;  // any of these; empty: all
  std::optional<MessageKind> kind;
  std::optional<Target> target;
  std::optional<std::string> route;  // its operations, and their callbacks to whichever cluster
  std::optional<std::string> topic;
  std::optional<std::string> cluster;
  std::optional<std::string> ordering_key;
  std::optional<absl::Time> created_after;   // at that time or after it
  std::optional<absl::Time> created_before;  // before that time
  std::optional<FailureReason> reason;
  std::optional<int> last_status;  // 0: no answer
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_MODEL_H_
