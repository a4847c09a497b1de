#include "sidecar/actions/forward.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/numbers.h"
#include "core/config/units.h"
#include "core/http/header_rules.h"
#include "core/http/tunnel.h"
#include "core/net/loop.h"
#include "core/net/task_group.h"
#include "core/net/wait_queue.h"
#include "core/strings.h"
#include "core/telemetry/fast_random.h"
#include "sidecar/actions/accepted.h"
#include "sidecar/actions/call.h"
#include "sidecar/actions/forward_config.h"
#include "sidecar/actions/request_body.h"
#include "sidecar/upstream/cluster_manager.h"

namespace pillion::sidecar {
namespace {

bool IsIdempotent(std::string_view method) {
  return method != "POST" && method != "PATCH" && method != "CONNECT";
}

std::string_view FlagOf(upstream::AcquireFailure failure) {
  switch (failure) {
    case upstream::AcquireFailure::kOverflow:
      return "UO";
    case upstream::AcquireFailure::kNoHealthyHost:
      return "UH";
    case upstream::AcquireFailure::kConnectFailed:
    case upstream::AcquireFailure::kConnectTimeout:
      return "UF";
    case upstream::AcquireFailure::kCanceled:
      return "DC";
  }
  return "";
}

// What Retry-After of a 429 or 503 asks for (RFC 9110 section 10.2.3), in seconds; a date stands
// for a wait that is too long for a caller.
net::Duration RetryAfter(const http::ResponseHead& head) {
  if (head.status != 429 && head.status != 503) return net::Duration::zero();
  uint32_t seconds = 0;
  const bool is_number =
      absl::SimpleAtoi(ToAbsl(head.headers.Value(http::HeaderId::kRetryAfter)), &seconds);
  return is_number ? std::chrono::seconds(seconds) : net::Duration::zero();
}

// Of one call; an upstream that sends more before its answer is not going to send one.
constexpr int kMaxInformational = 100;

// How long the event of a call may take to become durable. A commit takes milliseconds.
constexpr auto kStorePatience = std::chrono::seconds(10);

// One forwarded call, from the request to the end of the answer.
class Forwarding {
 public:
  Forwarding(const ForwardConfig& config, Call& call)
      : config_(config),
        call_(call),
        loop_(call.services.loop),
        cluster_(PickCluster()),
        scope_(loop_, &call.scope()),
        body_(call.exchange, config.retry_buffer_bytes) {}

  // Makes the request ready to be sent. Or else the problem to answer with.
  std::optional<http::Problem> Prepare() {
    call_.record.cluster = cluster_.name;
    if (config_.timeout > net::Duration::zero()) {
      scope_.SetDeadline(loop_.now() + config_.timeout, "the call's timeout");
    }
    absl::Status begun = body_.Begin();
    if (!begun.ok()) {
      return http::Problem(call_.exchange.body_error_status(), "DPE", std::string(begun.message()));
    }
    const http::NormalizedPath path = config_.path_rewrite.Apply(call_.path, &rewritten_path_);
    if (path.error != nullptr) return http::Problem(400, "DPE", path.error);
    slot_ = call_.services.clusters.TryBeginRequest(cluster_);
    if (!slot_) {
      return http::Problem(503, "UO",
                           StrCat("cluster '", cluster_.name,
                                  "' has as many requests under way as "
                                  "circuit_breakers.max_requests allows"));
    }
    PrepareRequest(path.path);
    if (body_.complete()) call_.exchange.CancelWhenCallerLeaves();
    return std::nullopt;
  }

  // What is to be announced even if nobody lives to see the answer is stored first. False when the
  // caller has been told that it cannot be. REQUIRES: there is an emitter.
  net::Task<bool> StoreIntents() {
    net::CancelScope patience(loop_, &scope_);
    patience.SetDeadline(loop_.now() + kStorePatience, "the store does not answer");
    absl::Status stored = co_await config_.emitter->Prepare(call_, intents_, patience);
    if (stored.ok()) co_return true;
    if (call_.scope().canceled()) {
      call_.record.flag = "DC";
    } else {
      co_await FailAccept(call_, stored);
    }
    co_return false;
  }

