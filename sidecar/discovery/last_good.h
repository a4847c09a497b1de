// The last good policy that control sent, on disk: what a sidecar starts with when control is away.
//
// The file is a DeltaDiscoveryResponse with everything in it, as JSON, so that a person can read
// it.
#ifndef PILLION_SIDECAR_DISCOVERY_LAST_GOOD_H_
#define PILLION_SIDECAR_DISCOVERY_LAST_GOOD_H_

#include <string>

#include "absl/status/statusor.h"

namespace envoy::service::discovery::v3 {
class DeltaDiscoveryResponse;
}

namespace pillion::discovery {

// Replaces the file atomically and durably. Errors name the path and the reason.
absl::Status SaveLastGood(const std::string& path,
                          const envoy::service::discovery::v3::DeltaDiscoveryResponse& all);

// NOT_FOUND if there is no file; DATA_LOSS if it cannot be understood.
absl::StatusOr<envoy::service::discovery::v3::DeltaDiscoveryResponse> LoadLastGood(
    const std::string& path);

}  // namespace pillion::discovery

#endif  // PILLION_SIDECAR_DISCOVERY_LAST_GOOD_H_
