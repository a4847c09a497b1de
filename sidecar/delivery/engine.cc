#include "sidecar/delivery/engine.h"

#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "sidecar/delivery/command_queue.h"
#include "sidecar/delivery/commands.h"
#include "sidecar/delivery/room.h"
#include "sidecar/delivery/status_macros.h"
#include "sidecar/delivery/ulid.h"
#include "sidecar/delivery/worker.h"

namespace pillion::delivery {
namespace {

AcceptCommand WithIds(AcceptRequest request, absl::Time now, Random& random) {
  AcceptCommand command{std::move(request), {}, {}};
  Message& message = command.request.message;
  message.id = NewUlid(now, random);
  for (size_t i = 0; i < command.request.deliveries.size(); ++i) {
    command.delivery_ids.push_back(message.kind == MessageKind::kAsync ? message.id
                                                                       : NewUlid(now, random));
  }
  return command;
}

absl::Status CheckRequest(const AcceptRequest& request) {
  if (request.message.kind == MessageKind::kAsync && request.deliveries.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "an asynchronous call has one delivery, this one has ", request.deliveries.size()));
  }
  if (request.message.kind == MessageKind::kAsync && request.held) {
    return absl::InvalidArgumentError("an asynchronous call cannot be held");
  }
  return absl::OkStatus();
}

// A page token is the row that the page before has come to.
absl::StatusOr<RowId> RowOfPageToken(const std::string& token) {
  RowId row = 0;
  if (!token.empty() && (!absl::SimpleAtoi(token, &row) || row < 0)) {
    return absl::InvalidArgumentError("the page token is not one that a page before gave");
  }
  return row;
}

}  // namespace

Engine::Engine(EngineOptions options, std::unique_ptr<Store> store, Clock* clock, Random* random)
    : clock_(clock),
      random_(random),
      max_batch_bytes_(options.max_batch_bytes),
      max_pending_(options.max_pending),
      queue_(std::make_unique<CommandQueue>(options.max_queued, options.max_queued_bytes, clock)),
      worker_(std::make_unique<Worker>(std::move(options), std::move(store), clock, random)) {}

Engine::~Engine() { Stop(); }

