#include "sidecar/discovery/source_base.h"

#include <utility>

#include "absl/time/clock.h"

namespace pillion::discovery {

Applier::Applier(std::string kind, std::string from, ApplyPolicy apply) : apply_(std::move(apply)) {
  state_.kind = std::move(kind);
  state_.from = std::move(from);
  state_.connected_since = absl::Now();
}

absl::Status Applier::Apply(std::shared_ptr<const config::v1::Policy> policy,
                            const std::string& version, bool from_copy) {
  absl::Status status =
      this->version() == version ? absl::OkStatus() : apply_(std::move(policy), version);
  std::lock_guard lock(mutex_);
  if (!status.ok()) {
    ++state_.rejected;
    state_.refusing = true;
    state_.last_error = std::string(status.message());
    return status;
  }
  if (state_.version != version) {
    ++state_.applied;
    state_.version = version;
    state_.version_since = absl::Now();
  }
  state_.from_last_good_copy = from_copy;
  state_.refusing = false;
  if (!from_copy) state_.last_error.clear();
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
  return state_;
}

}  // namespace pillion::discovery
