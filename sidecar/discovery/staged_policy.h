// What control sent so far: the resources that will be the policy once control says that they are
// complete.
#ifndef PILLION_SIDECAR_DISCOVERY_STAGED_POLICY_H_
#define PILLION_SIDECAR_DISCOVERY_STAGED_POLICY_H_

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace envoy::service::discovery::v3 {
class DeltaDiscoveryRequest;
class DeltaDiscoveryResponse;
}  // namespace envoy::service::discovery::v3
namespace pillion::config::v1 {
class Policy;
}

namespace pillion::discovery {

// Not thread-safe.
class StagedPolicy {
 public:
  using Request = envoy::service::discovery::v3::DeltaDiscoveryRequest;
  using Response = envoy::service::discovery::v3::DeltaDiscoveryResponse;

  // What Take() makes of a policy that did not come from control, but from files.
  static StagedPolicy Of(const config::v1::Policy& policy);

  // Takes new, changed and removed resources. An error names the resources that cannot be read, or
  // say something that this sidecar does not understand; the others are taken all the same, and
  // Build() fails until control has replaced or removed the bad ones.
  absl::Status Take(const Response& response);

  // The policy that the resources make up, checked and with defaults filled in; or what is wrong
  // with it.
  absl::StatusOr<std::shared_ptr<const config::v1::Policy>> Build() const;

  // A new stream begins: control is told what is here, and sends again what could not be read.
  void ForgetUnreadable() { unreadable_.clear(); }

  // Adds what is here of one type, so that control need not send it again.
  void AddVersionsTo(Request* request) const;  // request->type_url() says which type

  // One response with everything that Take() made: what is kept on disk.
  Response Everything(const std::string& version) const;

 private:
  using Key = std::pair<std::string, std::string>;  // type URL and name
  struct Item {
    std::string version;
    std::string bytes;
  };

  std::map<Key, Item> items_;
  std::map<Key, std::string> unreadable_;  // why
};

}  // namespace pillion::discovery

#endif  // PILLION_SIDECAR_DISCOVERY_STAGED_POLICY_H_
