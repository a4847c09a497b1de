// Hurry, replay and drop of many deliveries: jobs that do a little in each transaction, so that a
// hundred thousand dead letters do not stall anybody.
#include <algorithm>
#include <limits>
#include <utility>

#include "sidecar/delivery/status_macros.h"
#include "sidecar/delivery/worker.h"

namespace pillion::delivery {
namespace {

constexpr size_t kChangesAtOnce = 256;
constexpr size_t kScanAtOnce = 2048;

bool MayReplay(const StoredMessage& message, const StoredDelivery& delivery) {
  if (message.summary.forgotten) return false;
  return IsFinal(delivery.view.state) && delivery.view.state != DeliveryState::kSucceeded;
}

DeliveryFilter DeadLettersUnlessSaid(DeliveryFilter filter) {
  if (!filter.state.has_value()) filter.state = DeliveryState::kFailed;
  return filter;
}

}  // namespace

// --- Hurry ---

void Worker::AddHurryJob(HurryCommand command) {
  const RestCursor from_now = {now_, std::numeric_limits<RowId>::max()};
  const auto known = std::find_if(hurry_jobs_.begin(), hurry_jobs_.end(), [&](const HurryJob& job) {
    return job.cluster == command.cluster;
  });
  if (known != hurry_jobs_.end()) {
    known->after = from_now;
  } else {
    hurry_jobs_.push_back({std::move(command.cluster), from_now});
  }
}

// One step of the first job.
absl::Status Worker::RunHurryJob() {
  HurryJob job = std::move(hurry_jobs_.front());
  hurry_jobs_.pop_front();
  PILLION_ASSIGN_OR_RETURN(const std::vector<Target> targets,
                           store_->MakeDue(job.cluster, now_, job.after, kChangesAtOnce));
  for (const Target& target : targets) scheduler_.AddDue(target, now_);
  // If the transaction fails, some go on resting: that loses time and nothing else.
  if (targets.size() == kChangesAtOnce) hurry_jobs_.push_back(std::move(job));
  return absl::OkStatus();
}

// --- Replay and drop ---

// One step of the first job. If the transaction fails, the job ends with its error.
absl::Status Worker::RunChangeJob() {
  effects_.replies.push_back([this](const absl::Status& status) {
    ChangeJob& job = change_jobs_.front();
    if (status.ok() && !job.done) {
      // Others take their turn.
      change_jobs_.push_back(std::move(job));
    } else if (status.ok()) {
      job.command.done(job.summary);
    } else {
      job.command.done(absl::Status(status.code(), status.message()));
    }
    change_jobs_.pop_front();
  });
  return ChangeStep(change_jobs_.front());
}

absl::Status Worker::ChangeStep(ChangeJob& job) {
  if (const auto* ids = std::get_if<std::vector<std::string>>(&job.command.selection)) {
    for (size_t i = 0; i < kChangesAtOnce && job.next_id < ids->size(); ++i, ++job.next_id) {
      PILLION_ASSIGN_OR_RETURN(const std::optional<StoredMessage> message,
                               store_->Find((*ids)[job.next_id]));
      if (!message.has_value()) {
        ++job.summary.skipped;
        continue;
      }
      PILLION_RETURN_IF_ERROR(ChangeMessage(job, *message));
    }
    job.done = job.next_id == ids->size();
    return absl::OkStatus();
  }
  const DeliveryFilter filter =
      DeadLettersUnlessSaid(std::get<DeliveryFilter>(job.command.selection));
  PILLION_ASSIGN_OR_RETURN(const ScanPage page,
                           store_->Scan(filter, job.after, kChangesAtOnce, kScanAtOnce));
  for (const StoredMessage& message : page.found)
    PILLION_RETURN_IF_ERROR(ChangeMessage(job, message));
  job.after = page.scanned_to;
  job.done = page.end;
  return absl::OkStatus();
}

absl::Status Worker::ChangeMessage(ChangeJob& job, const StoredMessage& message) {
  for (const StoredDelivery& delivery : message.deliveries) {
    PILLION_ASSIGN_OR_RETURN(const bool changed,
                             ChangeDelivery(job.command.change, message, delivery));
    ++(changed ? job.summary.changed : job.summary.skipped);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Worker::ChangeDelivery(ChangeCommand::Change change,
                                            const StoredMessage& message,
                                            const StoredDelivery& delivery) {
  const DeliveryState state = delivery.view.state;
  if (change == ChangeCommand::Change::kDrop) {
    if (!IsFinal(state)) return false;
    PILLION_ASSIGN_OR_RETURN(const Deleted deleted, store_->Drop(delivery.ref.row, now_));
    effects_.counts.dead -= deleted.failed;
  } else {
    if (!MayReplay(message, delivery)) return false;
    PILLION_ASSIGN_OR_RETURN(const Placement placement, store_->Replay(delivery.ref, now_));
    if (placement == Placement::kDue) scheduler_.AddDue(delivery.ref.target, now_);
    NoteDeadline(now_ + (message.summary.expires_at - message.summary.created_at));
    ++effects_.counts.pending;
    effects_.counts.dead -= state == DeliveryState::kFailed;
  }
  MarkChanged(message.summary.id);
  return true;
}

}  // namespace pillion::delivery
