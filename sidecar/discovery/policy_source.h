// Where a sidecar's policy comes from: files that are watched, or control.
//
//   auto source = FollowControl(options, [](auto policy, const std::string& version) { ... return
//   absl::OkStatus(); });
//
// A source delivers whole policies only, one after the other, each checked and with defaults filled
// in. Whatever goes wrong, the last good policy stays, and state() says what is wrong.
#ifndef PILLION_SIDECAR_DISCOVERY_POLICY_SOURCE_H_
#define PILLION_SIDECAR_DISCOVERY_POLICY_SOURCE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace pillion::config::v1 {
class Policy;
}

namespace pillion::discovery {

// Puts a policy into effect. An error is the reason for which it is refused: the policy before
// stays, and control is told (NACK). Called on the source's thread, never twice at a time; it may
// take its time, as no traffic waits for it, but it must not destroy the source.
using ApplyPolicy = std::function<absl::Status(std::shared_ptr<const config::v1::Policy> policy,
                                               const std::string& version)>;

// For the admin page and metrics.
struct SourceState {
  std::string kind;            // "files" or "control"
  std::string from;            // the paths, or the address of control
  bool connected = false;      // files: they can be read; control: a stream is open
  absl::Time connected_since;  // or not connected since
  std::string version;         // of the policy in effect; "" if there is none yet
  absl::Time version_since;
  // The policy in effect was read from disk: control was away, or the files have mistakes.
  bool from_last_good_copy = false;
  std::string
      last_error;  // "" if all is well: mistakes line by line, or why control cannot be reached
  bool refusing = false;  // the newest policy is refused, and an older one (or none) stays
  uint64_t applied = 0;   // policies put into effect
  uint64_t rejected = 0;  // policies refused
};

// Destruction waits for a running ApplyPolicy and ends all threads; it takes no longer than that.
class PolicySource {
 public:
  virtual ~PolicySource() = default;
  // Any thread.
  virtual SourceState state() const = 0;

  // A delivery is to go to a cluster that the policy in effect lacks. Control sends a sidecar what
  // its routes need, and deliveries may be older than those: if control knows the cluster, a policy
  // with it is put into effect. Any thread.
  virtual void WantCluster(const std::string& name) = 0;
};

// Follows files and directories of *.yaml and *.yml (core/config/watch.h). At `last_good_path` the
// last good policy is kept, for a start with files that have mistakes.
std::unique_ptr<PolicySource> WatchPolicyFiles(std::vector<std::string> paths,
                                               std::string last_good_path, ApplyPolicy apply);

struct ControlOptions {
  std::string
      address;  // of control's xDS server: 127.0.0.1:18000, [::1]:18000, unix:/path, name:18000
  std::string node_id;
  std::string service;
  // Where the last good policy is kept, for a start without control.
  std::string last_good_path;
  // How long to wait at the start for control's policy before the last good copy is used. It is
  // used at once when control refuses the connection.
  absl::Duration patience = absl::Seconds(1);
};

// Follows control. Reconnects for ever, with exponential back-off and full jitter between 100 ms
// and 10 s, and then receives only what changed meanwhile.
std::unique_ptr<PolicySource> FollowControl(ControlOptions options, ApplyPolicy apply);

}  // namespace pillion::discovery

#endif  // PILLION_SIDECAR_DISCOVERY_POLICY_SOURCE_H_