  // Once the last attempt has ended, with or without an answer. REQUIRES: there is an emitter.
  void SettleIntents() { config_.emitter->GiveUp(call_, reached_upstream_, intents_); }

  // True when another attempt is to follow.
  net::Task<bool> Attempt() {
    if (attempts_++ > 0) upload_ = RequestBody::UploadResult();
    upstream::AcquireOptions options;
    options.avoid = tried_;
    options.fresh = fresh_;
    upstream::AcquireResult acquired =
        co_await call_.services.clusters.Acquire(cluster_, options, scope_);
    if (!acquired.lease) {
      const bool again = co_await OnNoConnection(acquired);
      co_return again;
    }
    upstream::Lease& lease = *acquired.lease;
    call_.SetUpstreamAddress(lease.host());
    tried_.push_back(lease.host_id());

    std::optional<net::CancelScope> limit;
    if (config_.per_try_timeout > net::Duration::zero()) {
      limit.emplace(loop_, &scope_);
      limit->SetDeadline(loop_.now() + config_.per_try_timeout, "retry_policy.per_try_timeout");
    }
    net::CancelScope& try_scope = limit ? *limit : scope_;
    const net::TimePoint sent_at = loop_.now();
    reached_upstream_ = true;
    http::ClientConnection& connection = lease.connection();
    const http::RequestHead& request = call_.request();
    absl::Status sent = co_await connection.SendHead(request, request.body, body_.first(),
                                                     body_.complete(), try_scope);
    std::optional<net::TaskGroup> uploads;
    const bool more = sent.ok() && !body_.complete();
    // Before anything else is sent to the caller, so that never two send at once.
    if (more) sent = co_await call_.exchange.SendContinue(try_scope);
    if (more && sent.ok()) {
      uploads.emplace(loop_, &try_scope);
      uploads->Spawn(Upload(connection, uploads->scope()));
    } else if (more && !try_scope.canceled()) {
      // Who will not hear that the body may come is gone, and nothing else would tell.
      scope_.Cancel(absl::AbortedError("the caller closed the connection"));
    }
    // A failed send is no verdict yet: the upstream may have answered before it closed.
    http::ResponseHead head;
    absl::Status read;
    if (!is_idle_limited()) read = co_await connection.AwaitMore(try_scope);
    if (read.ok()) read = co_await ReadHead(connection, head, try_scope);
    if (limit) limit->ClearDeadline();
    bool again = false;
    if (!read.ok()) {
      if (uploads) co_await EndUpload(*uploads, "the attempt failed");
      again = co_await OnNoAnswer(lease, read);
    } else {
      call_.record.upstream_duration_micros = MicrosSince(sent_at);
      lease.stats().rq_xx.Add(head.status);
      bool retry = false;
      if (config_.retry_on.Matches(head.status)) retry = co_await PrepareRetry(uploads);
      if (retry) {
        const net::Duration asked_for = RetryAfter(head);
        lease = upstream::Lease();  // waiting needs no connection
        again = co_await BackOff(asked_for);
      } else {
        retry_ = upstream::UseSlot();  // no longer one: others may be repeated while this streams
        if (attempts_ > 1 && head.status < 500) stats().rq_retry_success.Add();
        bool to_pass_on = true;
        if (config_.emitter != nullptr) to_pass_on = co_await Announce(head);
        const absl::StatusOr<std::string_view> piece = connection.ReadBufferedBody();
        if (!to_pass_on) {
          // The caller has been told why.
        } else if (head.status == 101) {
          co_await SwitchProtocols(connection, head);
        } else if (!piece.ok()) {
          const std::string detail = std::string(piece.status().message());
          co_await Fail(call_, 502, "UPE", detail);
        } else {
          sent = co_await BeginAnswer(connection, head, *piece);
          if (!sent.ok()) call_.record.flag = FlagOfFailedSend(sent);
          if (sent.ok() && !connection.body_done()) co_await PassOnBody(connection);
        }
        // An upstream that answered without reading everything has had enough.
        if (uploads) co_await EndUpload(*uploads, "the answer is complete");
        if (call_.exchange.response_done() && head.status != 101) {
          lease.stats().rq_time.RecordMicros(MicrosSince(sent_at));
          lease.Release();
        }
      }
    }
    co_return again;
  }

