// The worker's changes: accepting, starting and ending attempts, canceling, deadlines. All of them
// run inside a transaction, and tell what follows from it only through effects_.
#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/telemetry/log.h"
#include "sidecar/delivery/backoff.h"
#include "sidecar/delivery/room.h"
#include "sidecar/delivery/status_macros.h"
#include "sidecar/delivery/ulid.h"
#include "sidecar/delivery/worker.h"

namespace pillion::delivery {
namespace {

constexpr log::Logger kLog("delivery");

constexpr absl::Duration kFilesLogInterval = absl::Minutes(1);
// What a dead letter keeps of the last answer's body.
constexpr size_t kKeptOfAnswer = 2048;
// Limits of one transaction's share of starting, expiring and forgetting, so that accepts never
// wait long for it.
constexpr size_t kStartsAtOnce = 64;
constexpr size_t kDeadlinesAtOnce = 256;
constexpr int64_t kBytesForgottenAtOnce = int64_t{4} << 20;

bool IsDeadLetter(const DeliveryEntry& entry, DeliveryState state) {
  return entry.kind != MessageKind::kAsync &&
         (state == DeliveryState::kFailed || state == DeliveryState::kExpired);
}

// An end that no attempt brought.
Ending EndingAs(DeliveryState state) {
  Ending ending;
  ending.state = state;
  return ending;
}

// A reply that waits for the commit: `reply`, or the error that prevented it.
template <typename Reply>
absl::AnyInvocable<void(const absl::Status&)> WhenCommitted(Callback<Reply> done,
                                                            absl::StatusOr<Reply> reply) {
  return [done = std::move(done), reply = std::move(reply)](const absl::Status& status) mutable {
    if (status.ok()) {
      done(std::move(reply));
    } else {
      done(absl::Status(status.code(), status.message()));
    }
  };
}

}  // namespace

absl::Status Worker::ApplyWrite(Command& command) {
  if (auto* accept = std::get_if<AcceptCommand>(&command)) return ApplyAccept(*accept);
  if (auto* all = std::get_if<AcceptAllCommand>(&command)) return ApplyAcceptAll(*all);
  if (auto* cancel = std::get_if<CancelCommand>(&command)) return ApplyCancel(*cancel);
  if (auto* progress = std::get_if<ProgressCommand>(&command)) return ApplyProgress(*progress);
  auto* change = std::get_if<ChangeCommand>(&command);
  assert(change != nullptr);
  change_jobs_.emplace_back().command = std::move(*change);
  return absl::OkStatus();
}

// --- Accepting ---

absl::Status Worker::ApplyAccept(AcceptCommand& command) {
  AcceptRequest& request = command.request;
  const std::optional<Idempotency>& idempotency = request.idempotency;
  if (idempotency.has_value()) {
    PILLION_ASSIGN_OR_RETURN(const auto known,
                             store_->FindIdempotent(idempotency->scope, idempotency->key));
    if (known.has_value() && known->fingerprint != idempotency->fingerprint) {
      effects_.replies.push_back(WhenCommitted<Accepted>(
          std::move(command.done), absl::AlreadyExistsError(absl::StrCat(
                                       "the idempotency key '", idempotency->key,
                                       "' was used with another request; take a new key"))));
      return absl::OkStatus();
    }
    if (known.has_value()) {
      ++effects_.counts.repeated;
      effects_.replies.push_back(
          WhenCommitted<Accepted>(std::move(command.done), Accepted{known->message_id, true, {}}));
      return absl::OkStatus();
    }
  }
  absl::Status refusal;
  PILLION_RETURN_IF_ERROR(CheckRoom(absl::MakeConstSpan(&command, 1), refusal));
  if (!refusal.ok()) {
    effects_.replies.push_back(
        WhenCommitted<Accepted>(std::move(command.done), std::move(refusal)));
    return absl::OkStatus();
  }
  const std::shared_ptr<const Message> message = TakeMessage(request);
  const absl::StatusOr<RowId> message_row = store_->InsertMessage(
      *message, idempotency.has_value() ? &*idempotency : nullptr, request.deliveries.size());
  if (absl::IsOutOfRange(message_row.status())) {
    effects_.replies.push_back(WhenCommitted<Accepted>(
        std::move(command.done), absl::OutOfRangeError(message_row.status().message())));
    return absl::OkStatus();
  }
  if (!message_row.ok()) return message_row.status();
  PILLION_RETURN_IF_ERROR(InsertDeliveries(command, *message_row, message));
  if (!request.held) ++effects_.counts.accepted;
  effects_.replies.push_back(WhenCommitted<Accepted>(
      std::move(command.done), Accepted{message->id, false, std::move(command.delivery_ids)}));
  return absl::OkStatus();
}

// Of several, each is counted with those before it.
absl::Status Worker::CheckRoom(absl::Span<const AcceptCommand> accepts, absl::Status& refusal) {
  absl::flat_hash_map<Target, Backlog> before;
  Backlog all;
  for (const AcceptCommand& accept : accepts) {
    const int64_t bytes = SizeOf(accept.request.message);
    for (const NewDelivery& delivery : accept.request.deliveries) {
      PILLION_ASSIGN_OR_RETURN(Backlog backlog, store_->BacklogOf(delivery.target));
      if (accepts.size() > 1) {
        Backlog& added = before[delivery.target];
        backlog.deliveries += added.deliveries++;
        backlog.bytes += added.bytes;
        added.bytes += bytes;
      }
      refusal = HasRoom(delivery.target, backlog, delivery.max_backlog, bytes);
      if (refusal.ok() && delivery.callback_target.has_value()) {
        PILLION_ASSIGN_OR_RETURN(backlog, store_->BacklogOf(*delivery.callback_target));
        // Nobody knows yet how large the announcement will be.
        refusal = HasRoom(*delivery.callback_target, backlog, delivery.max_backlog, 1);
      }
      if (refusal.ok()) continue;
      if (const auto batch = before.find(delivery.target);
          batch != before.end() && batch->second.deliveries > delivery.max_backlog.deliveries) {
        refusal = TooManyAtOnce(delivery.target, delivery.max_backlog.deliveries);
      }
      ++effects_.counts.rejected_by_backlog;
      return absl::OkStatus();
    }
    all.deliveries += static_cast<int64_t>(accept.request.deliveries.size());
    all.bytes += bytes;
  }
  if (!effects_.store_bytes.has_value()) {
    effects_.store_files = store_->CheckFiles(now_);
    PILLION_ASSIGN_OR_RETURN(effects_.store_bytes, store_->UsedBytes());
  }
  if (!effects_.store_files.ok()) {
    static log::Limited files_gone(kLog, kFilesLogInterval);
    files_gone.Error(effects_.store_files.message());
    ++effects_.counts.rejected_by_store;
    // Of its own text, as it goes to another thread.
    refusal = absl::UnavailableError(effects_.store_files.message());
    return absl::OkStatus();
  }
  const auto pending = stats_.pending + effects_.counts.pending +
                       static_cast<int64_t>(running_.size()) + all.deliveries;
  const bool too_many = pending > options_.max_pending;
  if (too_many || *effects_.store_bytes + all.bytes > options_.max_store_bytes) {
    ++effects_.counts.rejected_by_store;
    refusal = too_many ? StoreIsFull("max_pending", options_.max_pending)
                       : StoreIsFull("max_bytes", options_.max_store_bytes);
    return absl::OkStatus();
  }
  *effects_.store_bytes += all.bytes;
  return absl::OkStatus();
}

// What the store refuses here would be part of others' transaction: the engine's limit for a batch
// is below that of any store.
absl::Status Worker::ApplyAcceptAll(AcceptAllCommand& command) {
  absl::Status refusal;
  PILLION_RETURN_IF_ERROR(CheckRoom(command.accepts, refusal));
  if (!refusal.ok()) {
    effects_.replies.push_back(
        WhenCommitted<std::vector<Accepted>>(std::move(command.done), std::move(refusal)));
    return absl::OkStatus();
  }
  std::vector<Accepted> accepted;
  for (AcceptCommand& accept : command.accepts) {
    const std::shared_ptr<const Message> message = TakeMessage(accept.request);
    PILLION_ASSIGN_OR_RETURN(
        const RowId row,
        store_->InsertMessage(*message, nullptr, accept.request.deliveries.size()));
    PILLION_RETURN_IF_ERROR(InsertDeliveries(accept, row, message));
    ++effects_.counts.accepted;
    accepted.push_back({message->id, false, std::move(accept.delivery_ids)});
  }
  effects_.replies.push_back(
      WhenCommitted<std::vector<Accepted>>(std::move(command.done), std::move(accepted)));
  return absl::OkStatus();
}

std::shared_ptr<const Message> Worker::TakeMessage(AcceptRequest& request) const {
  request.message.created_at = now_;
  request.message.expires_at = now_ + request.expires_after;
  return std::make_shared<const Message>(std::move(request.message));
}

absl::Status Worker::InsertDeliveries(AcceptCommand& command, RowId message_row,
                                      const std::shared_ptr<const Message>& message) {
  std::vector<NewDelivery>& deliveries = command.request.deliveries;
  NoteDeadline(deliveries.empty() ? now_ + message->retention : message->expires_at);
  for (size_t i = 0; i < deliveries.size(); ++i) {
    NewDelivery& delivery = deliveries[i];
    const bool start = dispatching_ && !degraded() && !command.request.held &&
                       delivery.delay <= absl::ZeroDuration() &&
                       scheduler_.MayStartNow(delivery.target, delivery.cluster,
                                              delivery.spec.concurrency, now_) &&
                       !KeyIsHeld(delivery.target, delivery.ordering_key);
    PILLION_ASSIGN_OR_RETURN(
        InsertedDelivery inserted,
        store_->InsertDelivery(message_row, i, *message, delivery, command.delivery_ids[i],
                               start ? &lease_ : nullptr, command.request.held));
    ++effects_.counts.pending;
    if (inserted.placement == Placement::kDue) {
      scheduler_.AddDue(delivery.target, now_ + delivery.delay);
    }
    if (inserted.placement != Placement::kRunning) continue;
    ClaimedDelivery claimed;
    claimed.id = command.delivery_ids[i];
    claimed.message = message;
    claimed.target = std::move(delivery.target);
    claimed.cluster = std::move(delivery.cluster);
    claimed.ordering_key = std::move(delivery.ordering_key);
    claimed.spec = std::move(delivery.spec);
    BeginAttempt(std::move(claimed), std::move(inserted.ref));
  }
  return absl::OkStatus();
}

// --- Starting ---

absl::Status Worker::StartDue() {
  if (!dispatching_) return absl::OkStatus();
  // What has expired meanwhile takes no place, so that nothing else would end this.
  while (effects_.expired < kDeadlinesAtOnce && effects_.started.size() < kStartsAtOnce) {
    const std::optional<Target> target = scheduler_.NextTurn(now_);
    if (!target.has_value()) break;
    PILLION_RETURN_IF_ERROR(StartNext(*target));
  }
  return absl::OkStatus();
}

absl::Status Worker::StartNext(const Target& target) {
  PILLION_ASSIGN_OR_RETURN(const std::optional<DueDelivery> due, store_->NextDue(target));
  if (!due.has_value() || due->due_at > now_) {
    scheduler_.NotDue(target, due.has_value() ? due->due_at : absl::InfiniteFuture());
    return absl::OkStatus();
  }
  if (due->expires_at <= now_) {
    scheduler_.Took(target);
    ++effects_.expired;
    return EndDelivery(due->entry, EndingAs(DeliveryState::kExpired));
  }
  const DeliveryEntry& entry = due->entry;
  if (scheduler_.Wait(target, entry.cluster, entry.spec.concurrency)) return absl::OkStatus();
  if (KeyIsHeld(target, entry.ref.ordering_key)) {
    scheduler_.AtLimit(target);
    return absl::OkStatus();
  }
  PILLION_ASSIGN_OR_RETURN(std::optional<ClaimedDelivery> claimed,
                           store_->Claim(entry.ref.row, now_, lease_));
  scheduler_.Took(target);
  if (claimed.has_value()) BeginAttempt(*std::move(claimed), entry.ref);
  return absl::OkStatus();
}

void Worker::BeginAttempt(ClaimedDelivery claimed, DeliveryRef ref) {
  claimed.claim = next_claim_++;
  Running running;
  running.entry.ref = std::move(ref);
  running.entry.cluster = claimed.cluster;
  running.entry.id = claimed.id;
  running.entry.message_id = claimed.message->id;
  running.entry.kind = claimed.message->kind;
  running.entry.state = DeliveryState::kRunning;
  running.entry.spec = claimed.spec;
  running.entry.spec.extra.clear();  // the dispatcher's own, and has it
  running.attempt = claimed.attempt;
  running.bytes = SizeOf(*claimed.message);
  scheduler_.Started(claimed.target, claimed.cluster, running.bytes);
  claim_of_row_[running.entry.ref.row] = claimed.claim;
  running_.emplace(claimed.claim, std::move(running));
  ++effects_.counts.attempts;
  --effects_.counts.pending;
  MarkChanged(claimed.message->id);
  effects_.started.push_back(std::move(claimed));
}

// --- Ending ---

absl::Status Worker::ApplyOutcome(const Outcome& outcome) {
  const auto it = running_.find(outcome.claim);
  if (it == running_.end()) return absl::OkStatus();
  effects_.ended.emplace_back(it->first, std::move(it->second));
  running_.erase(it);
  const Running& running = effects_.ended.back().second;
  scheduler_.Ended(running.entry.ref.target, running.entry.cluster, running.bytes);
  if (running.settled) return absl::OkStatus();
  claim_of_row_.erase(running.entry.ref.row);
  // By value: what follows may begin another attempt, and effects_ may move.
  return EndAttempt(Running(running), outcome);
}

absl::Status Worker::EndAttempt(const Running& running, const Outcome& ended) {
  using Verdict = AttemptOutcome::Verdict;
  const AttemptOutcome& outcome = ended.outcome;
  if (outcome.verdict == Verdict::kAborted || outcome.verdict == Verdict::kPostponed) {
    return Retry(running, outcome);
  }
  if (outcome.verdict == Verdict::kContinue) return Continue(running, outcome);
  if (outcome.verdict == Verdict::kRetry &&
      running.attempt <= running.entry.spec.retry.num_retries) {
    return Retry(running, outcome);
  }
  Ending ending;
  if (outcome.verdict != Verdict::kSuccess) {
    ending.state = DeliveryState::kFailed;
    ending.reason = outcome.verdict == Verdict::kRetry ? FailureReason::kRetriesExhausted
                                                       : FailureReason::kRejected;
  }
  // The caller of an operation gets the answer as it is. Of a message's delivery only the dead
  // letter keeps it, for a person to look at.
  Answer cut;
  ending.last_status = outcome.answer.status;
  ending.last_error = outcome.error;
  if (outcome.answer.status == 0 || ended.answer_dropped) {
    // Nobody answered, as far as it is known.
  } else if (running.entry.kind == MessageKind::kAsync) {
    ending.answer = &outcome.answer;
  } else if (ending.state == DeliveryState::kFailed) {
    cut = {outcome.answer.status, outcome.answer.headers,
           outcome.answer.body.substr(0, kKeptOfAnswer)};
    ending.answer = &cut;
  }
  const absl::Status status = EndDelivery(running.entry, ending);
  if (!absl::IsOutOfRange(status)) return status;
  const std::string error = absl::StrCat("the answer cannot be kept: ", status.message());
  ending.state = DeliveryState::kFailed;
  ending.reason = FailureReason::kRejected;
  ending.last_error = error;
  ending.answer = nullptr;
  return EndDelivery(running.entry, ending);
}

absl::Status Worker::Retry(const Running& running, const AttemptOutcome& outcome) {
  using Verdict = AttemptOutcome::Verdict;
  const bool counts = outcome.verdict == Verdict::kRetry;
  Rest rest{now_};
  if (outcome.verdict == Verdict::kPostponed) rest.until += outcome.retry_after;
  if (counts) {
    rest.until +=
        NextBackoff(running.entry.spec.retry, running.attempt, outcome.retry_after, *random_);
    rest.fixed = outcome.retry_after > absl::ZeroDuration();
    ++effects_.counts.retries;
  }
  ++effects_.counts.pending;
  scheduler_.AddDue(running.entry.ref.target, rest.until);
  MarkChanged(running.entry.message_id);
  return store_->Reschedule(running.entry.ref.row, rest, counts, outcome.answer.status,
                            outcome.error);
}

absl::Status Worker::Continue(const Running& running, const AttemptOutcome& outcome) {
  const Rest rest{now_ + outcome.retry_after, /*fixed=*/true};
  ++effects_.counts.pending;
  scheduler_.AddDue(running.entry.ref.target, rest.until);
  MarkChanged(running.entry.message_id);
  PILLION_RETURN_IF_ERROR(store_->Reschedule(running.entry.ref.row, rest, /*counts=*/true,
                                             outcome.answer.status, outcome.error));
  PILLION_RETURN_IF_ERROR(store_->SetResume(running.entry.ref.row, outcome.resume));
  if (!outcome.percent_complete.has_value()) return absl::OkStatus();
  return store_->SetProgress(running.entry.ref.row, *outcome.percent_complete);
}

absl::Status Worker::EndDelivery(const DeliveryEntry& entry, Ending ending) {
  ending.at = now_;
  ending.forget_at = ForgetAt(entry, ending.state);
  PILLION_ASSIGN_OR_RETURN(const std::optional<absl::Time> next_of_key,
                           store_->Finish(entry.ref, ending));
  if (next_of_key.has_value()) scheduler_.AddDue(entry.ref.target, *next_of_key);
  NoteDeadline(ending.forget_at);
  if (entry.state == DeliveryState::kPending) --effects_.counts.pending;
  effects_.counts.succeeded += ending.state == DeliveryState::kSucceeded;
  effects_.counts.failed += ending.state == DeliveryState::kFailed;
  effects_.counts.dead += ending.state == DeliveryState::kFailed;
  effects_.counts.canceled += ending.state == DeliveryState::kCanceled;
  effects_.counts.expired += ending.state == DeliveryState::kExpired;
  MarkChanged(entry.message_id);
  return entry.spec.callback ? Announce(entry) : absl::OkStatus();
}

// Stores the callback of an operation that has just ended, whatever waits already: the limit of
// that is for CheckRoom.
absl::Status Worker::Announce(const DeliveryEntry& entry) {
  PILLION_ASSIGN_OR_RETURN(const MessageView operation, View(entry.message_id));
  std::optional<AcceptRequest> request;
  if (options_.callback_of) request = options_.callback_of(operation);
  if (!request.has_value()) return absl::OkStatus();
  AcceptCommand command;
  command.request = *std::move(request);
  command.request.message.id = NewUlid(now_, *random_);
  for (size_t i = 0; i < command.request.deliveries.size(); ++i) {
    command.delivery_ids.push_back(NewUlid(now_, *random_));
  }
  const std::shared_ptr<const Message> stored = TakeMessage(command.request);
  PILLION_ASSIGN_OR_RETURN(const RowId row,
                           store_->InsertMessage(*stored, nullptr, command.delivery_ids.size()));
  PILLION_RETURN_IF_ERROR(store_->SetCallback(entry.ref.row, stored->id));
  ++effects_.counts.accepted;
  return InsertDeliveries(command, row, stored);
}

absl::Time Worker::ForgetAt(const DeliveryEntry& entry, DeliveryState state) const {
  return now_ +
         (IsDeadLetter(entry, state) ? entry.spec.dead_letter_retention : entry.spec.retention);
}

// Its end is decided while an attempt runs: that is aborted, and its outcome will be of no
// interest.
void Worker::Settle(const DeliveryEntry& entry) {
  const auto claim = claim_of_row_.find(entry.ref.row);
  if (claim == claim_of_row_.end()) return;
  running_.at(claim->second).settled = true;
  effects_.settled.push_back(claim->second);
  if (entry.ref.ordering_key.has_value()) settled_with_key_.push_back(claim->second);
  claim_of_row_.erase(claim);
}

// Whether an attempt of the key that was settled is still under way: its successor waits for that.
bool Worker::KeyIsHeld(const Target& target, const std::optional<std::string>& key) {
  if (!key.has_value() || settled_with_key_.empty()) return false;
  std::erase_if(settled_with_key_, [this](uint64_t claim) {
    const auto it = running_.find(claim);
    return it == running_.end() || !it->second.settled;
  });
  return std::any_of(settled_with_key_.begin(), settled_with_key_.end(), [&](uint64_t claim) {
    const DeliveryRef& ref = running_.at(claim).entry.ref;
    return ref.target == target && ref.ordering_key == key;
  });
}

absl::Status Worker::ApplyCancel(CancelCommand& command) {
  PILLION_ASSIGN_OR_RETURN(const std::optional<StoredMessage> message, store_->Find(command.id));
  if (!message.has_value()) {
    effects_.replies.push_back(WhenCommitted<MessageView>(
        std::move(command.done),
        absl::NotFoundError(absl::StrCat("nothing with the id ", command.id))));
    return absl::OkStatus();
  }
  bool canceled = false;
  for (const StoredDelivery& delivery : message->deliveries) {
    if (IsFinal(delivery.view.state)) continue;
    canceled = true;
    PILLION_RETURN_IF_ERROR(CancelDelivery(*message, delivery));
  }
  absl::StatusOr<MessageView> reply = absl::FailedPreconditionError("all of it has ended already");
  if (canceled) {
    PILLION_ASSIGN_OR_RETURN(reply, View(command.id));
  }
  effects_.replies.push_back(WhenCommitted<MessageView>(std::move(command.done), std::move(reply)));
  return absl::OkStatus();
}

absl::Status Worker::CancelDelivery(const StoredMessage& message, const StoredDelivery& delivery) {
  const DeliveryEntry entry = {delivery.ref,       delivery.view.cluster, delivery.view.id,
                               message.summary.id, message.summary.kind,  delivery.view.state,
                               delivery.spec};
  Settle(entry);
  return EndDelivery(entry, EndingAs(DeliveryState::kCanceled));
}

absl::Status Worker::ApplyProgress(ProgressCommand& command) {
  PILLION_ASSIGN_OR_RETURN(const std::optional<StoredMessage> message, store_->Find(command.id));
  absl::StatusOr<MessageView> reply =
      absl::NotFoundError(absl::StrCat("no operation with the id ", command.id));
  if (message.has_value() && message->summary.kind == MessageKind::kAsync &&
      message->deliveries.size() == 1) {
    const StoredDelivery& delivery = message->deliveries[0];
    if (IsFinal(delivery.view.state)) {
      reply = absl::FailedPreconditionError("the operation has ended");
    } else {
      PILLION_RETURN_IF_ERROR(store_->SetProgress(delivery.ref.row, command.percent_complete));
      PILLION_ASSIGN_OR_RETURN(reply, View(command.id));
      MarkChanged(message->summary.id);
    }
  }
  effects_.replies.push_back(WhenCommitted<MessageView>(std::move(command.done), std::move(reply)));
  return absl::OkStatus();
}

// --- Held messages ---

absl::Status Worker::ApplyRelease(const HeldCommand& command) {
  PILLION_ASSIGN_OR_RETURN(const auto due, store_->Release(command.id, command.attributes, now_));
  if (!due.has_value()) return absl::OkStatus();
  for (const TargetDue& target : *due) scheduler_.AddDue(target.target, target.due_at);
  ++effects_.counts.accepted;
  MarkChanged(command.id);
  return absl::OkStatus();
}

absl::Status Worker::ApplyDiscard(const HeldCommand& command) {
  PILLION_ASSIGN_OR_RETURN(const int64_t discarded, store_->Discard(command.id, now_));
  effects_.counts.pending -= discarded;
  MarkChanged(command.id);
  return absl::OkStatus();
}

// --- Deadlines ---

absl::Status Worker::ApplyDeadlines() {
  if (next_deadline_ > now_) return absl::OkStatus();
  PILLION_ASSIGN_OR_RETURN(const std::vector<DeliveryEntry> overdue,
                           store_->Overdue(now_, kDeadlinesAtOnce));
  int64_t freed = 0;
  for (const DeliveryEntry& entry : overdue) {
    if (!IsFinal(entry.state)) {
      Settle(entry);
      PILLION_RETURN_IF_ERROR(EndDelivery(entry, EndingAs(DeliveryState::kExpired)));
      continue;
    }
    const absl::Duration status_retention =
        std::min(entry.spec.retention, options_.max_status_retention);
    PILLION_ASSIGN_OR_RETURN(const Deleted deleted,
                             store_->Forget(entry.ref.row, now_, now_ + status_retention));
    ++effects_.counts.forgotten;
    effects_.counts.dead -= deleted.failed;
    MarkChanged(entry.message_id);
    freed += deleted.bytes;
    if (freed >= kBytesForgottenAtOnce) break;
  }
  PILLION_ASSIGN_OR_RETURN(const size_t undelivered,
                           store_->ForgetUndelivered(now_, kDeadlinesAtOnce));
  PILLION_ASSIGN_OR_RETURN(next_deadline_, store_->NextDeadline());
  // Rows that have a deadline and cannot be found by it would keep this thread busy for nothing.
  if (overdue.empty() && undelivered == 0 && next_deadline_ <= now_)
    next_deadline_ = now_ + absl::Hours(1);
  return absl::OkStatus();
}

void Worker::MarkChanged(const std::string& message_id) {
  if (watchers_.Has(message_id)) effects_.changed.push_back(message_id);
}

}  // namespace pillion::delivery
