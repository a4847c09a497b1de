// What becomes of an attempt without a usable answer: another attempt, or an answer of our own.

#include <algorithm>

#include "absl/strings/numbers.h"
#include "core/config/units.h"
#include "core/net/loop.h"
#include "core/net/wait_queue.h"
#include "core/strings.h"
#include "core/telemetry/fast_random.h"
#include "sidecar/actions/forwarding.h"

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

}  // namespace

// Whether another attempt follows, as far as the policy, the request's body and the cluster's
// budget for retries allow it. A retry beyond the budget is just not made: the caller hears what
// there is to hear. While the upload runs, body_.replayable() has to be asked again after it.
bool Forwarding::BeginRetry() {
  retry_ = upstream::UseSlot();  // that of the attempt before
  if (attempts_ > config_.num_retries || !body_.replayable() || scope_.canceled()) return false;
  retry_ = call_.services.clusters.TryBeginRetry(cluster_);
  return static_cast<bool>(retry_);
}

net::Task<bool> Forwarding::PrepareRetry() {
  bool retry = BeginRetry();
  if (retry) {
    if (uploading()) co_await EndUpload("the attempt is repeated");
    // The upload may still have read a piece, and that may have been too much to keep.
    retry = body_.replayable();
  }
  if (!retry && attempts_ > 1) call_.record.flag = "URX";
  co_return retry;
}

net::Task<bool> Forwarding::Repeat(upstream::Lease& lease, const http::ResponseHead& head) {
  const net::Duration asked_for = RetryAfter(head);
  lease = upstream::Lease();  // waiting needs no connection
  const bool again = co_await BackOff(asked_for);
  co_return again;
}

// The longest wait before the next attempt.
net::Duration Forwarding::BackOffLimit() const {
  net::Duration limit = config_.base_interval;
  for (uint32_t i = 1; i < attempts_ && limit < config_.max_interval; ++i) limit *= 2;
  return std::min(limit, config_.max_interval);
}

// Waits before the next attempt, as long as the upstream asked for if the policy allows it. False
// when the call has ended meanwhile.
net::Task<bool> Forwarding::BackOff(net::Duration asked_for) {
  const net::Duration limit = BackOffLimit();
  const auto jitter = net::Duration(
      telemetry::FastRandom::OfThisThread().Below(static_cast<uint64_t>(limit.count()) + 1));
  const net::Duration wait = std::max(jitter, std::min(asked_for, config_.max_interval));
  absl::Status slept = co_await net::SleepUntil(loop_.now() + wait, scope_);
  if (slept.ok()) co_return true;
  co_await FailCanceled();
  co_return false;
}

net::Task<bool> Forwarding::OnNoConnection(const upstream::AcquireResult& acquired) {
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

net::Task<bool> Forwarding::OnNoAnswer(upstream::Lease& lease, const absl::Status& why) {
  if (uploading()) co_await EndUpload("the attempt failed");
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

// The call's scope was canceled: says why, as far as anybody is there to hear it.
net::Task<void> Forwarding::FailCanceled() {
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

net::Task<void> Forwarding::FailForStoppedCaller(const absl::Status& timeout) {
  call_.exchange.CloseAfter();
  const std::string detail =
      StrCat("the rest of the request did not arrive within ", FromAbsl(timeout.message()));
  co_await Fail(call_, 408, "DPE", detail);
}

}  // namespace pillion::sidecar
