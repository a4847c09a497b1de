#include "sidecar/actions/attempt.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "core/http/header_rules.h"
#include "core/net/loop.h"
#include "core/net/task_group.h"
#include "core/strings.h"
#include "core/telemetry/fast_random.h"
#include "core/telemetry/log.h"
#include "sidecar/actions/answer.h"
#include "sidecar/actions/attempt_request.h"
#include "sidecar/actions/attempt_spec.h"
#include "sidecar/actions/call.h"
#include "sidecar/actions/collect.h"
#include "sidecar/actions/follow.h"
#include "sidecar/actions/retry_on.h"
#include "sidecar/actions/webhook.h"
#include "sidecar/delivery/engine.h"
#include "sidecar/delivery/fields.h"
#include "sidecar/snapshot.h"
#include "sidecar/upstream/cluster_manager.h"

namespace pillion::sidecar {
namespace {

using delivery::AttemptOutcome;
using Verdict = AttemptOutcome::Verdict;

constexpr log::Logger kLog("delivery");

// What is read of a subscriber's answer, which is kept for the dead letters only.
constexpr uint64_t kMaxSubscriberAnswer = 64 * 1024;
// Heads of one answer; an upstream that sends more informational ones will not send another.
constexpr int kMaxHeads = 100;
// How long a delivery rests that could not be sent for reasons of our own.
constexpr absl::Duration kPostponement = absl::Seconds(1);
constexpr absl::Duration kMaxPostponement = absl::Minutes(1);
// And one whose secrets cannot be read, until somebody has put them there.
constexpr absl::Duration kUnsignedPostponement = absl::Seconds(5);
// What counts of an upstream's wish to be asked later how far it is.
constexpr absl::Duration kMaxPollInterval = absl::Hours(24);
// How long attempts wait for a policy with a cluster that was asked for, and after how long it is
// asked for again.
constexpr auto kWaitForCluster = std::chrono::seconds(1);
constexpr auto kAskAgain = std::chrono::seconds(10);

bool IsCall(const delivery::ClaimedDelivery& delivery) {
  return delivery.message->kind == delivery::MessageKind::kAsync;
}

// RFC 9110 section 9.2.2.
bool IsIdempotent(std::string_view method) {
  return method != "POST" && method != "PATCH" && method != "CONNECT";
}

// Retry-After (RFC 9110 section 10.2.3): seconds or a date; zero if there is none.
absl::Duration RetryAfter(const http::HeaderList& headers) {
  const std::string_view value = headers.Value(http::HeaderId::kRetryAfter);
  int64_t seconds = 0;
  if (absl::SimpleAtoi(ToAbsl(value), &seconds)) {
    return absl::Seconds(std::clamp<int64_t>(seconds, 0, 86400 * 365));
  }
  absl::Time date;
  if (absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", ToAbsl(value), &date, nullptr)) {
    return std::max(date - absl::Now(), absl::ZeroDuration());
  }
  return absl::ZeroDuration();
}

// What a subscriber's answer means (docs/policy.md): done, again, or never.
Verdict SubscriberVerdict(int status) {
  if (status >= 200 && status < 300) return Verdict::kSuccess;
  if (status == 404 || status == 408 || status == 409 || status == 429 || status >= 500) {
    return Verdict::kRetry;
  }
  return Verdict::kPermanentFailure;
}

// One attempt, from the stored message to its outcome.
class Attempt {
 public:
  Attempt(Services& services, const Snapshot& snapshot, const delivery::ClaimedDelivery& delivery,
          net::CancelScope& scope)
      : services_(services), snapshot_(snapshot), delivery_(delivery), scope_(scope) {}

