// Serves snapshots of the policy to sidecars: xDS over gRPC, aggregated and incremental.
//
// Each connected node is sent what its service needs and does not have yet, resource by resource,
// and is told the version last. What it answers is written to the registry. A node that stops
// reading costs one response in memory: the next one is made when the last was taken, from the
// newest snapshot.
#ifndef PILLION_CONTROL_XDS_SERVER_H_
#define PILLION_CONTROL_XDS_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace pillion::control {

class NodeRegistry;
class Snapshot;

// Thread-safe. gRPC's own threads serve the streams.
class XdsServer {
 public:
  // Listens on `address` (127.0.0.1:18000, [::1]:0, unix:/path). An error names the address and the
  // reason, and is meant for the person who started the process. `registry` must outlive the
  // server.
  static absl::StatusOr<std::unique_ptr<XdsServer>> Start(const std::string& address,
                                                          NodeRegistry* registry);

  // Ends all streams, and returns when none is left.
  ~XdsServer();
  XdsServer(const XdsServer&) = delete;
  XdsServer& operator=(const XdsServer&) = delete;

  // Where it listens, with the port that was taken if it was asked for 0.
  const std::string& address() const;

  // From now on nodes are brought to this snapshot. Until the first call they are told nothing and
  // keep what they have.
  void Publish(std::shared_ptr<const Snapshot> snapshot);

 private:
  class Impl;
  explicit XdsServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace pillion::control

#endif  // PILLION_CONTROL_XDS_SERVER_H_
