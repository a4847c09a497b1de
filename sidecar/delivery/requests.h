// What is asked of the delivery engine and what it replies. engine.h says how.
#ifndef PILLION_SIDECAR_DELIVERY_REQUESTS_H_
#define PILLION_SIDECAR_DELIVERY_REQUESTS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sidecar/delivery/model.h"

namespace pillion::delivery {

struct AcceptRequest;

struct EngineOptions {
  std::string owner = "sidecar";  // who claims deliveries: unique among those that share a store
  int max_running = 1024;         // attempts at a time
  int64_t max_running_bytes =
      int64_t{256} << 20;  // no attempt begins while those that run hold so much in memory
  // Deliveries that are not final, all targets together, and what the store may use on its disk;
  // beyond that nothing is accepted.
  int64_t max_pending = std::numeric_limits<int64_t>::max();
  int64_t max_store_bytes = std::numeric_limits<int64_t>::max();
  size_t max_queued = 8192;  // commands that wait for the next commit
  int64_t max_queued_bytes = int64_t{64}
                             << 20;  // of the messages among them; one larger than this is alone
  // Of the messages of one AcceptAll() together: less than any store's limit for one message.
  int64_t max_batch_bytes = int64_t{512} << 20;
  size_t max_watches = 10000;
  absl::Duration lease_grace = absl::Seconds(30);
  // An operation's status outlives its result by the result's retention, but not by more than this.
  absl::Duration max_status_retention = absl::Hours(24);
  // The message (MessageKind::kCallback) that announces the end of an operation whose
  // DeliverySpec::callback is set; it is stored in the transaction that ends the operation, so that
  // there is none without the other. Nothing: it is not announced. Called on the engine's thread;
  // must be quick.
  std::function<std::optional<AcceptRequest>(const MessageView& operation)> callback_of;
};

template <typename Reply>
using Callback = absl::AnyInvocable<void(absl::StatusOr<Reply>)>;

struct AcceptRequest {
  Message message;  // `id`, `created_at` and `expires_at` are set by the engine
  // Exactly one for MessageKind::kAsync; any number, also none, for a message.
  std::vector<NewDelivery> deliveries;
  std::optional<Idempotency> idempotency;
  // Stored, but not delivered before Engine::Release(); after the end of the process the next one
  // releases it. Not for MessageKind::kAsync.
  bool held = false;
  // Deliveries that are not final after this become `expired`.
  absl::Duration expires_after = absl::InfiniteDuration();
};

struct Accepted {
  std::string id;  // of the operation or message
  bool repeated =
      false;  // known by its idempotency key: nothing was stored, `id` is the first one's
  std::vector<std::string> delivery_ids;  // in the order given; empty if repeated
};

struct DeliveryResult {
  enum class Availability {
    kReady,      // `answer` is there
    kNotDone,    // not final yet
    kNoAnswer,   // final, but no destination answered: see the delivery's state and last_error
    kForgotten,  // its retention is over
  };
  Availability availability = Availability::kNotDone;
  MessageView view;  // with the one delivery that was asked for
  std::optional<Answer> answer;
};

struct ListRequest {
  DeliveryFilter filter;
  std::string page_token;  // of the page before; empty: from the beginning
  size_t limit = 100;      // 1 to 1000
  bool full = false;       // with answers and contents
};

// In order of acceptance. May have fewer than were asked for while there is a next page: one page
// looks at no more than kMaxScanned rows, and has no more than kMaxFullBytes of answers and
// contents.
struct DeliveryPage {
  std::vector<ListedDelivery> deliveries;
  std::string next_page_token;  // empty: this was the last page
};

// What one page of a list, or one change, looks at and changes at most. Whoever wants more asks
// again with the token: so nobody's request occupies the engine for long.
inline constexpr size_t kMaxScanned = 65536;
inline constexpr size_t kMaxChanged = 4096;
// Of the answers and contents in one page of a full list, unless the first alone has more: well
// below the 4 MiB that gRPC's clients take by default.
inline constexpr size_t kMaxFullBytes = 2 << 20;
// A longer body is left out of what is told of a delivery.
inline constexpr size_t kMaxToldBody = 16 << 20;

// Deliveries by their ids (a message's id stands for all of its deliveries), or all that match.
using DeliverySelection = std::variant<std::vector<std::string>, DeliveryFilter>;

struct ChangeRequest {
  enum class Kind {
    // Failed, expired and canceled ones become pending again, with new attempts and their whole
    // lifetime.
    kReplay,
    // Pending and running ones become canceled; what runs is aborted.
    kCancel,
    // Final ones are deleted.
    kDrop,
  };
  Kind kind = Kind::kReplay;
  // Of a filter without states: see IsMeant().
  DeliverySelection selection;
  std::string page_token;  // of the change before, for a filter; empty: from the beginning
};

// Whether it can be done to a delivery in this state.
constexpr bool IsPossible(ChangeRequest::Kind kind, DeliveryState state) {
  switch (kind) {
    case ChangeRequest::Kind::kReplay:
      return IsFinal(state) && state != DeliveryState::kSucceeded;
    case ChangeRequest::Kind::kCancel:
      return !IsFinal(state);
    case ChangeRequest::Kind::kDrop:
      return IsFinal(state);
  }
  return false;
}

// Whether a filter without states is for deliveries in this one. What succeeded, with its
// idempotency key, and what somebody canceled, is changed only if it is named.
constexpr bool IsMeant(ChangeRequest::Kind kind, DeliveryState state) {
  if (kind == ChangeRequest::Kind::kReplay && state == DeliveryState::kCanceled) return false;
  if (kind == ChangeRequest::Kind::kDrop && state == DeliveryState::kSucceeded) return false;
  return IsPossible(kind, state);
}

struct ChangeSummary {
  int64_t changed = 0;
  int64_t skipped = 0;  // selected, but not in a state that allows it, or forgotten
  std::vector<std::string> unknown_ids;
  std::string next_page_token;  // not empty: there may be more that match the filter
};

using WatchId = uint64_t;

// Totals count since the start; the others are of now.
struct EngineStats {
  int64_t accepted = 0;  // messages; a held one counts when it is released
  int64_t repeated = 0;  // accepts answered by their idempotency key
  // Accepts that were refused because too much waits for the next commit, because a target's
  // backlog, or because the store is full or fails.
  int64_t rejected_by_queue = 0;
  int64_t rejected_by_backlog = 0;
  int64_t rejected_by_store = 0;
  int64_t attempts = 0;
  int64_t retries = 0;  // attempts that failed and will be repeated
  int64_t succeeded = 0;
  int64_t failed = 0;
  int64_t canceled = 0;
  int64_t expired = 0;
  int64_t forgotten = 0;  // retention is over
  int64_t commits = 0;
  int64_t store_errors = 0;
  std::string last_store_error;  // empty when the store works

  int64_t pending = 0;
  int64_t running = 0;
  int64_t dead = 0;  // in state failed
  int64_t queued = 0;
  int64_t queued_bytes = 0;
  int64_t store_bytes = 0;  // see Store::UsedBytes; as of the last accept
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_REQUESTS_H_
