// The worker's reading commands: status, results, watches, lists.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sidecar/delivery/status_macros.h"
#include "sidecar/delivery/ulid.h"
#include "sidecar/delivery/worker.h"

namespace pillion::delivery {
namespace {

constexpr size_t kMaxPage = 1000;
// Rows that a list looks at between two commits.
constexpr size_t kScanAtOnce = 2048;

absl::Status UnknownId(const std::string& id) {
  return absl::NotFoundError(absl::StrCat("nothing with the id '", id, "' is known (any more)"));
}

MessageView ToView(StoredMessage stored) {
  MessageView view;
  view.message = std::move(stored.summary);
  view.deliveries.reserve(stored.deliveries.size());
  for (StoredDelivery& delivery : stored.deliveries)
    view.deliveries.push_back(std::move(delivery.view));
  return view;
}

}  // namespace

bool Worker::ServeRead(Command& command) {
  if (auto* get = std::get_if<GetCommand>(&command)) {
    get->done(View(get->id));
  } else if (auto* result = std::get_if<GetResultCommand>(&command)) {
    result->done(Result(result->id));
  } else if (auto* watch = std::get_if<WatchCommand>(&command)) {
    ServeWatch(*watch);
  } else if (auto* unwatch = std::get_if<UnwatchCommand>(&command)) {
    watchers_.Remove(unwatch->watch);
  } else if (auto* list = std::get_if<ListCommand>(&command)) {
    ServeList(*list);
  } else {
    return false;
  }
  return true;
}

absl::StatusOr<MessageView> Worker::View(const std::string& id) {
  if (!IsUlid(id)) return UnknownId(id);
  PILLION_ASSIGN_OR_RETURN(std::optional<StoredMessage> stored, store_->Find(id));
  if (!stored.has_value()) return UnknownId(id);
  return ToView(*std::move(stored));
}

absl::StatusOr<DeliveryResult> Worker::Result(const std::string& id) {
  if (!IsUlid(id)) return UnknownId(id);
  PILLION_ASSIGN_OR_RETURN(std::optional<StoredResult> stored, store_->FindResult(id));
  if (!stored.has_value()) return UnknownId(id);
  DeliveryResult result;
  result.view = ToView(std::move(stored->message));
  using Availability = DeliveryResult::Availability;
  if (!result.view.final()) {
    result.availability = Availability::kNotDone;
  } else if (stored->answer.has_value()) {
    result.availability = Availability::kReady;
    result.answer = std::move(stored->answer);
  } else {
    result.availability =
        result.view.message.forgotten ? Availability::kForgotten : Availability::kNoAnswer;
  }
  return result;
}

// --- Watches ---

void Worker::ServeWatch(WatchCommand& command) {
  if (watchers_.size() >= options_.max_watches) {
    command.done(
        absl::ResourceExhaustedError("too many callers wait for a delivery; ask again later"));
    return;
  }
  absl::StatusOr<MessageView> view = View(command.id);
  if (!view.ok() || view->final()) {
    command.done(std::move(view));
    return;
  }
  command.done(*view);
  watchers_.Add({command.watch, view->message.id, std::move(command.id), std::move(command.done)});
}

void Worker::NotifyWatchers(const std::string& message_id) {
  std::vector<WatchId> over;
  for (Watcher* watcher : watchers_.Of(message_id)) {
    absl::StatusOr<MessageView> view = View(watcher->id);
    if (!view.ok() || view->final()) over.push_back(watcher->watch);
    watcher->on_change(std::move(view));
  }
  for (WatchId watch : over) watchers_.Remove(watch);
}

// --- Lists ---

void Worker::ServeList(ListCommand& command) {
  ListJob job;
  command.request.limit = std::clamp<size_t>(command.request.limit, 1, kMaxPage);
  job.command = std::move(command);
  list_jobs_.push_back(std::move(job));
}

// One step of the first list; others take their turn after it.
void Worker::RunListJob() {
  ListJob job = std::move(list_jobs_.front());
  list_jobs_.pop_front();
  const ListRequest& request = job.command.request;
  absl::StatusOr<ScanPage> scanned = store_->Scan(
      request.filter, job.command.after, request.limit - job.page.deliveries.size(), kScanAtOnce);
  if (!scanned.ok()) {
    job.command.done(std::move(scanned).status());
    return;
  }
  job.command.after = scanned->scanned_to;
  job.scanned += kScanAtOnce;
  for (StoredMessage& stored : scanned->found) {
    job.page.deliveries.push_back(
        {std::move(stored.summary), std::move(stored.deliveries[0].view)});
  }
  const bool full = job.page.deliveries.size() >= request.limit || job.scanned >= kMaxScanned;
  if (!full && !scanned->end) {
    list_jobs_.push_back(std::move(job));
    return;
  }
  if (!scanned->end) job.page.next_page_token = absl::StrCat(job.command.after);
  job.command.done(std::move(job.page));
}

}  // namespace pillion::delivery
