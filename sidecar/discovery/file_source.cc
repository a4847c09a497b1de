// The policy of a stand-alone sidecar: files, watched.
#include <utility>

#include "absl/strings/str_join.h"
#include "core/config/content_hash.h"
#include "core/config/load.h"
#include "core/config/watch.h"
#include "core/telemetry/log.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/discovery/policy_source.h"
#include "sidecar/discovery/source_base.h"
#include "sidecar/discovery/staged_policy.h"

namespace pillion::discovery {
namespace {

constexpr log::Logger kLog("policy");

class FileSource : public PolicySource {
 public:
  FileSource(std::vector<std::string> paths, std::string last_good_path, ApplyPolicy apply)
      : applier_("files", absl::StrJoin(paths, ", "), std::move(last_good_path), std::move(apply)),
        watcher_(config::FileWatcher::Start(std::move(paths),
                                            [this](auto files) { Take(std::move(files)); })) {}

  SourceState state() const override { return applier_.state(); }
  void WantCluster(const std::string&) override {}  // what the files do not have, nobody has

 private:
  void Take(absl::StatusOr<std::vector<config::SourceFile>> files) {
    TakeFiles(files);
    if (applier_.version().empty()) UseCopy();
  }

  void TakeFiles(const absl::StatusOr<std::vector<config::SourceFile>>& files) {
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
    const auto policy = std::shared_ptr<const config::v1::Policy>(std::move(loaded.value));
    absl::Status status = applier_.Apply(policy, version);
    if (!status.ok()) {
      kLog.Error("policy version ", version, " is refused: ", status.message(), KeptVersion());
      return;
    }
    applier_.copy().Save(StagedPolicy::Of(*policy).Everything(version));
  }

  // The first look at the files found nothing to go by: go on with the last policy that was good.
  void UseCopy() {
    const auto copy = applier_.copy().Load();
    if (absl::IsNotFound(copy.status())) return;
    const absl::Status status = copy.ok() ? applier_.ApplyCopy(*copy) : copy.status();
    if (status.ok()) {
      kLog.Error("the policy files cannot be used: version ", copy->system_version_info(), " from ",
                 applier_.copy().path(),
                 " is in effect until the mistakes are mended: ", applier_.state().last_error);
    } else {
      kLog.Error("the last good policy cannot be used: ", status.message());
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

std::unique_ptr<PolicySource> WatchPolicyFiles(std::vector<std::string> paths,
                                               std::string last_good_path, ApplyPolicy apply) {
  return std::make_unique<FileSource>(std::move(paths), std::move(last_good_path),
                                      std::move(apply));
}

}  // namespace pillion::discovery
