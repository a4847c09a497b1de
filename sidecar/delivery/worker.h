// What the engine's thread does: everything that touches the store. Internal to the engine.
//
// Each Run() serves the reading commands, then makes one transaction of all the rest: outcomes of
// attempts, accepts and cancels, what is due to start, what has expired or may be forgotten. Only
// after the commit does anybody hear of it (Effects); if it fails, memory goes back to what the
// store says.
//
// When the store fails, the worker goes into a *degraded* mode: outcomes (and what becomes of held
// messages) wait in memory and are tried again at growing intervals, one by one, after old data was
// pruned to make room; nothing is claimed; whoever asks for something gets a transaction of his
// own, and so the store's present error.
//
// An attempt whose delivery is canceled or expires is *settled*: the store has the delivery's end,
// and the attempt is aborted. Until that is reported, it holds its place, and the next one of its
// key back.
#ifndef PILLION_SIDECAR_DELIVERY_WORKER_H_
#define PILLION_SIDECAR_DELIVERY_WORKER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "sidecar/delivery/clock.h"
#include "sidecar/delivery/commands.h"
#include "sidecar/delivery/model.h"
#include "sidecar/delivery/random.h"
#include "sidecar/delivery/requests.h"
#include "sidecar/delivery/scheduler.h"
#include "sidecar/delivery/store.h"
#include "sidecar/delivery/watchers.h"

namespace pillion::delivery {

class Worker {
 public:
  using Dispatch = std::function<void(ClaimedDelivery)>;
  using Abort = std::function<void(uint64_t claim)>;

  Worker(EngineOptions options, std::unique_ptr<Store> store, Clock* clock, Random* random);

  absl::Status Start(Dispatch dispatch, Abort abort);
  // `dispatching`: whether attempts may begin.
  void Run(std::vector<Command> commands, bool dispatching);
  // What the store has to do besides, when nobody waits any more for what Run() has done.
  void Upkeep();
  // The last thing: one more try for outcomes not stored yet; watches and unfinished jobs end with
  // Cancelled.
  void Finish();

  // When to call Run() again if nothing is asked before.
  absl::Time NextWake(bool dispatching) const;
  // Without those of the queue.
  EngineStats stats() const;
  std::vector<TargetBacklog> TakeChangedBacklogs() { return store_->TakeChangedBacklogs(); }

 private:
  struct Running {
    DeliveryEntry entry;
    int attempt = 1;
    int64_t bytes = 0;
    bool settled =
        false;  // the store has its end already (canceled, expired): only its place is still taken
  };
  struct Outcome {
    uint64_t claim = 0;
    AttemptOutcome outcome;
    bool stored = false;
    bool answer_dropped = false;
  };
  // What a transaction has to tell when it is committed, and what to undo if it is not.
  struct Effects {
    std::vector<ClaimedDelivery> started;
    std::vector<std::pair<uint64_t, Running>> ended;
    std::vector<uint64_t> settled;
    std::vector<std::string> changed;  // ids of watched messages
    std::vector<absl::AnyInvocable<void(const absl::Status&)>> replies;
    EngineStats counts;                  // to be added
    size_t expired = 0;                  // when it was their turn
    std::optional<int64_t> store_bytes;  // once something is to be accepted
    absl::Status store_files;            // then, too
  };
  // Jobs are done in steps; command.after is how far they have come.
  struct ListJob {
    ListCommand command;
    size_t scanned = 0;
    size_t bytes = 0;  // of a full one's answers and contents
    DeliveryPage page;
  };
  // A cluster whose deliveries need not rest any longer.
  struct HurryJob {
    std::string cluster;
    RestCursor after;
  };
  struct ChangeJob {
    ChangeCommand command;
    size_t scanned = 0;  // of a filter
    size_t next_id = 0;  // of a list of ids
    ChangeSummary summary;
    bool done = false;
  };
  using Work = absl::FunctionRef<absl::Status()>;

  // worker.cc: the transaction and its effects
  absl::Status Transact(Work work);
  void Publish();
  void Undo(const absl::Status& error);
  void Degrade(const absl::Status& error);
  void RunEverything(std::vector<Command>& writes);
  void RunDegraded(std::vector<Command>& writes);
  absl::Status ApplyAll(std::vector<Command>& writes, size_t& applied);
  absl::Status ApplyHeld();
  void RetryStore();
  void FinishHeld();
  void LimitWaitingAnswers();
  size_t OutcomesForOneCommit(size_t writes) const;
  void FailAll(std::vector<Command>& writes, size_t applied, const absl::Status& error);
  bool HasWork(const std::vector<Command>& writes) const;
  void NotifyWatchers(const std::string& message_id);
  bool degraded() const { return retry_at_ != absl::InfiniteFuture(); }

