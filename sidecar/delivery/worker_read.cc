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
// Rows that a list looks at between two commits, and deliveries that it reads whole.
constexpr size_t kScanAtOnce = 2048;
constexpr size_t kFullAtOnce = 64;

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

// Reads what a list does without.
absl::Status Fill(Store& store, const StoredMessage& stored, const StoredDelivery& delivery,
                  bool content, ListedDelivery& listed) {
  PILLION_ASSIGN_OR_RETURN(listed.answer, store.ReadAnswer(delivery.ref.row));
  if (!content) return absl::OkStatus();
  PILLION_ASSIGN_OR_RETURN(listed.content, store.ReadContent(stored.row, kMaxToldBody));
  return absl::OkStatus();
}

size_t BytesOf(const ListedDelivery& listed) {
  size_t bytes = 0;
  if (listed.answer) bytes += listed.answer->headers.size() + listed.answer->body.size();
  if (listed.content) {
    bytes += listed.content->headers.size() + listed.content->attributes.size() +
             listed.content->body.size();
  }
  return bytes;
}

}  // namespace

bool Worker::ServeRead(Command& command) {
  if (auto* get = std::get_if<GetCommand>(&command)) {
    get->done(View(get->id));
  } else if (auto* result = std::get_if<GetResultCommand>(&command)) {
    result->done(Result(result->id));
  } else if (auto* describe = std::get_if<DescribeCommand>(&command)) {
    describe->done(Describe(*describe));
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

absl::StatusOr<std::vector<ListedDelivery>> Worker::Describe(const DescribeCommand& command) {
  if (!IsUlid(command.id)) return UnknownId(command.id);
  PILLION_ASSIGN_OR_RETURN(const std::optional<StoredMessage> stored, store_->Find(command.id));
  if (!stored.has_value()) return UnknownId(command.id);
  std::vector<ListedDelivery> described;
  for (const StoredDelivery& delivery : stored->deliveries) {
    const bool content = command.content && described.empty();
    ListedDelivery& listed = described.emplace_back();
    listed.message = stored->summary;
    listed.delivery = delivery.view;
    PILLION_RETURN_IF_ERROR(Fill(*store_, *stored, delivery, content, listed));
  }
  return described;
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
  const absl::StatusOr<bool> over = AddToList(job);
  if (!over.ok()) {
    job.command.done(over.status());
  } else if (*over) {
    job.command.done(std::move(job.page));
  } else {
    list_jobs_.push_back(std::move(job));
  }
}

// Whether the page is done.
absl::StatusOr<bool> Worker::AddToList(ListJob& job) {
  const ListRequest& request = job.command.request;
  std::vector<ListedDelivery>& page = job.page.deliveries;
  const size_t wanted = request.limit - page.size();
  PILLION_ASSIGN_OR_RETURN(
      ScanPage scanned,
      store_->Scan(request.filter, job.command.after,
                   request.full ? std::min(wanted, kFullAtOnce) : wanted, kScanAtOnce));
  job.scanned += kScanAtOnce;
  for (StoredMessage& stored : scanned.found) {
    StoredDelivery& delivery = stored.deliveries[0];
    ListedDelivery listed;
    if (request.full) {
      PILLION_RETURN_IF_ERROR(Fill(*store_, stored, delivery, /*content=*/true, listed));
      job.bytes += BytesOf(listed);
      if (job.bytes > kMaxFullBytes && !page.empty()) {
        job.page.next_page_token = absl::StrCat(job.command.after);
        return true;
      }
    }
    job.command.after = delivery.ref.row;
    listed.message = std::move(stored.summary);
    listed.delivery = std::move(delivery.view);
    page.push_back(std::move(listed));
  }
  job.command.after = scanned.scanned_to;
  if (scanned.end) return true;
  if (page.size() < request.limit && job.scanned < kMaxScanned) return false;
  job.page.next_page_token = absl::StrCat(job.command.after);
  return true;
}

}  // namespace pillion::delivery