 private:
  const upstream::ClusterConfig& PickCluster() const {
    if (config_.clusters.size() == 1) return *config_.clusters[0].cluster;
    uint32_t point =
        static_cast<uint32_t>(telemetry::FastRandom::OfThisThread().Below(config_.total_weight));
    for (const WeightedCluster& candidate : config_.clusters) {
      if (point < candidate.weight) return *candidate.cluster;
      point -= candidate.weight;
    }
    return *config_.clusters.back().cluster;
  }

  // Looked up each time: an edit of the policy may end them while nothing of the cluster is in use.
  telemetry::ClusterStats& stats() { return call_.services.clusters.stats(cluster_); }

  // Turns the caller's request head into the one that goes upstream.
  void PrepareRequest(std::string_view path) {
    http::RequestHead& request = call_.request();
    upgrade_ = request.upgrade;
    http::RemoveHopByHop(&request.headers,
                         upgrade_ ? http::UpgradeRule::kPass : http::UpgradeRule::kDrop);
    request.headers.Remove(http::HeaderId::kExpect);  // answered here
    config_.request_edits.Apply(request.headers);
    if (!config_.host_rewrite.empty()) {
      request.headers.Set(http::HeaderId::kHost, config_.host_rewrite);
    }
    // HTTP/1.1 wants one even where the caller spoke HTTP/1.0 (RFC 9112 section 3.2).
    if (!request.headers.Has(http::HeaderId::kHost)) request.headers.Add(http::HeaderId::kHost, "");
    request.path = path;
    http::SetFraming(&request.headers, request.body);
  }

  uint64_t MicrosSince(net::TimePoint time) const {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(loop_.now() - time).count());
  }

  static net::Task<void> EndUpload(net::TaskGroup& uploads, const char* why) {
    uploads.scope().Cancel(absl::CancelledError(why));
    co_await uploads.Join();
  }

  net::Task<void> Upload(http::ClientConnection& connection, net::CancelScope& scope) {
    upload_ = co_await body_.Upload(connection, scope);
    if (!upload_.caller.ok() && !scope.canceled()) {
      // Nobody will complete the request: the attempt ends, and with it the call.
      scope_.Cancel(upload_.caller);
    } else if (body_.complete()) {
      call_.exchange.CancelWhenCallerLeaves();
    }
  }

  // The route's idle_timeout may end the wait for an answer before its timeout does.
  bool is_idle_limited() const {
    return config_.idle_timeout > net::Duration::zero() &&
           (config_.timeout == net::Duration::zero() || config_.idle_timeout < config_.timeout);
  }

  // The final head of the answer; informational ones go to the caller as they come. Waits for each
  // no longer than the route's idle_timeout.
  net::ValueOrTask<absl::Status> ReadHead(http::ClientConnection& connection,
                                          http::ResponseHead& head, net::CancelScope& scope) {
    const absl::StatusOr<bool> taken = connection.TakeHead(http::HeadLimits(), &head);
    if (!taken.ok()) return taken.status();
    if (*taken && head.status >= 200) return absl::OkStatus();
    return ReadHeads(*taken, connection, head, scope);
  }

