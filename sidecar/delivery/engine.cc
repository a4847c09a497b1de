#include "sidecar/delivery/engine.h"

#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sidecar/delivery/command_queue.h"
#include "sidecar/delivery/commands.h"
#include "sidecar/delivery/status_macros.h"
#include "sidecar/delivery/ulid.h"
#include "sidecar/delivery/worker.h"

namespace pillion::delivery {
namespace {

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

}  // namespace

Engine::Engine(EngineOptions options, std::unique_ptr<Store> store, Clock* clock, Random* random)
    : clock_(clock),
      random_(random),
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
    PublishStats();
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
  const std::string id = NewUlid(now, *random_);
  request.message.id = id;
  std::vector<std::string> delivery_ids;
  if (request.message.kind == MessageKind::kAsync) {
    delivery_ids.push_back(request.message.id);
  } else {
    for (size_t i = 0; i < request.deliveries.size(); ++i)
      delivery_ids.push_back(NewUlid(now, *random_));
  }
  Ask(AcceptCommand{std::move(request), std::move(delivery_ids), std::move(done)});
  return id;
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
  Ask(ListCommand{std::move(request), std::move(done)});
}

void Engine::Replay(DeliverySelection selection, Callback<ChangeSummary> done) {
  Ask(ChangeCommand{ChangeCommand::Change::kReplay, std::move(selection), std::move(done)});
}

void Engine::Drop(DeliverySelection selection, Callback<ChangeSummary> done) {
  Ask(ChangeCommand{ChangeCommand::Change::kDrop, std::move(selection), std::move(done)});
}

}  // namespace pillion::delivery
