#include "sidecar/discovery/source_base.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/config/content_hash.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/discovery/staged_policy.h"

namespace pillion::discovery {

Applier::Applier(std::string kind, std::string from, std::string last_good_path, ApplyPolicy apply)
    : apply_(std::move(apply)), copy_(std::move(last_good_path)) {
  state_.kind = std::move(kind);
  state_.from = std::move(from);
  state_.connected_since = absl::Now();
}

absl::Status Applier::Apply(std::shared_ptr<const config::v1::Policy> policy,
                            const std::string& version) {
  return PutIntoEffect(std::move(policy), version, /*from_copy=*/false);
}

absl::Status Applier::ApplyCopy(const envoy::service::discovery::v3::DeltaDiscoveryResponse& copy) {
  StagedPolicy staged;
  if (absl::Status status = staged.Take(copy); !status.ok()) return status;
  auto policy = staged.Build();
  if (!policy.ok()) return policy.status();
  return PutIntoEffect(*std::move(policy), copy.system_version_info(), /*from_copy=*/true);
}

absl::Status Applier::PutIntoEffect(std::shared_ptr<const config::v1::Policy> policy,
                                    const std::string& version, bool from_copy) {
  // One version can come to have more content: clusters that deliveries need.
  const std::string content =
      config::ContentHash().Add(version).Add(config::DeterministicBytes(*policy)).Hex();
  const bool is_new = content != content_;
  absl::Status status = is_new ? apply_(std::move(policy), version) : absl::OkStatus();
  std::lock_guard lock(mutex_);
  if (!status.ok()) {
    ++state_.rejected;
    state_.refusing = true;
    state_.last_error = std::string(status.message());
    return status;
  }
  if (is_new) {
    content_ = content;
    ++state_.applied;
  }
  if (state_.version != version) {
    state_.version = version;
    state_.version_since = absl::Now();
  }
  state_.from_last_good_copy = from_copy;
  if (!from_copy) {
    state_.refusing = false;
    state_.last_error.clear();
  }
  return status;
}

void Applier::Refused(std::string why) {
  std::lock_guard lock(mutex_);
  ++state_.rejected;
  state_.refusing = true;
  state_.last_error = std::move(why);
}

void Applier::SetConnected(bool connected) {
  std::lock_guard lock(mutex_);
  if (state_.connected == connected) return;
  state_.connected = connected;
  state_.connected_since = absl::Now();
}

void Applier::SetError(std::string error) {
  std::lock_guard lock(mutex_);
  state_.last_error = std::move(error);
}

SourceState Applier::state() const {
  std::lock_guard lock(mutex_);
  SourceState state = state_;
  if (const std::string unkept = copy_.error(); !unkept.empty()) {
    absl::StrAppend(&state.last_error, state.last_error.empty() ? "" : "\n", unkept);
  }
  return state;
}

}  // namespace pillion::discovery
