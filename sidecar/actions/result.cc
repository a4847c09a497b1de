#include "sidecar/actions/result.h"

#include "core/net/loop.h"
#include "sidecar/actions/call.h"
#include "sidecar/actions/engine_calls.h"
#include "sidecar/delivery/fields.h"

namespace pillion::sidecar {

net::Task<void> SendAnswer(Call& call, const delivery::Answer& answer) {
  http::ResponseHead head;
  head.status = answer.status;
  if (const auto fields = delivery::DecodeFields(answer.headers)) {
    for (const auto& [name, value] : *fields) head.headers.Add(name, value);
  }
  head.body = {http::BodyFraming::kLength, answer.body.size()};
  (void)co_await call.exchange.SendHead(head, answer.body, true, call.scope());
}

net::Task<bool> SendResultWithin(Call& call, std::string id, net::Duration wait) {
  net::Loop& loop = call.services.loop;
  call.exchange.CancelWhenCallerLeaves();
  {
    net::CancelScope patience(loop, &call.scope());
    patience.SetDeadline(loop.now() + wait, "the time to wait is over");
    StatusWatch watch(call.services.engine, id, loop);
    bool final = false;
    while (!final) {
      absl::StatusOr<delivery::MessageView> view = co_await watch.Next(patience);
      if (!view.ok()) co_return false;
      final = view->final();
    }
  }
  absl::StatusOr<delivery::DeliveryResult> result =
      co_await GetResult(call.services.engine, id, call.scope());
  if (!result.ok() || !result->answer) co_return false;
  co_await SendAnswer(call, *result->answer);
  co_return true;
}

}  // namespace pillion::sidecar
