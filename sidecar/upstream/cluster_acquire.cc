// The way of a call to its connection.

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/ascii.h"
#include "absl/time/time.h"
#include "core/strings.h"
#include "sidecar/upstream/cluster.h"

namespace pillion::upstream {
namespace {

std::string Text(net::Duration duration) {
  return absl::FormatDuration(absl::FromChrono(duration));
}

absl::Status ConnectError(const Host& host, const absl::Status& error) {
  std::string_view why = FromAbsl(error.message());
  ConsumePrefix(why, "connect: ");
  std::string text = StrCat("cannot connect to ", host.text);
  if (host.origin != host.text) StrAppend(&text, " (", host.origin, ")");
  std::string reason(why);
  if (!reason.empty()) reason[0] = absl::ascii_tolower(static_cast<unsigned char>(reason[0]));
  StrAppend(&text, ": ", reason);
  if (reason.find("refused") != reason.npos || absl::IsNotFound(error)) {
    text += "; is the service running?";
  } else if (reason.find("unreachable") != reason.npos) {
    text += "; is the address right?";
  } else if (reason.find("open files") != reason.npos) {
    text += "; raise the limit of open files (ulimit -n)";
  }
  return absl::UnavailableError(ToAbsl(text));
}

}  // namespace

// A call that waits for its turn.
struct Cluster::Waiter {
  explicit Waiter(bool fresh) : fresh(fresh) {}

  const bool fresh;
  net::WaitQueue woken;
  bool served = false;  // then it has a connection, or else just its slot
  Host* host = nullptr;
  std::unique_ptr<http::ClientConnection> connection;
};

// Keeps the cluster while a coroutine of it waits.
class Cluster::User {
 public:
  explicit User(Cluster& cluster) : cluster_(cluster) { ++cluster_.users_; }
  User(const User&) = delete;
  User& operator=(const User&) = delete;
  ~User() { --cluster_.users_; }