  // The same, where one head is not all there is to it. `taken`: `head` is one already.
  net::Task<absl::Status> ReadHeads(bool taken, http::ClientConnection& connection,
                                    http::ResponseHead& head, net::CancelScope& scope) {
    int informational = 0;
    while (informational <= kMaxInformational) {
      if (!std::exchange(taken, false)) {
        const uint64_t received = call_.exchange.body_bytes();
        std::optional<net::CancelScope> idle;
        if (is_idle_limited()) {
          idle.emplace(loop_, &scope);
          idle->SetDeadline(loop_.now() + config_.idle_timeout, "the route's idle_timeout");
        }
        absl::Status status =
            co_await connection.ReadHead(http::HeadLimits(), &head, idle ? *idle : scope);
        idle.reset();
        const bool caller_is_busy = absl::IsDeadlineExceeded(status) && !scope.canceled() &&
                                    call_.exchange.body_bytes() != received;
        if (caller_is_busy) continue;
        if (!status.ok()) co_return status;
      }
      if (head.status == 101 && !upgrade_) {
        co_return absl::InvalidArgumentError("101 without a request to upgrade");
      }
      if (head.status >= 200 || head.status == 101) co_return absl::OkStatus();
      ++informational;
      http::RemoveHopByHop(&head.headers);
      absl::Status passed = co_await call_.exchange.SendInformational(head, scope);
      if (!passed.ok()) {
        const absl::Status gone = absl::AbortedError(passed.message());  // or takes nothing
        if (!scope_.canceled()) scope_.Cancel(gone);
        co_return gone;
      }
    }
    const std::string reason =
        StrCat("more than ", kMaxInformational, " informational answers and no final one");
    co_return absl::InvalidArgumentError(reason);
  }

  // Whether another attempt follows, as far as the policy, the request's body and the cluster's
  // budget for retries allow it. A retry beyond the budget is just not made: the caller hears what
  // there is to hear. While the upload runs, body_.replayable() has to be asked again after it.
  bool BeginRetry() {
    retry_ = upstream::UseSlot();  // that of the attempt before
    if (attempts_ > config_.num_retries || !body_.replayable() || scope_.canceled()) return false;
    retry_ = call_.services.clusters.TryBeginRetry(cluster_);
    return static_cast<bool>(retry_);
  }

  // The same after an answer that is to be had again. When nobody wants another attempt, this one's
  // answer goes to the caller.
  net::Task<bool> PrepareRetry(std::optional<net::TaskGroup>& uploads) {
    bool retry = BeginRetry();
    if (retry) {
      if (uploads) co_await EndUpload(*uploads, "the attempt is repeated");
      // The upload may still have read a piece, and that may have been too much to keep.
      retry = body_.replayable();
    }
    if (!retry && attempts_ > 1) call_.record.flag = "URX";
    co_return retry;
  }

  // The longest wait before the next attempt.
  net::Duration BackOffLimit() const {
    net::Duration limit = config_.base_interval;
    for (uint32_t i = 1; i < attempts_ && limit < config_.max_interval; ++i) limit *= 2;
    return std::min(limit, config_.max_interval);
  }

  // Waits before the next attempt, as long as the upstream asked for if the policy allows it. False
  // when the call has ended meanwhile.
  net::Task<bool> BackOff(net::Duration asked_for = net::Duration::zero()) {
    const net::Duration limit = BackOffLimit();
    const auto jitter = net::Duration(
        telemetry::FastRandom::OfThisThread().Below(static_cast<uint64_t>(limit.count()) + 1));
    const net::Duration wait = std::max(jitter, std::min(asked_for, config_.max_interval));
    absl::Status slept = co_await net::SleepUntil(loop_.now() + wait, scope_);
    if (slept.ok()) co_return true;
    co_await FailCanceled();
    co_return false;
  }

  // The call's scope was canceled: says why, as far as anybody is there to hear it.
  net::Task<void> FailCanceled() {
    if (call_.scope().canceled()) {
      call_.record.flag = "DC";
      co_return;
    }
    if (absl::IsInvalidArgument(scope_.status())) {
      const std::string detail = std::string(scope_.status().message());
      co_await Fail(call_, call_.exchange.body_error_status(), "DPE", detail);
    } else if (absl::IsDeadlineExceeded(scope_.status())) {
      stats().rq_timeout.Add();
      const std::string detail =
          StrCat("cluster '", cluster_.name, "' did not answer within the route's timeout of ",
                 config::DurationText(absl::FromChrono(config_.timeout)));
      co_await Fail(call_, 504, "UT", detail);
    } else {
      call_.record.flag = "DC";
    }
  }