absl::Status Engine::Start(std::function<void(ClaimedDelivery)> dispatch,
                           std::function<void(uint64_t claim)> abort) {
  PILLION_RETURN_IF_ERROR(worker_->Start(std::move(dispatch), std::move(abort)));
  PublishStats();
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void Engine::StopDispatching() { dispatching_ = false; }

void Engine::Stop() {
  const std::lock_guard<std::mutex> stop(stop_mutex_);
  StopDispatching();
  queue_->Close();
  if (thread_.joinable()) thread_.join();
}

void Engine::Run() {
  for (;;) {
    std::vector<Command> commands = queue_->Take(worker_->NextWake(dispatching_));
    if (commands.empty() && queue_->finished()) break;
    worker_->Run(std::move(commands), dispatching_);
    queue_->Release();
    PublishStats();
    worker_->Upkeep();
  }
  worker_->Finish();
  PublishStats();
}

void Engine::PublishStats() {
  EngineStats stats = worker_->stats();
  std::vector<TargetBacklog> changed = worker_->TakeChangedBacklogs();
  const std::lock_guard<std::mutex> lock(stats_mutex_);
  stats_ = std::move(stats);
  for (TargetBacklog& entry : changed) backlogs_[std::move(entry.target)] = entry.backlog;
}

std::vector<TargetBacklog> Engine::backlogs() const {
  const std::lock_guard<std::mutex> lock(stats_mutex_);
  std::vector<TargetBacklog> backlogs;
  backlogs.reserve(backlogs_.size());
  for (const auto& [target, backlog] : backlogs_) backlogs.push_back({target, backlog});
  return backlogs;
}

EngineStats Engine::stats() const {
  EngineStats stats;
  {
    const std::lock_guard<std::mutex> lock(stats_mutex_);
    stats = stats_;
    stats.rejected_by_backlog += refused_for_backlog_;
    stats.rejected_by_store += refused_for_store_;
  }
  queue_->AddTo(stats);
  return stats;
}

template <typename SomeCommand>
void Engine::Ask(SomeCommand some_command) {
  Command command = std::move(some_command);
  absl::Status refused = queue_->Push(command);
  if (!refused.ok()) std::get<SomeCommand>(command).done(std::move(refused));
}

std::string Engine::Accept(AcceptRequest request, Callback<Accepted> done) {
  if (absl::Status bad = CheckRequest(request); !bad.ok()) {
    done(std::move(bad));
    return "";
  }
  const absl::Time now = clock_->Now();
  AcceptCommand command = WithIds(std::move(request), now, *random_);
  std::string id = command.request.message.id;
  command.done = std::move(done);
  Ask(std::move(command));
  return id;
}

absl::Status Engine::CheckRoom(const NewDelivery& delivery) {
  const std::lock_guard<std::mutex> lock(stats_mutex_);
  if (const auto known = backlogs_.find(delivery.target); known != backlogs_.end()) {
    absl::Status full = HasRoom(delivery.target, known->second, delivery.max_backlog, /*bytes=*/1);
    refused_for_backlog_ += !full.ok();
    if (!full.ok()) return full;
  }
  // Not so `max_store_bytes`: what the store uses is known only when something is to be accepted.
  if (stats_.pending + stats_.running < max_pending_) return absl::OkStatus();
  ++refused_for_store_;
  return StoreIsFull("max_pending", max_pending_);
}

void Engine::Release(std::string id, std::string attributes) {
  Command command = HeldCommand{std::move(id), /*discard=*/false, std::move(attributes)};
  // After Stop() it is for the next process.
  queue_->Push(command).IgnoreError();
}

void Engine::Discard(std::string id) {
  Command command = HeldCommand{std::move(id), /*discard=*/true, ""};
  queue_->Push(command).IgnoreError();
}

void Engine::AcceptAll(std::vector<AcceptRequest> requests, Callback<std::vector<Accepted>> done) {
  AcceptAllCommand command;
  const absl::Time now = clock_->Now();
  int64_t bytes = 0;
  absl::Status status;
  for (AcceptRequest& request : requests) {
    status.Update(CheckRequest(request));
    bytes += SizeOf(request.message);
    command.accepts.push_back(WithIds(std::move(request), now, *random_));
  }
  if (bytes > max_batch_bytes_) {
    status.Update(absl::OutOfRangeError(absl::StrCat(
        "the messages have ", bytes, " bytes together, more than ", max_batch_bytes_)));
  }
  if (!status.ok()) {
    done(std::move(status));
    return;
  }
  command.done = std::move(done);
  Ask(std::move(command));
}

void Engine::Complete(uint64_t claim, AttemptOutcome outcome) {
  Command command = CompleteCommand{claim, std::move(outcome)};
  // After Stop() it is too late to store it, and the delivery will run again.
  queue_->Push(command).IgnoreError();
}

void Engine::Hurry(std::string cluster) {
  Command command = HurryCommand{std::move(cluster)};
  // After Stop() nothing is due any more.
  queue_->Push(command).IgnoreError();
}

void Engine::LimitClusters(absl::flat_hash_map<std::string, int> limits) {
  Command command = ClusterLimitsCommand{std::move(limits)};
  // After Stop() nothing is started any more.
  queue_->Push(command).IgnoreError();
}

void Engine::Get(std::string id, Callback<MessageView> done) {
  Ask(GetCommand{std::move(id), std::move(done)});
}

void Engine::GetResult(std::string id, Callback<DeliveryResult> done) {
  Ask(GetResultCommand{std::move(id), std::move(done)});
}

void Engine::Describe(std::string id, bool content, Callback<std::vector<ListedDelivery>> done) {
  Ask(DescribeCommand{std::move(id), content, std::move(done)});
}

void Engine::Cancel(std::string id, Callback<MessageView> done) {
  Ask(CancelCommand{std::move(id), std::move(done)});
}

void Engine::ReportProgress(std::string id, int percent_complete, Callback<MessageView> done) {
  Ask(ProgressCommand{std::move(id), percent_complete, std::move(done)});
}

WatchId Engine::Watch(std::string id, Callback<MessageView> on_change) {
  const WatchId watch = next_watch_++;
  Ask(WatchCommand{watch, std::move(id), std::move(on_change)});
  return watch;
}

void Engine::Unwatch(WatchId watch) {
  Command command = UnwatchCommand{watch};
  // After Stop() there are no watches any more.
  queue_->Push(command).IgnoreError();
}

void Engine::ListDeliveries(ListRequest request, Callback<DeliveryPage> done) {
  const absl::StatusOr<RowId> after = RowOfPageToken(request.page_token);
  if (!after.ok()) {
    done(after.status());
    return;
  }
  Ask(ListCommand{std::move(request), *after, std::move(done)});
}

void Engine::Change(ChangeRequest request, Callback<ChangeSummary> done) {
  const absl::StatusOr<RowId> after = RowOfPageToken(request.page_token);
  if (!after.ok()) {
    done(after.status());
    return;
  }
  Ask(ChangeCommand{std::move(request), *after, std::move(done)});
}

}  // namespace pillion::delivery
