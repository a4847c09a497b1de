// pillion-control: configuration, run, signal, stop.

#include <signal.h>
#include <sysexits.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "control/control.h"
#include "core/config/load.h"
#include "core/config/sources.h"
#include "core/daemon_arguments.h"
#include "core/strings.h"
#include "core/telemetry/log.h"
#include "pillion/config/v1/bootstrap.pb.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::control {
namespace {

// SIGTERM and SIGINT stop control, a second one ends it at once; SIGHUP is ignored, as the policy
// is followed anyway. They are taken by a thread of their own, so that nothing happens in a
// handler.
class Signals {
 public:
  // Blocks the signals in this thread and in all that it starts from now on.
  Signals() {
    sigemptyset(&set_);
    for (int signal : {SIGTERM, SIGINT}) sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
  }

  void Serve(Control& control) {
    thread_ = std::thread([this, &control] {
      int taken = 0;
      for (bool again = false; sigwait(&set_, &taken) == 0 && !ended_; again = true) {
        if (again) _exit(1);
        log::Info("stopping on signal ", taken);
        control.Stop();
      }
    });
  }

  // No signal is acted on afterwards.
  void End() {
    ended_ = true;
    pthread_kill(thread_.native_handle(), SIGTERM);
    thread_.join();
  }

 private:
  sigset_t set_;
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

void SetUpLog(const config::v1::ControlLog& config) {
  static constexpr log::Level kLevels[] = {log::Level::kTrace, log::Level::kDebug,
                                           log::Level::kInfo, log::Level::kWarning,
                                           log::Level::kError};
  log::SetLevel(kLevels[config.level()]);
  log::SetFormat(config.format() == config::v1::JSON ? log::Format::kJson : log::Format::kText);
}

bool PrintDiagnostics(const std::vector<config::Diagnostic>& errors,
                      const std::vector<config::Diagnostic>& warnings) {
  for (const config::Diagnostic& warning : warnings) {
    std::fprintf(stderr, "warning: %s\n", warning.ToString().c_str());
  }
  std::fputs(config::ToString(errors).c_str(), stderr);
  return errors.empty();
}

int ValidatePolicy(const std::string& directory) {
  absl::StatusOr<std::vector<config::SourceFile>> files = config::ReadSources({directory});
  if (!files.ok()) {
    std::fprintf(stderr, "%s\n", std::string(files.status().message()).c_str());
    return 1;
  }
  const config::Loaded<config::v1::Policy> policy = config::LoadPolicy(*files);
  if (!PrintDiagnostics(policy.errors, policy.warnings)) return 1;
  std::printf("ok\n");
  return 0;
}

constexpr DaemonHelp kHelp = {
    "pillion-control", "follows a directory of policy files, and tells every sidecar its part.",
    "control.yaml", "the policy directory that it names",
    "SIGTERM and SIGINT stop it; sidecars go on with the policy they have."};

int Main(int argc, char** argv) {
  const std::variant<DaemonArguments, int> parsed = ParseDaemonArguments(argc, argv, kHelp);
  if (const int* const exit_status = std::get_if<int>(&parsed)) return *exit_status;
  const auto& [path, validates] = std::get<DaemonArguments>(parsed);
  absl::StatusOr<std::string> text = config::ReadFile(path);
  if (!text.ok()) {
    std::fprintf(stderr, "%s\n", std::string(text.status().message()).c_str());
    return validates ? 1 : EX_USAGE;
  }
  const config::Loaded<config::v1::ControlBootstrap> bootstrap =
      config::LoadControlBootstrap(config::SourceFile{path, *text});
  if (!PrintDiagnostics(bootstrap.errors, bootstrap.warnings)) return validates ? 1 : EX_USAGE;
  if (validates) return ValidatePolicy(bootstrap.value->policy().directory());

  SetUpLog(bootstrap.value->log());
  Signals signals;
  absl::StatusOr<std::unique_ptr<Control>> control = Control::Create(*bootstrap.value);
  if (!control.ok()) {
    log::Error("cannot start: ", FromAbsl(control.status().message()));
    return 1;
  }
  signals.Serve(**control);
  (*control)->Run();
  signals.End();
  return 0;
}

}  // namespace
}  // namespace pillion::control

int main(int argc, char** argv) { return pillion::control::Main(argc, argv); }
