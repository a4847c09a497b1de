// Asking a cluster for a connection, and what one gets: a lease, or a reason.

#ifndef PILLION_SIDECAR_UPSTREAM_ACQUIRE_H_
#define PILLION_SIDECAR_UPSTREAM_ACQUIRE_H_

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "core/http/client.h"
#include "core/telemetry/proxy_stats.h"
#include "sidecar/upstream/host.h"

namespace pillion::upstream {

class Cluster;

struct AcquireOptions {
  // Hosts that were tried already: taken only if there are no others. Must stay until Acquire()
  // ends.
  absl::Span<const HostId> avoid;
  // Do not use a pooled connection: the last one was found closed.
  bool fresh = false;
};

// One connection to one host for one attempt of a call. Giving it up without Release() closes it:
// that is how an attempt is broken off, or a connection is kept from others after a switch of
// protocols. REQUIRES: no operation runs on the connection when it goes; it goes before the
// ClusterManager.
class Lease {
 public:
  Lease() = default;
  Lease(Lease&& other) noexcept
      : cluster_(std::exchange(other.cluster_, nullptr)),
        host_(other.host_),
        connection_(std::move(other.connection_)),
        reused_(other.reused_) {}
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() {
    if (cluster_ != nullptr) End(/*finish=*/false);
  }

  explicit operator bool() const { return cluster_ != nullptr; }

  http::ClientConnection& connection() { return *connection_; }
  // "127.0.0.1:5001"; valid while the lease is held.
  std::string_view host() const { return host_->text; }
  HostId host_id() const { return host_->id; }
  // True when it served an exchange before: the upstream may have closed it meanwhile, so that a
  // failure before any byte of the answer says nothing about the host. Ask again with `fresh`.
  bool reused() const { return reused_; }
  // The cluster's, for what only the call knows: answers, times, bytes. rq_total and rq_active are
  // counted by the lease.
  telemetry::ClusterStats& stats() const;

  // The exchange is over: the connection goes back to the pool if it can serve another one, else it
  // is closed. Empties the lease.
  void Release() {
    if (cluster_ != nullptr) End(/*finish=*/true);
  }

 private:
  friend class Cluster;
  Lease(Cluster& cluster, Host& host, std::unique_ptr<http::ClientConnection> connection,
        bool reused)
      : cluster_(&cluster), host_(&host), connection_(std::move(connection)), reused_(reused) {}
  void End(bool finish);

  Cluster* cluster_ = nullptr;
  Host* host_ = nullptr;
  std::unique_ptr<http::ClientConnection> connection_;
  bool reused_ = false;
};

enum class AcquireFailure {
  kOverflow,        // UO: max_connections are in use and max_pending_requests wait
  kNoHealthyHost,   // UH: no endpoint has an address
  kConnectFailed,   // UF: refused, unreachable
  kConnectTimeout,  // UF: not open within connect_timeout
  kCanceled,        // the scope was; `status` is the scope's
};

struct AcquireResult {
  std::optional<Lease> lease;
  // Without a lease:
  AcquireFailure failure = AcquireFailure::kCanceled;
  // What happened and what to do about it, for a person.
  absl::Status status;
  // Which host could not be reached, to avoid it next time; 0 if it was not about one.
  HostId host_id = 0;

  bool ok() const { return lease.has_value(); }
};

}  // namespace pillion::upstream

#endif  // PILLION_SIDECAR_UPSTREAM_ACQUIRE_H_