  net::Task<AttemptOutcome> Run() {
    spec_ = DecodeAttemptSpec(delivery_.spec.extra);
    const auto cluster = snapshot_.clusters.find(delivery_.cluster);
    if (cluster == snapshot_.clusters.end()) {
      // Each time twice as old as the time before: so the wait doubles.
      co_return Postponed(StrCat("the policy defines no cluster '", delivery_.cluster,
                                 "' now; waiting until it does"),
                          absl::Now() - delivery_.message->created_at);
    }
    if (delivery_.message->kind == delivery::MessageKind::kCallback) {
      absl::StatusOr<std::vector<std::string>> keys = ReadWebhookSecrets(spec_.secret_file());
      if (!keys.ok()) {
        static log::Limited unsigned_callback(kLog);
        unsigned_callback.Warning("the callbacks of ", delivery_.target.name,
                                  " wait, as they cannot be signed: ", keys.status().message());
        // Callers see this: it is none of their business where the file is.
        co_return Postponed("it cannot be signed now; the log of the sidecar says why",
                            kUnsignedPostponement);
      }
      webhook_keys_ = *std::move(keys);
    }
    const upstream::UseSlot slot = services_.clusters.TryBeginRequest(*cluster->second);
    if (!slot) {
      co_return Postponed(StrCat("cluster '", delivery_.cluster,
                                 "' has as many requests under way as "
                                 "circuit_breakers.max_requests allows"),
                          kPostponement);
    }
    if (!delivery_.resume.empty()) {
      AttemptOutcome followed = co_await Follow(*cluster->second);
      co_return followed;
    }
    AttemptOutcome outcome = co_await Request(*cluster->second);
    const bool accepted =
        IsCall(delivery_) && spec_.follow_status() && outcome.answer.status == 202;
    if (accepted) {
      std::string path = StatusPathOf(outcome.answer, delivery_.message->path_and_query);
      // Without one the 202 is the answer.
      if (path.empty()) co_return outcome;
      FollowedStatus followed;
      followed.path = std::move(path);
      co_return Continued(std::move(followed), outcome);
    }
    co_return outcome;
  }

 private:
  // One request and its answer. GETs of `follow_path_` are repeated on a fresh connection like
  // messages.
  net::Task<AttemptOutcome> Request(const upstream::ClusterConfig& cluster) {
    upstream::AcquireOptions options;
    upstream::AcquireResult acquired =
        co_await services_.clusters.Acquire(cluster, options, scope_);
    if (!acquired.lease) co_return NoConnection(acquired);
    upstream::Lease lease = *std::move(acquired.lease);
    AttemptOutcome outcome = co_await Exchange(lease);
    if (stale_ && (!IsCall(delivery_) || !follow_path_.empty())) {
      // The upstream closed an idle connection: no fault of its, and no attempt of ours. A message
      // may come twice; a call is for its retry_policy to repeat.
      lease = upstream::Lease();
      options.fresh = true;
      acquired = co_await services_.clusters.Acquire(cluster, options, scope_);
      if (!acquired.lease) co_return NoConnection(acquired);
      lease = *std::move(acquired.lease);
      outcome = co_await Exchange(lease);
    }
    co_return outcome;
  }

  // Asks an upstream that works on what has become of it, and for the result if there is one.
  net::Task<AttemptOutcome> Follow(const upstream::ClusterConfig& cluster) {
    FollowedStatus followed = DecodeFollowedStatus(delivery_.resume);
    follow_path_ = followed.path;
    AttemptOutcome outcome = co_await Request(cluster);
    if (outcome.answer.status == 0) co_return Unanswered(std::move(followed), std::move(outcome));
    const UpstreamStatus status = ReadUpstreamStatus(outcome.answer, followed.path);
    if (status.kind == UpstreamStatus::kWorking) {
      outcome.percent_complete = status.percent_complete;
      co_return Continued(std::move(followed), outcome);
    }
    if (!status.result_path.empty()) {
      follow_path_ = status.result_path;
      outcome = co_await Request(cluster);
      if (outcome.answer.status == 0) co_return Unanswered(std::move(followed), std::move(outcome));
      // Not there yet; or an error, which may be that of the work itself: that is found out by
      // asking as often as the policy has other errors tried again.
      const bool not_there = outcome.answer.status == 202;
      if (not_there || (IsPassing(outcome.answer.status) &&
                        followed.failed_results < delivery_.spec.retry.num_retries)) {
        followed.failed_results += !not_there;
        co_return Continued(std::move(followed), outcome);
      }
    }
    const bool failed = status.kind == UpstreamStatus::kFailed || outcome.answer.status >= 400;
    outcome.verdict = failed ? Verdict::kPermanentFailure : Verdict::kSuccess;
    outcome.error = failed ? StrCat("the upstream's work, followed at ", followed.path,
                                    ", ended as ", status.word, " with ", outcome.answer.status)
                           : "";
    co_return outcome;
  }

