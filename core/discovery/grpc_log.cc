#include "core/discovery/grpc_log.h"

#include <grpc/support/log.h>

#include "core/telemetry/log.h"

namespace pillion::discovery {
namespace {

constexpr log::Logger kLog("grpc");

log::Level LevelOf(gpr_log_severity severity) {
  switch (severity) {
    case GPR_LOG_SEVERITY_ERROR:
      return log::Level::kWarning;
    case GPR_LOG_SEVERITY_INFO:
      return log::Level::kDebug;
    case GPR_LOG_SEVERITY_DEBUG:
      break;
  }
  return log::Level::kTrace;
}

}  // namespace

void SendGrpcLogToProcessLog() {
  gpr_set_log_function(
      [](gpr_log_func_args* line) { kLog.At(LevelOf(line->severity), line->message); });
}

void SendGrpcLogToDebugLog() {
  gpr_set_log_function([](gpr_log_func_args* line) { kLog.Debug(line->message); });
}

}  // namespace pillion::discovery