 private:
  Cluster& cluster_;
};

net::ValueOrTask<AcquireResult> Cluster::Acquire(AcquireOptions options, net::CancelScope& scope) {
  if (scope.canceled()) return Fail(AcquireFailure::kCanceled, scope.status());
  Host* host = hosts_.Pick(options.avoid);
  if (host != nullptr && !options.fresh) {
    std::unique_ptr<http::ClientConnection> connection = TakeIdle(*host);
    if (connection != nullptr) return Grant(*host, std::move(connection), /*reused=*/true);
  }
  return AcquireSlowly(host, options, scope);
}

net::Task<AcquireResult> Cluster::AcquireSlowly(Host* host, AcquireOptions options,
                                                net::CancelScope& scope) {
  const User user(*this);
  const uint32_t max_pending = config_->circuit_breakers.max_pending_requests;
  if (host == nullptr) {
    const UseSlot pending(shared().pending(), max_pending);
    if (!pending) co_return Overflow();
    co_await AwaitDns(scope);
    if (scope.canceled()) co_return Fail(AcquireFailure::kCanceled, scope.status());
    host = hosts_.Pick(options.avoid);
    if (host == nullptr) co_return NoHost();
  }
  if (waiters_.empty() && shared().connections().TryTake(max_connections())) {
    AcquireResult result = co_await Connect(host, scope);
    co_return result;
  }
  stats().cx_overflow.Add();

  // Under the limit's pressure any idle connection is better than none.
  for (Host* other = AnyIdleHost(); other != nullptr; other = AnyIdleHost()) {
    std::unique_ptr<http::ClientConnection> connection = TakeIdle(*other);
    if (connection == nullptr) continue;
    if (!options.fresh) co_return Grant(*other, std::move(connection), /*reused=*/true);
    Close(std::move(connection));  // and take its slot
    AcquireResult result = co_await Connect(host, scope);
    co_return result;
  }

  Waiter waiter(options.fresh);
  {
    const UseSlot pending(shared().pending(), max_pending);
    if (!pending) co_return Overflow();
    absl::Status status = co_await AwaitTurn(waiter, scope);
    if (!status.ok()) co_return Fail(AcquireFailure::kCanceled, std::move(status));
  }
  if (waiter.connection != nullptr) {
    --waiter.host->active;  // Grant() counts it again
    co_return Grant(*waiter.host, std::move(waiter.connection), /*reused=*/true);
  }
  host = hosts_.Pick(options.avoid);
  if (host == nullptr) {
    ReturnSlot();
    co_return NoHost();
  }
  AcquireResult result = co_await Connect(host, scope);
  co_return result;
}

net::Task<void> Cluster::AwaitDns(net::CancelScope& scope) {
  net::CancelScope waiting(loop_, &scope);
  waiting.SetDeadline(loop_.now() + config_->connect_timeout, "no answer from DNS");
  stats().rq_pending_active.Add();
  while (hosts_.awaits_dns()) {
    absl::Status status = co_await hosts_changed_.Wait(waiting);
    if (!status.ok()) break;
  }
  stats().rq_pending_active.Subtract();
}

net::Task<absl::Status> Cluster::AwaitTurn(Waiter& waiter, net::CancelScope& scope) {
  waiters_.push_back(&waiter);
  shared().SetWaiting(*this, static_cast<uint32_t>(waiters_.size()));
  GrantFreeSlots();  // one may have come free before the wish was known
  absl::Status status;
  if (!waiter.served) {
    stats().rq_pending_active.Add();
    status = co_await waiter.woken.Wait(scope);
    stats().rq_pending_active.Subtract();
  }
  if (status.ok()) co_return status;
  if (!waiter.served) {
    std::erase(waiters_, &waiter);
    shared().SetWaiting(*this, static_cast<uint32_t>(waiters_.size()));
  } else if (waiter.connection == nullptr) {
    ReturnSlot();
  } else {
    --waiter.host->active;
    GiveBack(*waiter.host, std::move(waiter.connection), /*reusable=*/true);
  }
  co_return status;
}

// REQUIRES: a slot of connections() has been taken for it.
net::Task<AcquireResult> Cluster::Connect(Host* host, net::CancelScope& scope) {
  const net::Duration timeout = config_->connect_timeout;
  net::CancelScope connecting(loop_, &scope);
  connecting.SetDeadline(loop_.now() + timeout, "connect timeout");
  absl::InlinedVector<HostId, 4> tried;
  while (true) {
    ++host->active;
    stats().cx_total.Add();
    absl::StatusOr<std::unique_ptr<http::ClientConnection>> opened =
        co_await http::ClientConnection::Open(loop_, host->address, connecting);
    --host->active;
    if (opened.ok()) {
      hosts_.OnConnected(*host);
      stats().cx_active.Add();
      co_return Grant(*host, *std::move(opened), /*reused=*/false);
    }
    if (scope.canceled()) {
      ReturnSlot();
      co_return Fail(AcquireFailure::kCanceled, scope.status());
    }
    // A lack of descriptors or memory is our own: the host is not to blame.
    if (!absl::IsResourceExhausted(opened.status())) hosts_.OnConnectFailed(*host);
    stats().cx_connect_fail.Add();
    if (connecting.canceled()) {
      stats().cx_connect_timeout.Add();
      ReturnSlot();
      std::string why = StrCat("cannot connect to ", host->text, " within ", Text(timeout),
                               " (connect_timeout); is it overloaded, or unreachable?");
      co_return Fail(AcquireFailure::kConnectTimeout, absl::DeadlineExceededError(ToAbsl(why)),
                     host->id);
    }
    // A name that has an IPv4 and an IPv6 address often has a listener on one of them only.
    tried.push_back(host->id);
    Host* next = hosts_.NextAddress(*host, tried);
    if (next == nullptr) {
      ReturnSlot();
      co_return Fail(AcquireFailure::kConnectFailed, ConnectError(*host, opened.status()),
                     host->id);
    }
    host = next;
  }
}

AcquireResult Cluster::Grant(Host& host, std::unique_ptr<http::ClientConnection> connection,
                             bool reused) {
  ++users_;
  ++host.active;
  ++host.requests_total;
  stats().rq_total.Add();
  stats().rq_active.Add();
  AcquireResult result;
  result.lease = Lease(*this, host, std::move(connection), reused);
  return result;
}

AcquireResult Cluster::Fail(AcquireFailure failure, absl::Status status, HostId host) {
  AcquireResult result;
  result.failure = failure;
  result.status = std::move(status);
  result.host_id = host;
  return result;
}

AcquireResult Cluster::Overflow() {
  stats().rq_pending_overflow.Add();
  const CircuitBreakers& breakers = config_->circuit_breakers;
  return Fail(AcquireFailure::kOverflow,
              absl::ResourceExhaustedError(StrCat(
                  "cluster '", config_->name, "' is at its limits: ", breakers.max_connections,
                  " connections (circuit_breakers.max_connections) and ",
                  breakers.max_pending_requests, " calls that wait (max_pending_requests)")));
}

AcquireResult Cluster::NoHost() {
  stats().cx_none_healthy.Add();
  return Fail(AcquireFailure::kNoHealthyHost,
              absl::UnavailableError(
                  StrCat("cluster '", config_->name, "' has no host: ", hosts_.WhyEmpty())));
}

// What is given is a connection with its slot, or (null) a slot alone.
void Cluster::GiveToFirst(Host* host, std::unique_ptr<http::ClientConnection> connection) {
  Waiter& waiter = *waiters_.front();
  waiters_.pop_front();
  if (connection != nullptr && waiter.fresh) Close(std::move(connection));
  if (connection != nullptr) {
    ++host->active;
    waiter.host = host;
    waiter.connection = std::move(connection);
  }
  waiter.served = true;
  waiter.woken.WakeOne();
  shared().SetWaiting(*this, static_cast<uint32_t>(waiters_.size()));
}

void Cluster::GrantFreeSlots() {
  while (!waiters_.empty() && shared().connections().TryTake(max_connections())) {
    GiveToFirst(nullptr, nullptr);
  }
}

void Cluster::OnSlotGranted() {
  const size_t still_waiting = waiters_.size() - (waiters_.empty() ? 0 : 1);
  shared().SlotArrived(*this, static_cast<uint32_t>(still_waiting));
  if (waiters_.empty()) {
    shared().ReleaseConnection(this, max_connections());
  } else {
    GiveToFirst(nullptr, nullptr);
  }
}

}  // namespace pillion::upstream
