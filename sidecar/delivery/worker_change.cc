// Hurry, replay, cancel and drop of many deliveries: jobs that do a little in each transaction, so
// that a hundred thousand dead letters do not stall anybody.
#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sidecar/delivery/status_macros.h"
#include "sidecar/delivery/worker.h"

namespace pillion::delivery {
namespace {

constexpr size_t kChangesAtOnce = 256;
constexpr size_t kScanAtOnce = 2048;

// What the change is meant for, unless the filter says it.
DeliveryFilter WithStates(DeliveryFilter filter, ChangeRequest::Kind kind) {
  if (!filter.states.empty()) return filter;
  std::copy_if(std::begin(kDeliveryStates), std::end(kDeliveryStates),
               std::back_inserter(filter.states),
               [kind](DeliveryState state) { return IsMeant(kind, state); });
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

// --- Replay, cancel and drop ---

// One step of the first job. If the transaction fails, the job ends with its error.
absl::Status Worker::RunChangeJob() {
  effects_.replies.push_back([this](const absl::Status& status) {
    ChangeJob& job = change_jobs_.front();
    if (status.ok() && !job.done) {
      // Others take their turn.
      change_jobs_.push_back(std::move(job));
    } else if (status.ok()) {
      job.command.done(std::move(job.summary));
    } else {
      job.command.done(absl::Status(status.code(), status.message()));
    }
    change_jobs_.pop_front();
  });
  ChangeJob& job = change_jobs_.front();
  const ChangeRequest& request = job.command.request;
  if (const auto* ids = std::get_if<std::vector<std::string>>(&request.selection)) {
    return ChangeNextIds(job, *ids);
  }
  return ChangeNextMatches(job,
                           WithStates(std::get<DeliveryFilter>(request.selection), request.kind));
}

absl::Status Worker::ChangeNextIds(ChangeJob& job, const std::vector<std::string>& ids) {
  for (size_t i = 0; i < kChangesAtOnce && job.next_id < ids.size(); ++i, ++job.next_id) {
    const std::string& id = ids[job.next_id];
    PILLION_ASSIGN_OR_RETURN(const std::optional<StoredMessage> message, store_->Find(id));
    if (message.has_value()) {
      PILLION_RETURN_IF_ERROR(ChangeMessage(job, *message));
    } else {
      job.summary.unknown_ids.push_back(id);
    }
  }
  job.done = job.next_id == ids.size();
  return absl::OkStatus();
}

absl::Status Worker::ChangeNextMatches(ChangeJob& job, const DeliveryFilter& filter) {
  PILLION_ASSIGN_OR_RETURN(const ScanPage page,
                           store_->Scan(filter, job.command.after, kChangesAtOnce, kScanAtOnce));
  for (const StoredMessage& message : page.found)
    PILLION_RETURN_IF_ERROR(ChangeMessage(job, message));
  job.command.after = page.scanned_to;
  job.scanned += kScanAtOnce;
  const auto handled = static_cast<size_t>(job.summary.changed + job.summary.skipped);
  const bool enough = job.scanned >= kMaxScanned || handled >= kMaxChanged;
  job.done = page.end || enough;
  if (!page.end && enough) job.summary.next_page_token = absl::StrCat(job.command.after);
  return absl::OkStatus();
}

absl::Status Worker::ChangeMessage(ChangeJob& job, const StoredMessage& message) {
  for (const StoredDelivery& delivery : message.deliveries) {
    PILLION_ASSIGN_OR_RETURN(const bool changed,
                             ChangeDelivery(job.command.request.kind, message, delivery));
    ++(changed ? job.summary.changed : job.summary.skipped);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Worker::ChangeDelivery(ChangeRequest::Kind kind, const StoredMessage& message,
                                            const StoredDelivery& delivery) {
  const DeliveryState state = delivery.view.state;
  if (!IsPossible(kind, state)) return false;
  switch (kind) {
    case ChangeRequest::Kind::kReplay: {
      if (message.summary.forgotten) return false;
      PILLION_ASSIGN_OR_RETURN(const Placement placement, store_->Replay(delivery.ref, now_));
      if (placement == Placement::kDue) scheduler_.AddDue(delivery.ref.target, now_);
      NoteDeadline(now_ + (message.summary.expires_at - message.summary.created_at));
      ++effects_.counts.pending;
      effects_.counts.dead -= state == DeliveryState::kFailed;
      break;
    }
    case ChangeRequest::Kind::kCancel:
      PILLION_RETURN_IF_ERROR(CancelDelivery(message, delivery));
      break;
    case ChangeRequest::Kind::kDrop: {
      PILLION_ASSIGN_OR_RETURN(const Deleted deleted, store_->Drop(delivery.ref.row, now_));
      effects_.counts.dead -= deleted.failed;
      break;
    }
  }
  MarkChanged(message.summary.id);
  return true;
}

}  // namespace pillion::delivery