  // worker_write.cc: what a transaction is made of
  absl::Status ApplyWrite(Command& command);
  absl::Status ApplyAccept(AcceptCommand& command);
  absl::Status ApplyAcceptAll(AcceptAllCommand& command);
  // `refusal` is set if there is no room for all of them.
  absl::Status CheckRoom(absl::Span<const AcceptCommand> accepts, absl::Status& refusal);
  std::shared_ptr<const Message> TakeMessage(AcceptRequest& request) const;
  absl::Status InsertDeliveries(AcceptCommand& command, RowId message_row,
                                const std::shared_ptr<const Message>& message);
  absl::Status ApplyCancel(CancelCommand& command);
  absl::Status ApplyProgress(ProgressCommand& command);
  absl::Status ApplyRelease(const HeldCommand& command);
  absl::Status ApplyDiscard(const HeldCommand& command);
  absl::Status CancelDelivery(const StoredMessage& message, const StoredDelivery& delivery);
  absl::Status ApplyOutcome(const Outcome& outcome);
  absl::Status EndAttempt(const Running& running, const Outcome& ended);
  absl::Status Retry(const Running& running, const AttemptOutcome& outcome);
  absl::Status Continue(const Running& running, const AttemptOutcome& outcome);
  absl::Status EndDelivery(const DeliveryEntry& entry, Ending ending);
  absl::Status Announce(const DeliveryEntry& entry);
  absl::Status ApplyDeadlines();
  absl::Status StartDue();
  absl::Status StartNext(const Target& target);
  void BeginAttempt(ClaimedDelivery claimed, DeliveryRef ref);
  void Settle(const DeliveryEntry& entry);
  bool KeyIsHeld(const Target& target, const std::optional<std::string>& key);
  void MarkChanged(const std::string& message_id);
  absl::Time ForgetAt(const DeliveryEntry& entry, DeliveryState state) const;
  void NoteDeadline(absl::Time at) { next_deadline_ = std::min(next_deadline_, at); }

  // worker_read.cc: what is asked without changing anything
  bool ServeRead(Command& command);
  absl::StatusOr<MessageView> View(const std::string& id);
  absl::StatusOr<DeliveryResult> Result(const std::string& id);
  absl::StatusOr<std::vector<ListedDelivery>> Describe(const DescribeCommand& command);
  void ServeWatch(WatchCommand& command);
  void ServeList(ListCommand& command);
  void RunListJob();
  absl::StatusOr<bool> AddToList(ListJob& job);

  // worker_change.cc: what changes many deliveries at once, in steps: hurry, replay, cancel, drop
  void AddHurryJob(HurryCommand command);
  absl::Status RunHurryJob();
  absl::Status RunChangeJob();
  absl::Status ChangeNextIds(ChangeJob& job, const std::vector<std::string>& ids);
  absl::Status ChangeNextMatches(ChangeJob& job, const DeliveryFilter& filter);
  absl::Status ChangeMessage(ChangeJob& job, const StoredMessage& message);
  absl::StatusOr<bool> ChangeDelivery(ChangeRequest::Kind kind, const StoredMessage& message,
                                      const StoredDelivery& delivery);

  const EngineOptions options_;
  const std::unique_ptr<Store> store_;
  Clock* const clock_;
  Random* const random_;
  Dispatch dispatch_;
  Abort abort_;
  const Lease lease_;

  absl::Time now_;  // of this Run()
  bool dispatching_ = true;
  Scheduler scheduler_;
  uint64_t next_claim_ = 1;
  absl::flat_hash_map<uint64_t, Running> running_;
  absl::flat_hash_map<RowId, uint64_t> claim_of_row_;  // of those that are not settled
  std::deque<Outcome> outcomes_;                       // not stored yet
  std::vector<HeldCommand> held_;                      // not stored yet
  std::vector<uint64_t> settled_with_key_;             // see KeyIsHeld(); some have ended since
  Watchers watchers_;
  std::deque<ListJob> list_jobs_;
  std::deque<HurryJob> hurry_jobs_;  // one for a cluster
  std::deque<ChangeJob> change_jobs_;
  absl::Time next_deadline_ = absl::InfinitePast();

  Effects effects_;
  EngineStats stats_;
  absl::Time retry_at_ = absl::InfiniteFuture();  // degraded until then
  absl::Duration retry_interval_;
  bool failure_logged_ = false;  // and its end not yet
  absl::Time failed_at_ = absl::InfinitePast();
  bool stored_since_failure_ = false;
  absl::Time next_failure_log_ = absl::InfinitePast();
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_WORKER_H_
