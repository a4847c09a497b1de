// The policy of a stand-alone sidecar: files, watched.
#include <utility>

#include "absl/strings/str_join.h"
#include "core/config/content_hash.h"
#include "core/config/load.h"
#include "core/config/watch.h"
#include "core/telemetry/log.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/discovery/policy_source.h"
#include "sidecar/discovery/source_base.h"

namespace pillion::discovery {
namespace {

constexpr log::Logger kLog("policy");

class FileSource : public PolicySource {
 public:
  FileSource(std::vector<std::string> paths, ApplyPolicy apply)
      : applier_("files", absl::StrJoin(paths, ", "), std::move(apply)),
        watcher_(config::FileWatcher::Start(std::move(paths),
                                            [this](auto files) { Take(std::move(files)); })) {}

  SourceState state() const override { return applier_.state(); }

 private:
  void Take(absl::StatusOr<std::vector<config::SourceFile>> files) {
    applier_.SetConnected(files.ok());
    if (!files.ok()) {
      kLog.Error(files.status().message(), KeptVersion());
      applier_.SetError(std::string(files.status().message()));
      return;
    }
    config::Loaded<config::v1::Policy> loaded = config::LoadPolicy(*files);
    for (const config::Diagnostic& warning : loaded.warnings) kLog.Warning(warning.ToString());
    if (loaded.value == nullptr) {
      for (const config::Diagnostic& error : loaded.errors) kLog.Error(error.ToString());
      kLog.Error("the policy has mistakes", KeptVersion());
      applier_.Refused(config::ToString(loaded.errors));
      return;
    }
    const std::string version =
        config::ContentHash().Add(config::DeterministicBytes(*loaded.value)).Hex();
    absl::Status status = applier_.Apply(std::move(loaded.value), version, /*from_copy=*/false);
    if (!status.ok()) {
      kLog.Error("policy version ", version, " is refused: ", status.message(), KeptVersion());
    }
  }

  // For the end of a message.
  std::string KeptVersion() const {
    const std::string version = applier_.version();
    return version.empty() ? "; there is no policy yet"
                           : "; version " + version + " stays in effect";
  }

  Applier applier_;
  const std::unique_ptr<config::FileWatcher> watcher_;  // last: its thread uses the rest
};

}  // namespace

std::unique_ptr<PolicySource> WatchPolicyFiles(std::vector<std::string> paths, ApplyPolicy apply) {
  return std::make_unique<FileSource>(std::move(paths), std::move(apply));
}

}  // namespace pillion::discovery