  // Its status could not be had now; it works on all the same.
  AttemptOutcome Unanswered(FollowedStatus followed, AttemptOutcome outcome) const {
    if (outcome.verdict == Verdict::kRetry) return Continued(std::move(followed), outcome);
    return outcome;  // postponed, or an answer that is too large
  }

  AttemptOutcome Continued(FollowedStatus followed, const AttemptOutcome& outcome) const {
    AttemptOutcome next;
    next.verdict = Verdict::kContinue;
    next.answer.status = outcome.answer.status;
    next.error = outcome.answer.status == 0 ? outcome.error : "";
    next.percent_complete = outcome.percent_complete;
    next.retry_after = outcome.retry_after > absl::ZeroDuration()
                           ? std::min(outcome.retry_after, kMaxPollInterval)
                           : PollInterval(followed.polls);
    ++followed.polls;
    next.resume = Encode(followed);
    return next;
  }

  // How long to wait before the status is asked for again, if the upstream does not say: as before
  // a retry, but never at once.
  absl::Duration PollInterval(int polls) const {
    const delivery::RetryPolicy& policy = delivery_.spec.retry;
    absl::Duration limit = policy.base_interval;
    for (int i = 0; i < polls && limit < policy.max_interval; ++i) limit *= 2;
    limit = std::min(limit, std::max(policy.max_interval, policy.base_interval));
    limit = std::max(limit, absl::Milliseconds(2));
    const int64_t half = absl::ToInt64Microseconds(limit) / 2;
    const uint64_t jitter =
        telemetry::FastRandom::OfThisThread().Below(static_cast<uint64_t>(half) + 1);
    return absl::Microseconds(half + static_cast<int64_t>(jitter));
  }

  net::Task<AttemptOutcome> Exchange(upstream::Lease& lease) {
    const std::string via = StrCat("pillion-", services_.node_id);
    request_ = AttemptRequest();
    if (follow_path_.empty()) {
      BuildAttemptRequest(delivery_, spec_, via, services_.operation_authority, webhook_keys_,
                          absl::Now(), &request_);
    } else {
      BuildStatusRequest(delivery_, follow_path_, &request_);
    }
    net::TaskGroup sending(services_.loop, &scope_);
    sending.Spawn(Send(lease.connection(), sending.scope()));
    AttemptOutcome outcome = co_await ReadAnswer(lease);
    // An upstream that answered without reading everything has had enough.
    sending.scope().Cancel(absl::CancelledError("the answer is complete"));
    co_await sending.Join();
    lease.Release();
    co_return outcome;
  }

  // A failed send is no verdict: the upstream may have answered before it closed.
  net::Task<void> Send(http::ClientConnection& connection, net::CancelScope& scope) {
    const std::string_view body =
        request_.own_body ? std::string_view(request_.body) : delivery_.message->body;
    (void)co_await connection.SendHead(request_.head, request_.head.body, body, true, scope);
  }

  // The final head of the answer; informational ones are passed over.
  net::Task<absl::Status> ReadHead(http::ClientConnection& connection, http::ResponseHead& head) {
    for (int heads = 0; heads < kMaxHeads; ++heads) {
      absl::Status read = co_await connection.ReadHead(http::HeadLimits(), &head, scope_);
      if (!read.ok() || head.status >= 200) co_return read;
      if (head.status == 101)
        co_return absl::InvalidArgumentError("101 without a request to upgrade");
    }
    co_return absl::InvalidArgumentError("informational answers without end");
  }

