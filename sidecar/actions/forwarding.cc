#include "sidecar/actions/forwarding.h"

#include <utility>

#include "core/http/header_rules.h"
#include "core/http/tunnel.h"
#include "core/net/loop.h"
#include "core/net/wait_queue.h"
#include "core/strings.h"
#include "core/telemetry/fast_random.h"
#include "sidecar/actions/accepted.h"

namespace pillion::sidecar {
namespace {

// Of one call; an upstream that sends more before its answer is not going to send one.
constexpr int kMaxInformational = 100;

// How long the event of a call may take to become durable. A commit takes milliseconds.
constexpr auto kStorePatience = std::chrono::seconds(10);

}  // namespace

Forwarding::Forwarding(const ForwardConfig& config, Call& call)
    : config_(config),
      call_(call),
      loop_(call.services.loop),
      cluster_(PickCluster()),
      scope_(loop_, &call.scope()),
      body_(call.exchange, config.retry_buffer_bytes) {}

std::optional<http::Problem> Forwarding::Prepare() {
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

net::Task<bool> Forwarding::StoreIntents() {
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

void Forwarding::SettleIntents() { config_.emitter->GiveUp(call_, reached_upstream_, intents_); }

net::ValueOrTask<upstream::AcquireResult> Forwarding::Acquire() {
  if (attempts_++ > 0) upload_ = RequestBody::UploadResult();
  upstream::AcquireOptions options;
  options.avoid = tried_;
  options.fresh = fresh_;
  return call_.services.clusters.Acquire(cluster_, options, scope_);
}

http::MessageSend Forwarding::SendRequest(upstream::Lease& lease) {
  call_.SetUpstreamAddress(lease.host());
  tried_.push_back(lease.host_id());
  if (config_.per_try_timeout > net::Duration::zero()) {
    limit_.emplace(loop_, &scope_);
    limit_->SetDeadline(loop_.now() + config_.per_try_timeout, "retry_policy.per_try_timeout");
  }
  sent_at_ = loop_.now();
  reached_upstream_ = true;
  const http::RequestHead& request = call_.request();
  return lease.connection().SendHead(request, request.body, body_.first(), body_.complete(),
                                     try_scope());
}

net::Task<void> Forwarding::StartUpload(http::ClientConnection& connection) {
  // Before anything else is sent to the caller, so that never two send at once.
  absl::Status told = co_await call_.exchange.SendContinue(try_scope());
  if (told.ok()) {
    uploads_.emplace(loop_, &try_scope());
    uploads_->Spawn(Upload(connection, uploads_->scope()));
  } else if (!try_scope().canceled()) {
    // Who will not hear that the body may come is gone, and nothing else would tell.
    scope_.Cancel(absl::AbortedError("the caller closed the connection"));
  }
}

net::Task<void> Forwarding::EndUpload(const char* why) {
  uploads_->scope().Cancel(absl::CancelledError(why));
  co_await uploads_->Join();
  uploads_.reset();
}

void Forwarding::OnAnswer(upstream::Lease& lease, const http::ResponseHead& head) {
  call_.record.upstream_duration_micros = static_cast<int64_t>(MicrosSinceSent());
  lease.stats().rq_xx.Add(head.status);
}

void Forwarding::OnLastAnswer(const http::ResponseHead& head) {
  retry_ = upstream::UseSlot();  // no longer one: others may be repeated while this streams
  if (attempts_ > 1 && head.status < 500) stats().rq_retry_success.Add();
}

void Forwarding::Finish(upstream::Lease& lease) {
  lease.stats().rq_time.RecordMicros(MicrosSinceSent());
  lease.Release();
}

const upstream::ClusterConfig& Forwarding::PickCluster() const {
  if (config_.clusters.size() == 1) return *config_.clusters[0].cluster;
  uint32_t point =
      static_cast<uint32_t>(telemetry::FastRandom::OfThisThread().Below(config_.total_weight));
  for (const WeightedCluster& candidate : config_.clusters) {
    if (point < candidate.weight) return *candidate.cluster;
    point -= candidate.weight;
  }
  return *config_.clusters.back().cluster;
}

// Turns the caller's request head into the one that goes upstream.
void Forwarding::PrepareRequest(std::string_view path) {
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

uint64_t Forwarding::MicrosSinceSent() const {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(loop_.now() - sent_at_).count());
}

net::Task<void> Forwarding::Upload(http::ClientConnection& connection, net::CancelScope& scope) {
  upload_ = co_await body_.Upload(connection, scope);
  if (!upload_.caller.ok() && !scope.canceled()) {
    // Nobody will complete the request: the attempt ends, and with it the call.
    scope_.Cancel(upload_.caller);
  } else if (body_.complete()) {
    call_.exchange.CancelWhenCallerLeaves();
  }
}

net::ValueOrTask<absl::Status> Forwarding::ReadHead(http::ClientConnection& connection,
                                                    http::ResponseHead& head) {
  const absl::StatusOr<bool> taken = connection.TakeHead(http::HeadLimits(), &head);
  if (!taken.ok()) return taken.status();
  if (*taken && head.status >= 200) return absl::OkStatus();
  return ReadHeads(*taken, connection, head);
}

// As ReadHead(), where one head is not all there is to it. `taken`: `head` is one already.
net::Task<absl::Status> Forwarding::ReadHeads(bool taken, http::ClientConnection& connection,
                                              http::ResponseHead& head) {
  net::CancelScope& scope = try_scope();
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

net::Task<bool> Forwarding::Announce(const http::ResponseHead& head) {
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
void Forwarding::PrepareAnswer(http::ResponseHead& head) const {
  http::RemoveHopByHop(&head.headers,
                       head.status == 101 ? http::UpgradeRule::kPass : http::UpgradeRule::kDrop);
  config_.response_edits.Apply(head.headers);
}

http::MessageSend Forwarding::BeginAnswer(http::ClientConnection& connection,
                                          http::ResponseHead& head, std::string_view piece) {
  PrepareAnswer(head);
  call_.exchange.LimitSends(config_.idle_timeout);
  return call_.exchange.BeginAnswer(head, piece, connection.body_done(), scope_);
}

net::Task<void> Forwarding::PassOnBody(http::ClientConnection& connection) {
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

std::string_view Forwarding::FlagOfFailedSend(const absl::Status& sent) const {
  if (absl::IsDeadlineExceeded(scope_.status())) return "UT";
  return absl::IsDeadlineExceeded(sent) ? "SI" : "DC";
}

net::Task<void> Forwarding::SwitchProtocols(http::ClientConnection& connection,
                                            http::ResponseHead& head) {
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

}  // namespace pillion::sidecar
