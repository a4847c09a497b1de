// Where deliveries are kept so that they survive the process: the interface of the engine's stores.
//
// One thread at a time uses a store. Every call between Begin and Commit is part of one
// transaction; calls that only read may also be made outside of one.
//
// The store keeps two things true whatever the engine does:
//  - of all deliveries of one target with the same ordering key, at most one is due or running; the
//  others are
//    pending *behind* it, in the order of acceptance, and are not due until the store lets the next
//    one go.
//  - a held delivery is pending, but not due, and takes no place in the order of its key until it
//  is released.
//  - a running delivery has an owner and the time until which it may hold it (a lease). The
//  embedded store has
//    one owner at a time, so it only records them; a store that several sidecars share takes work
//    back from an owner whose lease is over.
//
// Errors, of every function, with a message that names the store, the cause and what to do:
//   ResourceExhausted: the disk is full.  Unavailable: input/output error, or locked by another
//   process. DataLoss: the store is damaged.
// OutOfRange: what is to be stored is too large for this store; that one call has done nothing, and
// the transaction goes on.
// After any other error inside a transaction nothing of it is kept, and the caller must call
// Rollback().
// The store can be used again after it, and may well work again.
#ifndef PILLION_SIDECAR_DELIVERY_STORE_H_
#define PILLION_SIDECAR_DELIVERY_STORE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sidecar/delivery/model.h"

namespace pillion::delivery {

// The store's own number of a message or a delivery. Accepted later is greater.
using RowId = int64_t;

struct Lease {
  std::string_view owner;
  absl::Duration grace;  // the lease ends this long after the attempt's own timeout
};

// What to do with a delivery on its way to a target, as far as its key and the caller allow it.
enum class Placement { kRunning, kDue, kBehindKey, kHeld };

// Until when a delivery rests before its next attempt.
struct Rest {
  absl::Time until;
  bool fixed = false;  // the destination named the time: MakeDue does not cut it short
};

// How far MakeDue has come: the last rest that it ended.
struct RestCursor {
  absl::Time due_at;
  RowId row = 0;
};

// The identity of a delivery with all that changes of state need to know.
struct DeliveryRef {
  RowId row = 0;
  Target target;
  std::optional<std::string> ordering_key;
  int64_t bytes = 0;  // that it counts for in its target's backlog
};

struct InsertedDelivery {
  DeliveryRef ref;
  Placement placement = Placement::kDue;
};

struct StoredDelivery {
  DeliveryRef ref;
  DeliveryView view;
  DeliverySpec spec;
};

struct StoredMessage {
  RowId row = 0;
  MessageSummary summary;
  std::vector<StoredDelivery> deliveries;
};

// What is needed to end a delivery.
struct DeliveryEntry {
  DeliveryRef ref;
  std::string cluster;
  std::string id;
  std::string message_id;
  MessageKind kind = MessageKind::kAsync;
  DeliveryState state = DeliveryState::kPending;
  DeliverySpec spec;
};

// The next delivery of a target that waits for its time, and when that is.
struct DueDelivery {
  DeliveryEntry entry;
  absl::Time due_at;
  absl::Time expires_at;
};

struct TargetDue {
  Target target;
  absl::Time due_at;
};

struct TargetBacklog {
  Target target;
  Backlog backlog;
};

// How a delivery ends.
struct Ending {
  DeliveryState state = DeliveryState::kSucceeded;  // a final one
  FailureReason reason = FailureReason::kNone;
  absl::Time at;
  absl::Time forget_at;  // InfiniteFuture: kept until it is dropped
  // Of the attempt that ended it; nothing if none did (canceled, expired): then the last attempt's
  // stay.
  std::optional<int> last_status;
  std::string_view last_error;
  const Answer* answer = nullptr;  // to be kept; null: none
};

struct IdempotencyRecord {
  std::string message_id;
  std::string fingerprint;
};

struct StoredResult {
  StoredMessage message;  // with the one delivery that was asked for
  std::optional<Answer> answer;
};

struct ScanPage {
  std::vector<StoredMessage> found;  // each with one delivery
  RowId scanned_to = 0;
  bool end = false;
};

// What Forget and Drop have deleted.
struct Deleted {
  int64_t bytes = 0;   // roughly, of content and answers
  int64_t failed = 0;  // deliveries in state failed
};

struct StoreCounts {
  int64_t unfinished = 0;
  int64_t failed = 0;
};

enum class Durability { kNow, kSoon };

class Store {
 public:
  virtual ~Store() = default;