  net::Task<AttemptOutcome> ReadAnswer(upstream::Lease& lease) {
    http::ClientConnection& connection = lease.connection();
    http::ResponseHead head;
    absl::Status read = co_await ReadHead(connection, head);
    stale_ = !read.ok() && lease.reused() && !connection.answer_begun() && !scope_.canceled();
    if (!read.ok()) {
      co_return Failed(stale_                          ? AttemptFailure::kStale
                       : absl::IsInvalidArgument(read) ? AttemptFailure::kProtocolError
                                                       : AttemptFailure::kReset,
                       read);
    }
    lease.stats().rq_xx.Add(head.status);
    AttemptOutcome outcome;
    outcome.answer.status = head.status;
    http::RemoveHopByHop(&head.headers);
    head.headers.Remove(http::HeaderId::kContentLength);
    for (const http::Header& header : head.headers) {
      delivery::AppendField(outcome.answer.headers, header.name, header.value);
    }
    const bool may_be_followed =
        spec_.follow_status() && (head.status == 202 || !follow_path_.empty());
    if (!IsCall(delivery_) || head.status == 429 || head.status == 503 || may_be_followed) {
      outcome.retry_after = RetryAfter(head.headers);
    }
    const uint64_t limit = IsCall(delivery_) ? spec_.max_result_bytes() : kMaxSubscriberAnswer;
    absl::Status collected =
        co_await CollectAnswerBody(connection, limit, scope_, &outcome.answer.body);
    if (collected.ok() || (!IsCall(delivery_) && absl::IsResourceExhausted(collected))) {
      // Of a subscriber's answer the status is all that counts; a person looks at its beginning.
    } else if (absl::IsResourceExhausted(collected)) {
      outcome.answer = delivery::Answer();  // a head without its body is no answer
      outcome.verdict = Verdict::kPermanentFailure;
      outcome.error = StrCat(FromAbsl(collected.message()), ", max_result_bytes of the route");
      co_return outcome;
    } else {
      co_return Failed(AttemptFailure::kReset, collected);
    }
    Judge(head.status, outcome);
    co_return outcome;
  }

  void Judge(int status, AttemptOutcome& outcome) const {
    if (!IsCall(delivery_)) {
      outcome.verdict = SubscriberVerdict(status);
    } else if (RetryConditions().Matches(status)) {
      outcome.verdict = Verdict::kRetry;
    } else if (status < 400) {
      outcome.verdict = Verdict::kSuccess;
    } else {
      outcome.verdict = Verdict::kPermanentFailure;
    }
    if (outcome.verdict != Verdict::kSuccess) outcome.error = DescribeAnswer(outcome.answer);
  }

  RetryOn RetryConditions() const {
    const auto& codes = spec_.retriable_status_codes();
    return RetryOn(spec_.retry_on(), {codes.begin(), codes.end()});
  }

  AttemptOutcome NoConnection(const upstream::AcquireResult& acquired) const {
    if (acquired.failure == upstream::AcquireFailure::kOverflow) {
      return Postponed(std::string(acquired.status.message()), kPostponement);
    }
    return Failed(AttemptFailure::kConnect, acquired.status);
  }

  // There was no answer.
  AttemptOutcome Failed(AttemptFailure failure, const absl::Status& why) const {
    if (absl::IsDeadlineExceeded(scope_.status())) {
      failure = AttemptFailure::kTimeout;
    }
    AttemptOutcome outcome = Again(std::string(why.message()));
    if (IsCall(delivery_) && follow_path_.empty() &&
        !RetryConditions().Matches(failure, IsIdempotent(delivery_.message->method))) {
      outcome.verdict = Verdict::kPermanentFailure;
    }
    return outcome;
  }

  // Nobody was called, for reasons of our own: that uses no retry up.
  static AttemptOutcome Postponed(std::string error, absl::Duration wait) {
    AttemptOutcome outcome = Again(std::move(error));
    outcome.verdict = Verdict::kPostponed;
    outcome.retry_after = std::clamp(wait, kPostponement, kMaxPostponement);
    return outcome;
  }

