#include "sidecar/actions/call.h"

#include <utility>

namespace pillion::sidecar {

net::Task<void> Fail(Call& call, http::Problem problem) {
  call.record.flag = problem.flag;
  if (call.exchange.head_sent()) co_return;
  if (problem.instance.empty()) problem.instance = std::string(call.path);
  absl::Status sent = co_await call.exchange.SendProblem(problem, call.scope());
  if (!sent.ok() && call.record.flag.empty()) call.record.flag = "DC";
}

net::Task<void> Fail(Call& call, int status, std::string_view flag, std::string_view detail) {
  return Fail(call, http::Problem(status, flag, std::string(detail)));
}

}  // namespace pillion::sidecar