  // Transactions do not nest. After Commit everything since Begin survives the end of the process.
  // Whether a power cut too: kNow, when it returns; kSoon, after the next Commit(kNow), or the
  // Upkeep() that is due a few milliseconds later.
  virtual absl::Status Begin() = 0;
  virtual absl::Status Commit(Durability durability, absl::Time now) = 0;
  virtual void Rollback() = 0;

  // What the store has to do besides, outside of transactions, and when.
  virtual absl::Time NextUpkeep() const = 0;  // InfiniteFuture: nothing
  virtual absl::Status Upkeep(absl::Time now) = 0;

  // --- Accepting ---
  virtual absl::StatusOr<std::optional<IdempotencyRecord>> FindIdempotent(std::string_view scope,
                                                                          std::string_view key) = 0;
  // `deliveries` calls of InsertDelivery follow, in the same transaction, with `index` from 0.
  virtual absl::StatusOr<RowId> InsertMessage(const Message& message,
                                              const Idempotency* idempotency,
                                              size_t deliveries) = 0;
  // `id` is the message's own if its kind is kAsync. With a lease it is inserted as running,
  // attempt 1, unless an earlier one of its key is not final; `held` goes before either.
  virtual absl::StatusOr<InsertedDelivery> InsertDelivery(RowId message_row, size_t index,
                                                          const Message& message,
                                                          const NewDelivery& delivery,
                                                          std::string_view id, const Lease* lease,
                                                          bool held) = 0;
  // With what this transaction has done.
  virtual absl::StatusOr<Backlog> BacklogOf(const Target& target) = 0;
  // Of the targets whose backlog was changed by commits since the last call; at first, of all that
  // have one. Not in a transaction.
  virtual std::vector<TargetBacklog> TakeChangedBacklogs() = 0;
  // Unavailable, with what to do, if what is inserted would be gone with this process although the
  // store works: its files were deleted, moved away or replaced.
  virtual absl::Status CheckFiles(absl::Time now) = 0;
  // How many bytes of disk hold something, finished or not. What was deleted does not count: its
  // room is used again.
  virtual absl::StatusOr<int64_t> UsedBytes() = 0;

  // --- Held messages ---
  // The held deliveries of the message become due at `now`, or when their delay is over, or go
  // behind those of their keys that were accepted before or are under way. Its attributes become
  // `attributes`, unless those are empty. Returns the targets of what is due, and when; nothing if
  // it is unknown or none of its deliveries is held (any more).
  virtual absl::StatusOr<std::optional<std::vector<TargetDue>>> Release(std::string_view message_id,
                                                                        std::string_view attributes,
                                                                        absl::Time now) = 0;
  // Deletes the held deliveries of the message, and the message unless it has others: those that
  // were canceled while they were held, and perhaps replayed. Returns how many were held.
  virtual absl::StatusOr<int64_t> Discard(std::string_view message_id, absl::Time now) = 0;