  static AttemptOutcome Again(std::string error) {
    AttemptOutcome outcome;
    outcome.verdict = Verdict::kRetry;
    outcome.error = std::move(error);
    return outcome;
  }

  Services& services_;
  const Snapshot& snapshot_;
  const delivery::ClaimedDelivery& delivery_;
  net::CancelScope& scope_;
  store::v1::AttemptSpec spec_;
  AttemptRequest request_;
  std::vector<std::string> webhook_keys_;  // of a callback
  std::string
      follow_path_;     // where the upstream tells its status or result; empty: the call itself
  bool stale_ = false;  // a pooled connection turned out to be closed
};

}  // namespace

AttemptRunner::AttemptRunner(Services& services, const std::shared_ptr<const Snapshot>& snapshot,
                             WantCluster want_cluster)
    : services_(services),
      snapshot_(snapshot),
      want_cluster_(std::move(want_cluster)),
      running_(services.loop) {}

void AttemptRunner::OnSnapshot() {
  wanted_.clear();
  snapshot_arrived_.WakeAll();
  absl::erase_if(missing_clusters_, [&](const std::string& cluster) {
    const bool back = snapshot_->clusters.contains(cluster);
    if (back) services_.engine.Hurry(cluster);
    return back;
  });
}

void AttemptRunner::Start(delivery::ClaimedDelivery delivery) {
  running_.Spawn(Run(std::move(delivery)));
}

void AttemptRunner::Abort(uint64_t claim) {
  const auto found = scopes_.find(claim);
  if (found != scopes_.end()) found->second->Cancel(absl::CancelledError("canceled"));
}

void AttemptRunner::AbortAll() {
  running_.scope().Cancel(absl::CancelledError("the sidecar is shutting down"));
}

net::Task<void> AttemptRunner::Join() { return running_.Join(); }

net::Task<void> AttemptRunner::Run(delivery::ClaimedDelivery delivery) {
  net::CancelScope scope(services_.loop, &running_.scope());
  scopes_.emplace(delivery.claim, &scope);
  absl::Status ready = absl::OkStatus();
  while (ready.ok() && snapshot_ == nullptr) ready = co_await snapshot_arrived_.Wait(scope);
  AttemptOutcome outcome;
  if (ready.ok()) {
    co_await AwaitCluster(delivery.cluster, scope);
    net::CancelScope timed(services_.loop, &scope);
    timed.SetDeadline(
        services_.loop.now() + absl::ToChronoNanoseconds(delivery.spec.attempt_timeout),
        "the attempt took longer than its timeout");
    const std::shared_ptr<const Snapshot> snapshot = snapshot_;
    if (!snapshot->clusters.contains(delivery.cluster)) missing_clusters_.insert(delivery.cluster);
    Attempt attempt(services_, *snapshot, delivery, timed);
    outcome = co_await attempt.Run();
  }
  scopes_.erase(delivery.claim);
  if (scope.canceled() && outcome.answer.status == 0) {
    outcome = AttemptOutcome();
    outcome.verdict = Verdict::kAborted;
  }
  services_.engine.Complete(delivery.claim, std::move(outcome));
}

// Asks for a cluster that the policy lacks, and waits a moment for it. In vain, it is not waited
// for again until it is asked for again: those without a cluster must not keep others from running.
net::Task<void> AttemptRunner::AwaitCluster(const std::string& name, net::CancelScope& scope) {
  if (snapshot_->clusters.contains(name)) co_return;
  const net::TimePoint now = services_.loop.now();
  const auto [since, is_new] = wanted_.try_emplace(name, now);
  if (is_new || now - since->second >= kAskAgain) {
    since->second = now;
    want_cluster_(name);
  }
  const net::TimePoint deadline = since->second + kWaitForCluster;
  if (now >= deadline) co_return;
  net::CancelScope patience(services_.loop, &scope);
  patience.SetDeadline(deadline, "the cluster did not come");
  absl::Status woken = absl::OkStatus();
  while (woken.ok() && !snapshot_->clusters.contains(name)) {
    woken = co_await snapshot_arrived_.Wait(patience);
  }
}

}  // namespace pillion::sidecar
