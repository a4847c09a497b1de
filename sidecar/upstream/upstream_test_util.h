// What the tests of this folder share: an upstream on loopback, and a worker to call it from.

#ifndef PILLION_SIDECAR_UPSTREAM_UPSTREAM_TEST_UTIL_H_
#define PILLION_SIDECAR_UPSTREAM_UPSTREAM_TEST_UTIL_H_

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/net/loop.h"
#include "core/net/socket.h"
#include "core/net/task_group.h"
#include "core/net/test_io.h"
#include "sidecar/upstream/cluster_manager.h"

namespace pillion::upstream {

// Answers every request on a connection with 200 and the body "ok". Belongs to its loop.
class TestUpstream {
 public:
  // On a free port of 127.0.0.1, or on `address`.
  explicit TestUpstream(net::Loop& loop, std::string_view address = "127.0.0.1:0");
  TestUpstream(const TestUpstream&) = delete;
  TestUpstream& operator=(const TestUpstream&) = delete;

  const net::Address& address() const { return listener_.address(); }
  size_t open() const { return open_; }          // connections open now
  size_t accepted() const { return accepted_; }  // ever

  // Closes the connections that are open; goes on accepting.
  void CloseConnections();
  // Waits until all is closed. Call it before the upstream goes.
  net::Task<void> Stop();

 private:
  net::Task<void> AcceptAll();
  net::Task<void> Serve(net::Socket socket);

  net::Loop& loop_;
  net::Listener listener_;
  net::TaskGroup group_;
  std::list<net::CancelScope*> connections_;
  size_t open_ = 0;
  size_t accepted_ = 0;
};

// A configuration to be edited further. An endpoint is an address or "name:port"; weight 1.
ClusterConfig TestConfig(ClusterRegistry& registry, std::string_view name,
                         const std::vector<std::string>& endpoints);

std::shared_ptr<const ClusterConfig> Freeze(const ClusterConfig& config);

// One exchange on the lease; false if anything went wrong.
net::Task<bool> Exchange(Lease& lease, net::CancelScope& scope);

// Waits until `condition` holds; false when it does not within 20 s.
net::Task<bool> Eventually(net::Loop& loop, std::function<bool()> condition);

// Runs the task on the loop to its end.
void RunToEnd(net::Loop& loop, net::Task<void> task);

// A worker: its loop, and the clusters of the policy.
struct TestWorker {
  explicit TestWorker(DnsResolver& resolver)
      : clusters(*loop, resolver, telemetry::FastRandom({1, 2, 3, 4})), scope(*loop) {
    scope.SetDeadline(loop->now() + std::chrono::seconds(60), "test");
  }
  // All clusters of the policy.
  void Apply(const std::vector<ClusterConfig>& configs);

  std::unique_ptr<net::Loop> loop = *net::Loop::Create(net::TestIo());
  ClusterManager clusters;
  net::CancelScope scope;
};

}  // namespace pillion::upstream

#endif  // PILLION_SIDECAR_UPSTREAM_UPSTREAM_TEST_UTIL_H_
