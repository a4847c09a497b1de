// pillion-sidecar: configuration, build, run, signal, drain.

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sysexits.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <variant>

#include "core/config/load.h"
#include "core/config/sources.h"
#include "core/daemon_arguments.h"
#include "core/strings.h"
#include "core/telemetry/log.h"
#include "pillion/config/v1/bootstrap.pb.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/actions/callback.h"
#include "sidecar/delivery/store_directory.h"
#include "sidecar/sidecar.h"

namespace pillion::sidecar {
namespace {

// SIGTERM and SIGINT shut down, SIGHUP reopens the access log. They are taken by a thread of their
// own, so that nothing happens inside a signal handler.
class Signals {
 public:
  // Blocks the signals in this thread and in all that it starts from now on.
  Signals() {
    sigemptyset(&set_);
    for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    signal(SIGPIPE, SIG_IGN);
    // A file at its limit (ulimit -f) is a full disk, which is told, and no reason to die.
    signal(SIGXFSZ, SIG_IGN);
  }
  void Serve(Sidecar& sidecar) {
    thread_ = std::thread([this, &sidecar] {
      int signal = 0;
      while (sigwait(&set_, &signal) == 0 && !stopping_) {
        if (signal == SIGHUP) {
          sidecar.ReopenLogs();
        } else {
          sidecar.Shutdown();
        }
      }
    });
  }

  // No signal is acted on afterwards.
  void Stop() {
    stopping_ = true;
    pthread_kill(thread_.native_handle(), SIGHUP);
    thread_.join();
  }

 private:
  sigset_t set_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// Every connection is a descriptor: take as many as are allowed, and say so if they are too few.
void RaiseDescriptorLimit(uint32_t max_connections) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur <= max_connections) {
    log::Warning("limits.max_connections is ", max_connections, ", but the process may have only ",
                 limit.rlim_cur, " descriptors open: raise its limit (ulimit -n, LimitNOFILE)");
  }
}

void SetUpLog(const config::v1::Log& config) {
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

// Checks the store's directory, and the policy files that a stand-alone sidecar would read.
int Validate(const config::v1::SidecarBootstrap& bootstrap) {
  const absl::Status store = delivery::CheckStoreDirectory(bootstrap.store().path());
  const bool is_usable = store.ok() || absl::IsPermissionDenied(store);
  if (!store.ok()) {
    std::fprintf(stderr, "%s%s\n", is_usable ? "warning: " : "",
                 std::string(store.message()).c_str());
  }
  if (!bootstrap.policy().has_control()) {
    const std::vector<std::string> paths(bootstrap.policy().files().begin(),
                                         bootstrap.policy().files().end());
    absl::StatusOr<std::vector<config::SourceFile>> files = config::ReadSources(paths);
    if (!files.ok()) {
      std::fprintf(stderr, "%s\n", std::string(files.status().message()).c_str());
      return 1;
    }
    const config::Loaded<config::v1::Policy> policy = config::LoadPolicy(*files);
    if (!PrintDiagnostics(policy.errors, policy.warnings)) return 1;
    for (const std::string& warning : CheckSecretFiles(*policy.value)) {
      std::fprintf(stderr, "warning: %s\n", warning.c_str());
    }
  }
  if (!is_usable) return 1;
  std::printf("ok\n");
  return 0;
}

constexpr DaemonHelp kHelp = {
    "pillion-sidecar",
    "stands next to a service and turns its plain HTTP calls into forwards, asynchronous calls,\n"
    "messages or events, as the policy says.",
    "sidecar.yaml", "what it names, the store's directory and policy files",
    "SIGTERM and SIGINT drain and stop; a second one stops at once. SIGHUP reopens the access "
    "log."};

int Main(int argc, char** argv) {
  const std::variant<DaemonArguments, int> parsed = ParseDaemonArguments(argc, argv, kHelp);
  if (const int* const exit_status = std::get_if<int>(&parsed)) return *exit_status;
  const auto& [path, validate_only] = std::get<DaemonArguments>(parsed);
  absl::StatusOr<std::string> text = config::ReadFile(path);
  if (!text.ok()) {
    std::fprintf(stderr, "%s\n", std::string(text.status().message()).c_str());
    return validate_only ? 1 : EX_USAGE;
  }
  config::Loaded<config::v1::SidecarBootstrap> bootstrap =
      config::LoadSidecarBootstrap(config::SourceFile{path, *text});
  if (!PrintDiagnostics(bootstrap.errors, bootstrap.warnings)) {
    return validate_only ? 1 : EX_USAGE;
  }
  if (validate_only) return Validate(*bootstrap.value);

  SetUpLog(bootstrap.value->log());
  RaiseDescriptorLimit(bootstrap.value->limits().max_connections());
  Signals signals;
  absl::StatusOr<std::unique_ptr<Sidecar>> sidecar = Sidecar::Create(*bootstrap.value);
  if (!sidecar.ok()) {
    log::Error("cannot start: ", std::string(sidecar.status().message()));
    return 1;
  }
  signals.Serve(**sidecar);
  const int exit_status = (*sidecar)->Run();
  signals.Stop();
  return exit_status;
}

}  // namespace
}  // namespace pillion::sidecar

int main(int argc, char** argv) { return pillion::sidecar::Main(argc, argv); }
