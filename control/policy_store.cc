#include "control/policy_store.h"

#include <filesystem>
#include <limits>
#include <utility>

#include "absl/time/clock.h"
#include "control/api.h"
#include "core/config/defaults.h"
#include "core/config/load.h"
#include "core/strings.h"
#include "core/telemetry/log.h"
#include "pillion/api/v1/control.pb.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::control {
namespace {

constexpr log::Logger kLog("policy");

std::vector<std::string> Lines(const std::vector<config::Diagnostic>& diagnostics) {
  std::vector<std::string> lines;
  for (const config::Diagnostic& diagnostic : diagnostics) lines.push_back(diagnostic.ToString());
  return lines;
}

// The state on disk, checked as if a person had written it.
absl::StatusOr<api::v1::ControlState> ParseState(const std::string& json) {
  api::v1::ControlState state;
  if (absl::Status status = FromJson(json, &state); !status.ok()) return status;
  if (state.versions().empty()) return absl::InvalidArgumentError("it has no version");
  if (auto mistakes = config::CheckPolicy(state.policy()); !mistakes.empty()) {
    return absl::InvalidArgumentError(config::ToString(mistakes));
  }
  return state;
}

}  // namespace

PolicyStore::PolicyStore(std::string state_path, Publish publish, absl::Duration first_pause)
    : state_path_(std::move(state_path)),
      publish_(std::move(publish)),
      file_(StrCat(state_path_, "/last_good_policy.json"), first_pause) {}

absl::Status PolicyStore::Open() {
  std::error_code error;
  std::filesystem::create_directories(state_path_, error);
  if (error) {
    return absl::FailedPreconditionError(StrCat("cannot create the directory state.path '",
                                                state_path_, "': ", error.message(),
                                                "; create it, or give control the right to"));
  }
  auto json = config::ReadFile(file_.path(), std::numeric_limits<size_t>::max());
  if (absl::IsNotFound(json.status())) return absl::OkStatus();
  absl::StatusOr<api::v1::ControlState> state =
      json.ok() ? ParseState(*json) : absl::StatusOr<api::v1::ControlState>(json.status());
  if (!state.ok()) {
    kLog.Error(file_.path(), ": the last good version cannot be used: ", state.status().message());
    return absl::OkStatus();
  }
  auto policy = std::make_unique<config::v1::Policy>(std::move(*state->mutable_policy()));
  config::ApplyDefaults(policy.get());
  std::lock_guard lock(mutex_);
  for (const api::v1::Version& version : state->versions()) {
    if (view_.versions.size() < kMaxVersions) view_.versions.push_back(FromApi(version));
  }
  view_.snapshot = std::make_shared<Snapshot>(std::move(policy), view_.versions.front());
  kLog.Info("the last good policy is version ", view_.versions.front().id);
  return absl::OkStatus();
}

void PolicyStore::Update(const absl::StatusOr<std::vector<config::SourceFile>>& files) {
  std::lock_guard one_at_a_time(update_mutex_);
  PolicyCheck check;
  check.time = absl::Now();
  config::Loaded<config::v1::Policy> loaded;
  if (files.ok()) {
    loaded = config::LoadPolicy(*files);
    check.errors = Lines(loaded.errors);
    check.warnings = Lines(loaded.warnings);
  } else {
    check.errors = {std::string(files.status().message())};
  }
  for (const std::string& warning : check.warnings) kLog.Warning(warning);
  for (const std::string& error : check.errors) kLog.Error(error);
  std::shared_ptr<const Snapshot> before;
  {
    std::lock_guard lock(mutex_);
    view_.check = std::move(check);
    before = view_.snapshot;
  }
  if (loaded.value != nullptr) {
    std::vector<std::string> names;
    for (const config::SourceFile& file : *files) names.push_back(file.name);
    TakeUp(std::move(loaded.value), std::move(names));
  } else if (before == nullptr) {
    kLog.Error("there is no good policy to serve");
  } else {
    kLog.Error("the policy directory is not usable; version ", before->version().id, " stays");
  }
  const std::shared_ptr<const Snapshot> now = view().snapshot;
  if (now != nullptr && (now != before || !published_)) {
    published_ = true;
    publish_(now);
  }
}

void PolicyStore::TakeUp(std::unique_ptr<const config::v1::Policy> policy,
                         std::vector<std::string> files) {
  const std::shared_ptr<const Snapshot> before = view().snapshot;
  Version version;
  version.id = PolicyId(*policy);
  if (before != nullptr && before->version().id == version.id) return;
  version.sequence = before == nullptr ? 1 : before->version().sequence + 1;
  version.time = absl::Now();
  version.files = std::move(files);
  version.changes =
      Compare(before == nullptr ? ResourcesByType() : before->resources(), SplitPolicy(*policy));
  version.change_count = static_cast<uint32_t>(version.changes.size());
  auto snapshot = std::make_shared<Snapshot>(std::move(policy), std::move(version));
  kLog.Info("version ", snapshot->version().id,
            " is the policy now: ", snapshot->version().change_count,
            " resources added, changed or removed");
  {
    std::lock_guard lock(mutex_);
    view_.snapshot = snapshot;
    view_.versions.push_front(snapshot->version());
    if (view_.versions.size() > kMaxVersions) view_.versions.pop_back();
  }
  Save(*snapshot);
}

// A disk that is full is no reason to hold back a good policy.
void PolicyStore::Save(const Snapshot& snapshot) {
  api::v1::ControlState state;
  for (const Version& version : view().versions) *state.add_versions() = ToApi(version);
  *state.mutable_policy() = snapshot.policy();
  if (absl::Status status = file_.Write(ToJson(state)); !status.ok()) {
    kLog.Error("cannot keep the last good version, and tries again: ", status.message());
  }
}

PolicyStore::View PolicyStore::view() const {
  std::lock_guard lock(mutex_);
  View view = view_;
  view.state_error = file_.error();
  return view;
}

}  // namespace pillion::control