  net::Task<void> FailForStoppedCaller(const absl::Status& timeout) {
    call_.exchange.CloseAfter();
    const std::string detail =
        StrCat("the rest of the request did not arrive within ", FromAbsl(timeout.message()));
    co_await Fail(call_, 408, "DPE", detail);
  }

  net::Task<bool> OnNoConnection(const upstream::AcquireResult& acquired) {
    if (scope_.canceled()) {
      co_await FailCanceled();
      co_return false;
    }
    if (acquired.host_id != 0) tried_.push_back(acquired.host_id);
    const bool failed_to_connect = acquired.failure == upstream::AcquireFailure::kConnectFailed ||
                                   acquired.failure == upstream::AcquireFailure::kConnectTimeout;
    if (failed_to_connect && config_.retry_on.Matches(AttemptFailure::kConnect, true) &&
        BeginRetry()) {
      const bool again = co_await BackOff();
      co_return again;
    }
    const std::string detail =
        StrCat("cluster '", cluster_.name, "': ", FromAbsl(acquired.status.message()));
    co_await Fail(call_, 503, FlagOf(acquired.failure), detail);
    co_return false;
  }

  // The attempt brought no answer.
  net::Task<bool> OnNoAnswer(upstream::Lease& lease, const absl::Status& why) {
    // The attempt's time went by while the upload waited for the caller: no fault of the upstream.
    if (absl::IsDeadlineExceeded(why) && !upload_.caller.ok()) {
      co_await FailForStoppedCaller(why);
      co_return false;
    }
    if (scope_.canceled()) {
      stats().rq_tx_reset.Add();
      co_await FailCanceled();
      co_return false;
    }
    AttemptFailure failure = AttemptFailure::kReset;
    int status = 503;
    std::string_view flag = "UC";
    if (absl::IsDeadlineExceeded(why)) {
      failure = AttemptFailure::kTimeout;
      status = 504;
      flag = "UT";
      stats().rq_timeout.Add();
    } else if (absl::IsInvalidArgument(why)) {
      failure = AttemptFailure::kProtocolError;
      status = 502;
      flag = "UPE";
    } else if (lease.reused() && !lease.connection().answer_begun()) {
      failure = AttemptFailure::kStale;
    }
    if (flag == "UC") stats().rq_rx_reset.Add();
    lease = upstream::Lease();  // of no use any more
    const bool idempotent = IsIdempotent(call_.request().method);
    if (config_.retry_on.Matches(failure, idempotent) && BeginRetry()) {
      fresh_ = failure == AttemptFailure::kStale;
      if (fresh_) tried_.pop_back();  // says nothing about the host
      const bool again = co_await BackOff();
      co_return again;
    }
    const std::string detail = StrCat("cluster '", cluster_.name, "', ",
                                      call_.record.upstream_address, ": ", FromAbsl(why.message()));
    co_await Fail(call_, status, flag, detail);
    co_return false;
  }

  // Makes the call's event durable. False when the caller has been told that it cannot be.
  // REQUIRES: there is an emitter.
  net::Task<bool> Announce(const http::ResponseHead& head) {
    // Whether the caller waits or not, and the route's time is up or not: what has happened
    // upstream is to be told.
    net::CancelScope unhurried(loop_, &call_.exchange.connection_scope());
    unhurried.SetDeadline(loop_.now() + kStorePatience, "the store does not answer");
    absl::Status emitted = co_await config_.emitter->Emit(call_, head, intents_, unhurried);
    if (emitted.ok()) co_return true;
    const std::string detail =
        StrCat("the upstream answered ", head.status,
               ", but the event could not be stored: ", FromAbsl(emitted.message()));
    co_await Fail(call_, 503, "OM", detail);
    co_return false;
  }

  // Turns the upstream's answer head into the one that goes to the caller.
  void PrepareAnswer(http::ResponseHead& head) const {
    http::RemoveHopByHop(&head.headers,
                         head.status == 101 ? http::UpgradeRule::kPass : http::UpgradeRule::kDrop);
    config_.response_edits.Apply(head.headers);
  }