  // --- Scheduling ---
  // Every running delivery becomes pending and due at `now`, with the attempts it had; every held
  // message is released. For the start: those that ran or held them are gone. If the newest
  // message was accepted after `now`, the clock was set back since, and the times of all that is
  // not final with it.
  virtual absl::Status Recover(absl::Time now) = 0;
  virtual absl::StatusOr<std::vector<TargetDue>> PendingTargets() = 0;
  virtual absl::StatusOr<std::optional<DueDelivery>> NextDue(const Target& target) = 0;
  // Pending becomes running, with one attempt more unless it continues. Nothing if it is not
  // pending any more. `claim` is left to the engine.
  virtual absl::StatusOr<std::optional<ClaimedDelivery>> Claim(RowId row, absl::Time now,
                                                               const Lease& lease) = 0;
  // Running becomes pending. `counts`: whether the attempt does, unless it continued one.
  virtual absl::Status Reschedule(RowId row, const Rest& rest, bool counts, int last_status,
                                  std::string_view last_error) = 0;
  // From now on the delivery continues from `resume`: claiming it again is no new attempt.
  virtual absl::Status SetResume(RowId row, std::string_view resume) = 0;
  virtual absl::Status SetProgress(RowId row, int percent_complete) = 0;
  // What rests for `cluster` after an attempt, and would rest beyond `after`, is due at `now`;
  // `limit` of them at most, those with the shortest rests. Not what is delayed since its
  // acceptance, nor what has a fixed rest. Returns the targets of that, with repetitions, and moves
  // `after` on; nothing: that was all.
  virtual absl::StatusOr<std::vector<Target>> MakeDue(std::string_view cluster, absl::Time now,
                                                      RestCursor& after, size_t limit) = 0;
  // Not final becomes final. Returns when the next one of its key is due, if that let one go.
  virtual absl::StatusOr<std::optional<absl::Time>> Finish(const DeliveryRef& delivery,
                                                           const Ending& ending) = 0;
  // Notes the id of the message that announces the end of this delivery.
  virtual absl::Status SetCallback(RowId row, std::string_view message_id) = 0;
  // Final becomes pending, from the beginning, with no attempts and its whole lifetime before it.
  // Its answer is deleted.
  virtual absl::StatusOr<Placement> Replay(const DeliveryRef& delivery, absl::Time now) = 0;
  // Deletes a final delivery, and its message with the last one.
  virtual absl::StatusOr<Deleted> Drop(RowId row, absl::Time now) = 0;

  // --- Deadlines ---
  virtual absl::StatusOr<absl::Time> NextDeadline() = 0;  // InfiniteFuture if there is none
  // Deliveries whose time has come: to expire if they are not final, to be forgotten if they are.
  virtual absl::StatusOr<std::vector<DeliveryEntry>> Overdue(absl::Time now, size_t limit) = 0;
  // For a final delivery whose time to be kept is over. Of an asynchronous call the content and the
  // answer go at once, and the status stays until `status_until`; a message goes when the last of
  // its deliveries may.
  virtual absl::StatusOr<Deleted> Forget(RowId row, absl::Time now, absl::Time status_until) = 0;
  // Deletes messages without deliveries whose retention is over; returns how many.
  virtual absl::StatusOr<size_t> ForgetUndelivered(absl::Time now, size_t limit) = 0;

  // --- Reading ---
  // By the id of a message (with all deliveries) or of a delivery (with that one).
  virtual absl::StatusOr<std::optional<StoredMessage>> Find(std::string_view id) = 0;
  virtual absl::StatusOr<std::optional<StoredResult>> FindResult(std::string_view id) = 0;
  // Of what Find or Scan has just returned: the answer that was kept of a delivery; what a message
  // carries, nothing if it is forgotten, without a body of more than `max_body` bytes.
  virtual absl::StatusOr<std::optional<Answer>> ReadAnswer(RowId delivery) = 0;
  virtual absl::StatusOr<std::optional<Content>> ReadContent(RowId message, size_t max_body) = 0;
  // In order of acceptance, those after `after` that match. Looks at no more than `scan_limit`
  // rows.
  virtual absl::StatusOr<ScanPage> Scan(const DeliveryFilter& filter, RowId after, size_t limit,
                                        size_t scan_limit) = 0;
  virtual absl::StatusOr<StoreCounts> Counts() = 0;
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_STORE_H_
