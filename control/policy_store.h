// Decides which policy the mesh gets: the newest one without a mistake.
//
// A bad policy changes nothing but what is said of it. The last good one is kept on disk, so that
// control can serve it after a restart even if the policy directory is broken or gone by then.
#ifndef PILLION_CONTROL_POLICY_STORE_H_
#define PILLION_CONTROL_POLICY_STORE_H_

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "control/snapshot.h"
#include "core/config/kept_file.h"
#include "core/config/sources.h"

namespace pillion::control {

// A look at the policy directory. Lines are "file:line:column: path: message".
struct PolicyCheck {
  absl::Time time;  // the epoch: not looked yet
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
};

// Thread-safe.
class PolicyStore {
 public:
  static constexpr size_t kMaxVersions = 20;

  // Called with every version that is to be served from then on, on the thread that called
  // Update().
  using Publish = std::function<void(std::shared_ptr<const Snapshot>)>;

  // Keeps its state in the directory `state_path`; what could not be written is tried again after
  // `first_pause`, as KeptFile does.
  PolicyStore(std::string state_path, Publish publish,
              absl::Duration first_pause = absl::Seconds(1));

  // Reads the last good version from disk and makes the directory if there is none. Errors: the
  // directory cannot be made. A file that cannot be understood is logged, and replaced by the next
  // good version. Call it before Update().
  absl::Status Open();

  // The content of the policy directory, or why it cannot be read; from the watcher. The first call
  // publishes the last good version even if this one is bad.
  void Update(const absl::StatusOr<std::vector<config::SourceFile>>& files);

  struct View {
    std::shared_ptr<const Snapshot> snapshot;  // null if there has not been a good policy yet
    PolicyCheck check;
    // Why the last good version is not on disk yet, which is tried again and again; "" if it is.
    std::string state_error;
    std::deque<Version> versions;  // the newest first
  };
  View view() const;

 private:
  void TakeUp(std::unique_ptr<const config::v1::Policy> policy, std::vector<std::string> files);
  void Save(const Snapshot& snapshot);

  const std::string state_path_;
  const Publish publish_;
  config::KeptFile file_;

  std::mutex update_mutex_;  // one Update() at a time
  bool published_ = false;   // guarded by update_mutex_

  mutable std::mutex mutex_;
  View view_;  // guarded by mutex_
};

}  // namespace pillion::control

#endif  // PILLION_CONTROL_POLICY_STORE_H_
