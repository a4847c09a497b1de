// What all policy sources share: putting a policy into effect, and the account of it. A detail of
// policy_source.h.
#ifndef PILLION_SIDECAR_DISCOVERY_SOURCE_BASE_H_
#define PILLION_SIDECAR_DISCOVERY_SOURCE_BASE_H_

#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "sidecar/discovery/policy_source.h"

namespace pillion::discovery {

// Apply() belongs to the source's thread; the rest may be called from any.
class Applier {
 public:
  Applier(std::string kind, std::string from, ApplyPolicy apply);

  // Puts `policy` into effect unless `version` already is. An error (of the receiver) changes
  // nothing but the account.
  absl::Status Apply(std::shared_ptr<const config::v1::Policy> policy, const std::string& version,
                     bool from_copy);

  // A policy was refused before it came to Apply().
  void Refused(std::string why);

  void SetConnected(bool connected);
  void SetError(std::string error);  // "" if all is well

  std::string version() const { return state().version; }
  SourceState state() const;

 private:
  const ApplyPolicy apply_;
  mutable std::mutex mutex_;
  SourceState state_;
};

}  // namespace pillion::discovery

#endif  // PILLION_SIDECAR_DISCOVERY_SOURCE_BASE_H_
