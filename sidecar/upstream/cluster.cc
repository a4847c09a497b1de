#include "sidecar/upstream/cluster.h"

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace pillion::upstream {
namespace {

// How often own waiting calls are served before those of another worker. Serving them costs
// nothing, while another worker must open a connection of its own.
constexpr uint32_t kOwnTurns = 8;

}  // namespace

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    if (cluster_ != nullptr) End(/*finish=*/false);
    cluster_ = std::exchange(other.cluster_, nullptr);
    host_ = other.host_;
    connection_ = std::move(other.connection_);
    reused_ = other.reused_;
  }
  return *this;
}

telemetry::ClusterStats& Lease::stats() const { return cluster_->stats(); }

void Lease::End(bool finish) {
  Cluster* cluster = std::exchange(cluster_, nullptr);
  const bool reusable = finish && connection_->Finish();
  cluster->EndLease(*host_, std::move(connection_), reusable);
}

Cluster::Cluster(net::Loop& loop, DnsResolver& resolver, telemetry::FastRandom& random,
                 std::shared_ptr<const ClusterConfig> config, std::function<void()> on_idle)
    : Member(loop),
      config_(std::move(config)),
      on_idle_(std::move(on_idle)),
      hosts_(
          loop, resolver, random, [this] { hosts_changed_.WakeAll(); },
          [this](Host& host) { CloseIdle(host); }) {}

void Cluster::Start() {
  shared().Join(*this);
  hosts_.Configure(*config_);
}

Cluster::~Cluster() {
  PILLION_CHECK(!in_use());
  for (const std::unique_ptr<Host>& host : hosts_.hosts()) CloseIdle(*host);
  shared().Leave(*this);
}

void Cluster::Configure(std::shared_ptr<const ClusterConfig> config) {
  PILLION_CHECK(config->shared == config_->shared);
  config_ = std::move(config);
  retired_ = false;
  hosts_.Configure(*config_);
  hosts_changed_.WakeAll();
  while (over_limit() && CloseOldestIdle()) {
  }
  GrantFreeSlots();
}

void Cluster::Retire() {
  retired_ = true;
  for (const std::unique_ptr<Host>& host : hosts_.hosts()) CloseIdle(*host);
}

bool Cluster::Sweep() {
  const net::TimePoint oldest = loop_.now() - config_->idle_timeout;
  for (const std::unique_ptr<Host>& host : hosts_.hosts()) {
    std::vector<IdleConnection>& idle = host->idle;
    size_t kept = 0;
    for (size_t i = 0; i < idle.size(); ++i) {
      if (idle[i].since > oldest && idle[i].connection->idle_and_clean()) {
        if (kept != i) idle[kept] = std::move(idle[i]);
        ++kept;
      } else {
        --idle_;
        Close(std::move(idle[i].connection));
        ReturnSlot();
      }
    }
    idle.resize(kept);
  }
  const bool all_removed_are_gone = hosts_.DropRemoved();
  return idle_ > 0 || !all_removed_are_gone || retired_;
}

void Cluster::EndLease(Host& host, std::unique_ptr<http::ClientConnection> connection,
                       bool reusable) {
  --users_;
  --host.active;
  stats().rq_active.Subtract();
  GiveBack(host, std::move(connection), reusable);
}

void Cluster::GiveBack(Host& host, std::unique_ptr<http::ClientConnection> connection,
                       bool reusable) {
  if (reusable && !host.removed && !over_limit()) {
    Return(host, std::move(connection));
  } else {
    Close(std::move(connection));
    ReturnSlot();
  }
}

void Cluster::Return(Host& host, std::unique_ptr<http::ClientConnection> connection) {
  if (waiters_.empty() ? !retired_ && !shared().others_wait(*this) : MayServeOwn()) {
    if (!waiters_.empty()) return GiveToFirst(&host, std::move(connection));
    host.idle.push_back({std::move(connection), loop_.now()});
    ++idle_;
    return on_idle_();
  }
  Close(std::move(connection));
  shared().ReleaseConnection(this, max_connections());
}

void Cluster::ReturnSlot() {
  if (!waiters_.empty() && !over_limit() && MayServeOwn()) {
    GiveToFirst(nullptr, nullptr);
  } else {
    shared().ReleaseConnection(this, max_connections());
  }
}

void Cluster::Close(std::unique_ptr<http::ClientConnection> connection) {
  connection.reset();
  stats().cx_active.Subtract();
}

void Cluster::CloseIdle(Host& host) {
  for (IdleConnection& idle : std::exchange(host.idle, {})) {
    --idle_;
    Close(std::move(idle.connection));
    ReturnSlot();
  }
}

bool Cluster::CloseOldestIdle() {
  Host* oldest = nullptr;
  for (const std::unique_ptr<Host>& host : hosts_.hosts()) {
    if (host->idle.empty()) continue;
    if (oldest == nullptr || host->idle.front().since < oldest->idle.front().since) {
      oldest = host.get();
    }
  }
  if (oldest == nullptr) return false;
  std::unique_ptr<http::ClientConnection> connection = std::move(oldest->idle.front().connection);
  oldest->idle.erase(oldest->idle.begin());
  --idle_;
  Close(std::move(connection));
  ReturnSlot();
  return true;
}

bool Cluster::over_limit() const {
  return config_->shared->connections().used() > max_connections();
}

bool Cluster::MayServeOwn() {
  if (shared().others_wait(*this) && ++own_turns_ > kOwnTurns) {
    own_turns_ = 0;
    return false;
  }
  return true;
}

void Cluster::OnIdleWanted() {
  while (shared().others_wait(*this) && CloseOldestIdle()) {
  }
}

std::unique_ptr<http::ClientConnection> Cluster::TakeIdle(Host& host) {
  while (!host.idle.empty()) {
    IdleConnection idle = std::move(host.idle.back());
    host.idle.pop_back();
    --idle_;
    if (idle.connection->idle_and_clean() && loop_.now() - idle.since < config_->idle_timeout) {
      return std::move(idle.connection);
    }
    Close(std::move(idle.connection));
    ReturnSlot();
  }
  return nullptr;
}

Host* Cluster::AnyIdleHost() const {
  if (idle_ == 0) return nullptr;
  for (const std::unique_ptr<Host>& host : hosts_.hosts()) {
    if (!host->idle.empty()) return host.get();
  }
  return nullptr;
}

}  // namespace pillion::upstream
