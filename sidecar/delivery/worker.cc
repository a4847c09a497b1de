#include "sidecar/delivery/worker.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/telemetry/log.h"
#include "sidecar/delivery/status_macros.h"

namespace pillion::delivery {
namespace {

constexpr log::Logger kLog("delivery");

constexpr absl::Duration kFirstRetryInterval = absl::Milliseconds(100);
constexpr absl::Duration kMaxRetryInterval = absl::Seconds(5);
constexpr size_t kOutcomesInOneCommit = 32;
// Of the outcomes that wait for the store, this many may fail before the rest waits for the next
// try.
constexpr size_t kMaxRetryFailures = 8;
// A store that fails and works in turns must not fill the log.
constexpr absl::Duration kFailureLogInterval = absl::Minutes(1);
constexpr absl::Duration kWorksAgainAfter = absl::Seconds(1);

// Statuses share their text by reference count. Each callback gets its own, as it goes to another
// thread.
absl::Status Copy(const absl::Status& status) {
  return absl::Status(status.code(), status.message());
}

void AddCounts(EngineStats& total, const EngineStats& more) {
  total.accepted += more.accepted;
  total.repeated += more.repeated;
  total.rejected_by_backlog += more.rejected_by_backlog;
  total.rejected_by_store += more.rejected_by_store;
  total.attempts += more.attempts;
  total.retries += more.retries;
  total.succeeded += more.succeeded;
  total.failed += more.failed;
  total.canceled += more.canceled;
  total.expired += more.expired;
  total.forgotten += more.forgotten;
  total.pending += more.pending;
  total.dead += more.dead;
}

}  // namespace

Worker::Worker(EngineOptions options, std::unique_ptr<Store> store, Clock* clock, Random* random)
    : options_(std::move(options)),
      store_(std::move(store)),
      clock_(clock),
      random_(random),
      lease_{options_.owner, options_.lease_grace},
      scheduler_(options_.max_running, options_.max_running_bytes) {}

absl::Status Worker::Start(Dispatch dispatch, Abort abort) {
  dispatch_ = std::move(dispatch);
  abort_ = std::move(abort);
  now_ = clock_->Now();
  PILLION_RETURN_IF_ERROR(Transact([this] { return store_->Recover(now_); }));
  PILLION_ASSIGN_OR_RETURN(const std::vector<TargetDue> targets, store_->PendingTargets());
  for (const TargetDue& target : targets) scheduler_.AddDue(target.target, target.due_at);
  PILLION_ASSIGN_OR_RETURN(const StoreCounts counts, store_->Counts());
  stats_.pending = counts.unfinished;
  stats_.dead = counts.failed;
  PILLION_ASSIGN_OR_RETURN(next_deadline_, store_->NextDeadline());
  return absl::OkStatus();
}

void Worker::Run(std::vector<Command> commands, bool dispatching) {
  now_ = clock_->Now();
  dispatching_ = dispatching;
  std::vector<Command> writes;
  for (Command& command : commands) {
    if (auto* complete = std::get_if<CompleteCommand>(&command)) {
      outcomes_.push_back({complete->claim, std::move(complete->outcome), false, false});
    } else if (auto* held = std::get_if<HeldCommand>(&command)) {
      held_.push_back(std::move(*held));
    } else if (auto* limits = std::get_if<ClusterLimitsCommand>(&command)) {
      scheduler_.SetClusterLimits(limits->limits);
    } else if (auto* hurry = std::get_if<HurryCommand>(&command)) {
      AddHurryJob(std::move(*hurry));
    } else if (!ServeRead(command)) {
      writes.push_back(std::move(command));
    }
  }
  if (degraded()) {
    RunDegraded(writes);
  } else if (HasWork(writes)) {
    RunEverything(writes);
  }
  if (degraded()) LimitWaitingAnswers();
  if (!list_jobs_.empty()) RunListJob();
}

void Worker::Upkeep() {
  // A full disk may still have had room for something small.
  if (failure_logged_ && stored_since_failure_ && now_ >= failed_at_ + kWorksAgainAfter) {
    kLog.Info("the store works again");
    failure_logged_ = false;
  }
  if (store_->NextUpkeep() > now_) return;
  if (absl::Status status = store_->Upkeep(now_); !status.ok()) {
    ++stats_.store_errors;
    if (!degraded()) Degrade(status);
  }
}

bool Worker::HasWork(const std::vector<Command>& writes) const {
  return !writes.empty() || !outcomes_.empty() || !held_.empty() || !hurry_jobs_.empty() ||
         !change_jobs_.empty() || next_deadline_ <= now_ ||
         (dispatching_ && scheduler_.NextDueAt() <= now_);
}

void Worker::RunEverything(std::vector<Command>& writes) {
  size_t applied = 0;
  const size_t ended = OutcomesForOneCommit(writes.size());
  const absl::Status status = Transact([&]() -> absl::Status {
    // What ends makes room for what is to start, and what waits goes before what comes.
    for (size_t i = 0; i < ended; ++i) PILLION_RETURN_IF_ERROR(ApplyOutcome(outcomes_[i]));
    PILLION_RETURN_IF_ERROR(ApplyDeadlines());
    PILLION_RETURN_IF_ERROR(StartDue());
    PILLION_RETURN_IF_ERROR(ApplyAll(writes, applied));
    PILLION_RETURN_IF_ERROR(ApplyHeld());
    // Not before all that came to rest earlier is stored.
    if (!hurry_jobs_.empty() && ended == outcomes_.size()) PILLION_RETURN_IF_ERROR(RunHurryJob());
    return StartDue();
  });
  if (!status.ok()) {
    Degrade(status);
    FailAll(writes, applied, status);
    return;
  }
  outcomes_.erase(outcomes_.begin(), outcomes_.begin() + static_cast<ptrdiff_t>(ended));
  held_.clear();
  retry_interval_ = absl::ZeroDuration();
  stats_.last_store_error.clear();
}

// Whoever wants something accepted waits for the commit that is under way: it must not take long,
// however many attempts have ended, and however large their answers are. But what is accepted must
// not outrun what ends.
size_t Worker::OutcomesForOneCommit(size_t writes) const {
  const size_t most = std::min(outcomes_.size(), std::max(kOutcomesInOneCommit, writes));
  size_t count = 0;
  for (size_t bytes = 0; count < most && bytes < kLargeBytesInOneCommit; ++count) {
    bytes += outcomes_[count].outcome.answer.body.size();
  }
  return count;
}

absl::Status Worker::ApplyAll(std::vector<Command>& writes, size_t& applied) {
  for (; applied < writes.size(); ++applied) PILLION_RETURN_IF_ERROR(ApplyWrite(writes[applied]));
  return change_jobs_.empty() ? absl::OkStatus() : RunChangeJob();
}

// After what was accepted: a held message can be given up before it is stored.
absl::Status Worker::ApplyHeld() {
  for (const HeldCommand& command : held_) {
    PILLION_RETURN_IF_ERROR(command.discard ? ApplyDiscard(command) : ApplyRelease(command));
  }
  return absl::OkStatus();
}

void Worker::RunDegraded(std::vector<Command>& writes) {
  if (now_ >= retry_at_) RetryStore();
  if (!degraded()) {
    if (HasWork(writes)) RunEverything(writes);
    return;
  }
  if (writes.empty() && change_jobs_.empty()) return;
  size_t applied = 0;
  const absl::Status status = Transact([&] { return ApplyAll(writes, applied); });
  if (status.ok()) {
    retry_at_ = now_;  // it works again
  } else {
    FailAll(writes, applied, status);
  }
}

void Worker::RetryStore() {
  absl::Status failure = Transact([this] { return ApplyDeadlines(); });
  size_t failures = failure.ok() ? 0 : 1;
  for (Outcome& outcome : outcomes_) {
    if (failures >= kMaxRetryFailures) break;
    absl::Status status = Transact([&] { return ApplyOutcome(outcome); });
    outcome.stored = status.ok();
    if (status.ok()) continue;
    ++failures;
    failure = std::move(status);
  }
  std::erase_if(outcomes_, [](const Outcome& outcome) { return outcome.stored; });
  if (failure.ok()) {
    retry_at_ = absl::InfiniteFuture();
    stats_.last_store_error.clear();
    return;
  }
  // Those that failed go to the end: perhaps they are only too large for the room that is left.
  const auto tried = static_cast<ptrdiff_t>(std::min(failures, outcomes_.size()));
  std::rotate(outcomes_.begin(), outcomes_.begin() + tried, outcomes_.end());
  Degrade(failure);
}

// At the end, when nothing is left that could still be accepted.
void Worker::FinishHeld() {
  if (Transact([this] { return ApplyHeld(); }).ok()) held_.clear();
}

// Answers that wait for the store must not use the memory up. Of those beyond the limit only the
// status is kept: making the call again could do harm.
void Worker::LimitWaitingAnswers() {
  int64_t bytes = 0;
  for (Outcome& waiting : outcomes_) {
    Answer& answer = waiting.outcome.answer;
    const auto size = static_cast<int64_t>(answer.headers.size() + answer.body.size());
    bytes += size;
    if (size == 0 || bytes <= options_.max_running_bytes) continue;
    bytes -= size;
    answer = {answer.status, "", ""};
    waiting.answer_dropped = true;
    waiting.outcome.error =
        "the answer was dropped: the store failed, and too many answers waited for it already";
  }
}

void Worker::Degrade(const absl::Status& error) {
  retry_interval_ = std::clamp(retry_interval_ * 2, kFirstRetryInterval, kMaxRetryInterval);
  retry_at_ = now_ + retry_interval_;
  stats_.last_store_error = std::string(error.message());
  failed_at_ = now_;
  stored_since_failure_ = false;
  if (failure_logged_ || now_ < next_failure_log_) return;
  kLog.Error(
      "the store fails: ", error.message(),
      "; until it works again, what is to be stored is refused with 503, outcomes of attempts "
      "wait in memory, and no attempt begins");
  failure_logged_ = true;
  next_failure_log_ = now_ + kFailureLogInterval;
}

absl::Status Worker::Transact(Work work) {
  effects_ = Effects{};
  absl::Status status = store_->Begin();
  if (status.ok()) status = work();
  // What nobody waits for is synced with what somebody does, or soon.
  const Durability durability = effects_.replies.empty() ? Durability::kSoon : Durability::kNow;
  if (status.ok()) status = store_->Commit(durability, now_);
  if (status.ok()) {
    ++stats_.commits;
    // A transaction in which nothing had to be written proves nothing.
    stored_since_failure_ |= effects_.counts.accepted > 0 || !effects_.ended.empty();
    Publish();
    return status;
  }
  store_->Rollback();
  ++stats_.store_errors;
  stats_.last_store_error = std::string(status.message());
  Undo(status);
  return status;
}

void Worker::Publish() {
  Effects effects = std::exchange(effects_, Effects{});
  AddCounts(stats_, effects.counts);
  if (effects.store_bytes.has_value()) stats_.store_bytes = *effects.store_bytes;
  for (auto& reply : effects.replies) reply(absl::OkStatus());
  for (ClaimedDelivery& claimed : effects.started) dispatch_(std::move(claimed));
  for (uint64_t claim : effects.settled) abort_(claim);
  std::sort(effects.changed.begin(), effects.changed.end());
  effects.changed.erase(std::unique(effects.changed.begin(), effects.changed.end()),
                        effects.changed.end());
  for (const std::string& message_id : effects.changed) NotifyWatchers(message_id);
}

void Worker::Undo(const absl::Status& error) {
  Effects effects = std::exchange(effects_, Effects{});
  for (const ClaimedDelivery& claimed : effects.started) {
    const auto it = running_.find(claimed.claim);
    claim_of_row_.erase(it->second.entry.ref.row);
    running_.erase(it);
  }
  for (auto& [claim, running] : effects.ended) {
    if (!running.settled) {
      claim_of_row_[running.entry.ref.row] = claim;
    } else if (running.entry.ref.ordering_key.has_value()) {
      settled_with_key_.push_back(claim);
    }
    running_.emplace(claim, std::move(running));
  }
  for (uint64_t claim : effects.settled) {
    const auto it = running_.find(claim);
    if (it == running_.end()) continue;
    it->second.settled = false;
    claim_of_row_[it->second.entry.ref.row] = claim;
  }
  scheduler_.Reset();
  for (const auto& [claim, running] : running_)
    scheduler_.Started(running.entry.ref.target, running.entry.cluster, running.bytes);
  next_deadline_ = absl::InfinitePast();
  for (auto& reply : effects.replies) reply(Copy(error));
}

// Of the first `applied` the callers have heard of it already (Undo).
void Worker::FailAll(std::vector<Command>& writes, size_t applied, const absl::Status& error) {
  stats_.rejected_by_store += std::count_if(writes.begin(), writes.end(), [](const Command& write) {
    return std::holds_alternative<AcceptCommand>(write) ||
           std::holds_alternative<AcceptAllCommand>(write);
  });
  for (size_t i = applied; i < writes.size(); ++i) {
    if (auto* accept = std::get_if<AcceptCommand>(&writes[i])) accept->done(Copy(error));
    if (auto* all = std::get_if<AcceptAllCommand>(&writes[i])) all->done(Copy(error));
    if (auto* cancel = std::get_if<CancelCommand>(&writes[i])) cancel->done(Copy(error));
    if (auto* progress = std::get_if<ProgressCommand>(&writes[i])) progress->done(Copy(error));
    if (auto* change = std::get_if<ChangeCommand>(&writes[i])) change->done(Copy(error));
  }
}

void Worker::Finish() {
  now_ = clock_->Now();
  if (!outcomes_.empty()) RetryStore();
  if (!held_.empty()) FinishHeld();
  const absl::Status cancelled = absl::CancelledError("the delivery engine is stopping");
  for (auto& watcher : watchers_.TakeAll()) watcher->on_change(Copy(cancelled));
  for (ListJob& job : list_jobs_) job.command.done(Copy(cancelled));
  for (ChangeJob& job : change_jobs_) job.command.done(Copy(cancelled));
  list_jobs_.clear();
  change_jobs_.clear();
}

absl::Time Worker::NextWake(bool dispatching) const {
  if (!list_jobs_.empty() || !change_jobs_.empty()) return absl::InfinitePast();
  if (degraded()) return std::min(retry_at_, store_->NextUpkeep());
  if (!hurry_jobs_.empty() || !outcomes_.empty()) return absl::InfinitePast();
  const absl::Time wake = std::min(next_deadline_, store_->NextUpkeep());
  return dispatching ? std::min(wake, scheduler_.NextDueAt()) : wake;
}

EngineStats Worker::stats() const {
  EngineStats stats = stats_;
  stats.running = static_cast<int64_t>(running_.size());
  return stats;
}

}  // namespace pillion::delivery