  // Passes the head on with what has arrived of the body, which mostly is all.
  http::MessageSend BeginAnswer(http::ClientConnection& connection, http::ResponseHead& head,
                                std::string_view piece) {
    PrepareAnswer(head);
    call_.exchange.LimitSends(config_.idle_timeout);
    return call_.exchange.BeginAnswer(head, piece, connection.body_done(), scope_);
  }

  // Passes on what has not arrived yet of the answer's body.
  net::Task<void> PassOnBody(http::ClientConnection& connection) {
    absl::Status sent;
    while (sent.ok() && !connection.body_done()) {
      net::CancelScope idle(loop_, &scope_);
      if (config_.idle_timeout > net::Duration::zero()) {
        idle.SetDeadline(loop_.now() + config_.idle_timeout, "the route's idle_timeout");
      }
      absl::StatusOr<std::string_view> piece = co_await connection.ReadBody(idle);
      if (!piece.ok()) {
        call_.record.flag = call_.scope().canceled()                   ? "DC"
                            : !upload_.caller.ok()                     ? "DPE"
                            : absl::IsDeadlineExceeded(piece.status()) ? "UT"
                            : absl::IsInvalidArgument(piece.status())  ? "UPE"
                                                                       : "UC";
        co_return;  // the connection is cut: a part must not pass for the whole
      }
      sent = co_await call_.exchange.SendBody(*piece, connection.body_done(), scope_);
    }
    if (!sent.ok()) call_.record.flag = FlagOfFailedSend(sent);
  }

  std::string_view FlagOfFailedSend(const absl::Status& sent) const {
    if (absl::IsDeadlineExceeded(scope_.status())) return "UT";
    return absl::IsDeadlineExceeded(sent) ? "SI" : "DC";
  }

  // From here on bytes go both ways, unread.
  net::Task<void> SwitchProtocols(http::ClientConnection& connection, http::ResponseHead& head) {
    PrepareAnswer(head);
    call_.exchange.LimitSends(config_.idle_timeout);
    absl::Status sent = co_await call_.exchange.SendHead(head, {}, true, scope_);
    if (!sent.ok()) {
      call_.record.flag = FlagOfFailedSend(sent);
      co_return;
    }
    scope_.ClearDeadline();
    call_.exchange.socket().CancelOnClose(nullptr);
    http::TunnelSide caller{call_.exchange.socket(), call_.exchange.unread()};
    http::TunnelSide upstream{connection.socket(), connection.unread()};
    co_await http::RunTunnel(caller, upstream, config_.idle_timeout, scope_);
  }

  const ForwardConfig& config_;
  Call& call_;
  net::Loop& loop_;
  const upstream::ClusterConfig& cluster_;
  net::CancelScope scope_;  // the whole call, with the route's timeout
  RequestBody body_;
  RequestBody::UploadResult upload_;
  absl::InlinedVector<upstream::HostId, 4> tried_;
  bool fresh_ = false;
  upstream::UseSlot slot_;
  upstream::UseSlot retry_;
  std::string rewritten_path_;
  uint32_t attempts_ = 0;
  bool upgrade_ = false;
  EmitIntents intents_;
  bool reached_upstream_ = false;  // or may have
};

class ForwardAction final : public Action {
 public:
  explicit ForwardAction(ForwardConfig config) : config_(std::move(config)) {}

  net::Task<void> Run(Call& call) const override {
    call.record.mode = "forward";
    Forwarding forwarding(config_, call);
    if (std::optional<http::Problem> problem = forwarding.Prepare(); problem) {
      co_await Fail(call, *std::move(problem));
      co_return;
    }
    bool again = true;
    if (config_.emitter != nullptr) again = co_await forwarding.StoreIntents();
    while (again) again = co_await forwarding.Attempt();
    if (config_.emitter != nullptr) forwarding.SettleIntents();
  }

 private:
  const ForwardConfig config_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Action>> CompileForward(const config::v1::Route& route,
                                                             const CompileContext& context) {
  absl::StatusOr<ForwardConfig> config = CompileForwardConfig(route, context);
  if (!config.ok()) return config.status();
  return std::make_unique<ForwardAction>(*std::move(config));
}

}  // namespace pillion::sidecar
