// The last good policy on disk: what a sidecar starts with when control is away or the policy files
// have mistakes.
//
// The file is a DeltaDiscoveryResponse with everything in it, as JSON, so that a person can read
// it.
#ifndef PILLION_SIDECAR_DISCOVERY_LAST_GOOD_H_
#define PILLION_SIDECAR_DISCOVERY_LAST_GOOD_H_

#include <string>

#include "absl/status/statusor.h"
#include "core/config/kept_file.h"

namespace envoy::service::discovery::v3 {
class DeltaDiscoveryResponse;
}

namespace pillion::discovery {

// Save() belongs to one thread; the rest may be called from any.
class LastGoodCopy {
 public:
  explicit LastGoodCopy(std::string path) : file_(std::move(path)) {}

  // Replaces the file atomically and durably. What cannot be written is logged, and tried again
  // until it can or there is a newer copy.
  void Save(const envoy::service::discovery::v3::DeltaDiscoveryResponse& all);

  // NOT_FOUND if there is no file; DATA_LOSS if it cannot be understood, or a resource in it is not
  // what its version says (a hash of the content): it could not be trusted, and control would not
  // send it again.
  absl::StatusOr<envoy::service::discovery::v3::DeltaDiscoveryResponse> Load() const;

  // Why the newest copy is not on disk; "" if it is.
  std::string error() const;

  const std::string& path() const { return file_.path(); }

 private:
  config::KeptFile file_;
};

}  // namespace pillion::discovery

#endif  // PILLION_SIDECAR_DISCOVERY_LAST_GOOD_H_
