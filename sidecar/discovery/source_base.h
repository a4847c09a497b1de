// What all policy sources share: putting a policy into effect, and the account of it. A detail of
// policy_source.h.
#ifndef PILLION_SIDECAR_DISCOVERY_SOURCE_BASE_H_
#define PILLION_SIDECAR_DISCOVERY_SOURCE_BASE_H_

#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "sidecar/discovery/last_good.h"
#include "sidecar/discovery/policy_source.h"

namespace pillion::discovery {

// Apply(), ApplyCopy() and what changes the copy belong to the source's thread; the rest may be
// called from any.
class Applier {
 public:
  Applier(std::string kind, std::string from, std::string last_good_path, ApplyPolicy apply);

  // Puts `policy` into effect unless it already is. An error (of the receiver) changes nothing but
  // the account.
  absl::Status Apply(std::shared_ptr<const config::v1::Policy> policy, const std::string& version);

  // The same with the copy of an earlier one. What was refused before stays so: the copy is not the
  // newest policy.
  absl::Status ApplyCopy(const envoy::service::discovery::v3::DeltaDiscoveryResponse& copy);

  // The last good copy; that it cannot be written is part of the account.
  LastGoodCopy& copy() { return copy_; }

  // A policy was refused before it came to Apply().
  void Refused(std::string why);

  void SetConnected(bool connected);
  void SetError(std::string error);  // "" if all is well

  std::string version() const { return state().version; }
  SourceState state() const;

 private:
  absl::Status PutIntoEffect(std::shared_ptr<const config::v1::Policy> policy,
                             const std::string& version, bool from_copy);

  const ApplyPolicy apply_;
  LastGoodCopy copy_;
  std::string content_;  // of the policy in effect, as a hash
  mutable std::mutex mutex_;
  SourceState state_;
};

}  // namespace pillion::discovery

#endif  // PILLION_SIDECAR_DISCOVERY_SOURCE_BASE_H_
