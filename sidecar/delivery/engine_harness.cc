#include "sidecar/delivery/engine_harness.h"

#include <stdlib.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "gtest/gtest.h"

namespace pillion::delivery {
namespace {

// Nothing in the tests goes on without it.
template <typename T>
T Require(std::optional<T> value, const char* what) {
  if (!value.has_value()) {
    std::fprintf(stderr, "no %s within the time limit\n", what);
    std::abort();
  }
  return *std::move(value);
}

template <typename Reply>
absl::StatusOr<Reply> Await(const std::function<void(Callback<Reply>)>& ask) {
  Inbox<absl::StatusOr<Reply>> inbox;
  ask([&inbox](absl::StatusOr<Reply> reply) { inbox.Put(std::move(reply)); });
  return Require(inbox.Next(), "reply");
}

DeliverySpec Spec(int num_retries) {
  DeliverySpec spec;
  spec.retry = {num_retries, absl::ZeroDuration(), absl::Minutes(5)};
  spec.attempt_timeout = absl::Seconds(30);
  spec.retention = absl::Hours(1);
  return spec;
}

}  // namespace

std::string NewDirectory() {
  std::string name = testing::TempDir() + "/store-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) std::abort();
  return name;
}

EngineHarness::EngineHarness(EngineOptions options, std::string directory, int max_row_bytes)
    : directory(std::move(directory)), options_(std::move(options)), max_row_bytes_(max_row_bytes) {
  Open();
}

EngineHarness::~EngineHarness() { engine->Stop(); }

void EngineHarness::Open() {
  auto store = SqliteStore::Open(directory, max_row_bytes_);
  if (!store.ok()) {
    std::fprintf(stderr, "%s\n", store.status().ToString().c_str());
    std::abort();
  }
  engine = std::make_unique<Engine>(options_, *std::move(store), &clock, &random_);
  const absl::Status started =
      engine->Start([this](ClaimedDelivery delivery) { attempts.Put(std::move(delivery)); },
                    [this](uint64_t claim) { aborts.Put(claim); });
  if (!started.ok()) std::abort();
}

void EngineHarness::Restart() {
  engine.reset();
  while (attempts.size() > 0) attempts.Next();
  Open();
}

absl::StatusOr<Accepted> EngineHarness::Accept(AcceptRequest request) {
  return Await<Accepted>([&](auto done) { engine->Accept(std::move(request), std::move(done)); });
}

absl::StatusOr<std::vector<Accepted>> EngineHarness::AcceptAll(
    std::vector<AcceptRequest> requests) {
  return Await<std::vector<Accepted>>(
      [&](auto done) { engine->AcceptAll(std::move(requests), std::move(done)); });
}

absl::StatusOr<MessageView> EngineHarness::Get(const std::string& id) {
  return Await<MessageView>([&](auto done) { engine->Get(id, std::move(done)); });
}

absl::StatusOr<DeliveryResult> EngineHarness::GetResult(const std::string& id) {
  return Await<DeliveryResult>([&](auto done) { engine->GetResult(id, std::move(done)); });
}

absl::StatusOr<std::vector<ListedDelivery>> EngineHarness::Describe(const std::string& id,
                                                                    bool content) {
  return Await<std::vector<ListedDelivery>>(
      [&](auto done) { engine->Describe(id, content, std::move(done)); });
}

absl::StatusOr<MessageView> EngineHarness::Cancel(const std::string& id) {
  return Await<MessageView>([&](auto done) { engine->Cancel(id, std::move(done)); });
}

absl::StatusOr<DeliveryPage> EngineHarness::List(ListRequest request) {
  return Await<DeliveryPage>(
      [&](auto done) { engine->ListDeliveries(std::move(request), std::move(done)); });
}

absl::StatusOr<ChangeSummary> EngineHarness::Change(ChangeRequest request) {
  return Await<ChangeSummary>(
      [&](auto done) { engine->Change(std::move(request), std::move(done)); });
}

absl::StatusOr<ChangeSummary> EngineHarness::Replay(DeliverySelection selection) {
  return Change({ChangeRequest::Kind::kReplay, std::move(selection), ""});
}

absl::StatusOr<ChangeSummary> EngineHarness::Drop(DeliverySelection selection) {
  return Change({ChangeRequest::Kind::kDrop, std::move(selection), ""});
}

DeliveryState EngineHarness::StateOf(const std::string& id) {
  // An outcome given just before is applied after the reading of its own turn.
  Settle();
  const auto view = Get(id);
  return view.ok() && !view->deliveries.empty() ? view->deliveries[0].state : DeliveryState{};
}

ClaimedDelivery EngineHarness::NextAttempt() { return Require(attempts.Next(), "attempt"); }

void EngineHarness::Settle() {
  // The reply to the second comes after the turn in which the first was served is over. A third, as
  // that turn may have changed what is due.
  for (int i = 0; i < 3; ++i) Get("").IgnoreError();
}

size_t EngineHarness::AttemptsWaiting() {
  Settle();
  return attempts.size();
}

void EngineHarness::Succeed(const ClaimedDelivery& delivery, int status, std::string body) {
  AttemptOutcome outcome;
  outcome.answer = {status, "answer-headers", std::move(body)};
  engine->Complete(delivery.claim, std::move(outcome));
}

void EngineHarness::FailForNow(const ClaimedDelivery& delivery, int status,
                               absl::Duration retry_after) {
  AttemptOutcome outcome;
  outcome.verdict = AttemptOutcome::Verdict::kRetry;
  outcome.retry_after = retry_after;
  outcome.answer.status = status;
  if (status == 0) outcome.error = "connection refused";
  engine->Complete(delivery.claim, std::move(outcome));
}

void EngineHarness::EndAborted(const ClaimedDelivery& delivery) {
  AttemptOutcome outcome;
  outcome.verdict = AttemptOutcome::Verdict::kAborted;
  engine->Complete(delivery.claim, std::move(outcome));
}

void EngineHarness::Postpone(const ClaimedDelivery& delivery, absl::Duration wait) {
  AttemptOutcome outcome;
  outcome.verdict = AttemptOutcome::Verdict::kPostponed;
  outcome.retry_after = wait;
  outcome.error = "nobody to send it to";
  engine->Complete(delivery.claim, std::move(outcome));
}

void EngineHarness::FailForGood(const ClaimedDelivery& delivery, int status, std::string body) {
  AttemptOutcome outcome;
  outcome.verdict = AttemptOutcome::Verdict::kPermanentFailure;
  outcome.answer = {status, "answer-headers", std::move(body)};
  engine->Complete(delivery.claim, std::move(outcome));
}

AcceptRequest AsyncCall(const std::string& route, int num_retries) {
  AcceptRequest request;
  request.message.kind = MessageKind::kAsync;
  request.message.method = "POST";
  request.message.path_and_query = "/reports?year=1";
  request.message.authority = "orders";
  request.message.headers = std::string("some\0bytes", 10);
  request.message.body = "the body";
  NewDelivery delivery;
  delivery.target = {TargetKind::kRoute, route};
  delivery.cluster = "orders";
  delivery.spec = Spec(num_retries);
  delivery.spec.extra = "what the sender needs";
  request.deliveries.push_back(std::move(delivery));
  return request;
}

AcceptRequest Publication(const std::string& topic, const std::vector<std::string>& subscriptions,
                          int num_retries) {
  AcceptRequest request;
  request.message.kind = MessageKind::kPublish;
  request.message.topic = topic;
  request.message.method = "POST";
  request.message.path_and_query = "/signup";
  request.message.attributes = "attributes";
  request.message.body = "the event";
  request.message.retention = absl::Hours(1);
  for (const std::string& name : subscriptions) {
    NewDelivery delivery;
    delivery.target = {TargetKind::kSubscription, name};
    delivery.cluster = name;
    delivery.spec = Spec(num_retries);
    request.deliveries.push_back(std::move(delivery));
  }
  return request;
}

}  // namespace pillion::delivery
