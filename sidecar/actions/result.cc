#include "sidecar/actions/result.h"

#include <utility>

#include "core/net/loop.h"
#include "core/strings.h"
#include "sidecar/actions/accepted.h"
#include "sidecar/actions/call.h"
#include "sidecar/actions/engine_calls.h"
#include "sidecar/actions/status_json.h"
#include "sidecar/delivery/fields.h"

namespace pillion::sidecar {
namespace {

using delivery::DeliveryResult;
using delivery::DeliveryState;
using delivery::DeliveryView;

// What there was before an end that no attempt brought.
std::string LastAttempt(const DeliveryView& delivery) {
  if (!delivery.last_error.empty()) {
    return StrCat("what its last attempt met: ", delivery.last_error);
  }
  return delivery.attempts == 0 ? "no attempt was made" : "no attempt had come to an end";
}

// Of an operation that ended without an answer.
http::Problem WhyNoAnswer(const DeliveryView& delivery) {
  if (delivery.state == DeliveryState::kCanceled) {
    return http::Problem(410, "", StrCat("the operation was canceled; ", LastAttempt(delivery)));
  }
  if (delivery.state == DeliveryState::kExpired) {
    return http::Problem(504, "UT", StrCat("the operation has expired; ", LastAttempt(delivery)));
  }
  const bool exhausted = delivery.reason == delivery::FailureReason::kRetriesExhausted;
  return http::Problem(502, exhausted ? "URX" : "UF",
                       StrCat("the operation failed without an answer: ", delivery.last_error));
}

// Sends an upstream's answer as it was.
net::Task<void> SendAnswer(Call& call, const delivery::Answer& answer) {
  http::ResponseHead head;
  head.status = answer.status;
  if (const auto fields = delivery::DecodeFields(answer.headers)) {
    for (const auto& [name, value] : *fields) head.headers.Add(name, value);
  }
  head.body = {http::BodyFraming::kLength, answer.body.size()};
  (void)co_await call.exchange.SendHead(head, answer.body, true, call.scope());
}

}  // namespace

net::Task<void> SendResult(Call& call, const DeliveryResult& result) {
  switch (result.availability) {
    case DeliveryResult::Availability::kReady:
      co_await SendAnswer(call, *result.answer);
      break;
    case DeliveryResult::Availability::kNotDone: {
      http::Problem problem(409, "",
                            StrCat("the operation is ", StateOf(result.view),
                                   "; its result comes when it has ended"));
      problem.headers.emplace_back("retry-after", RetryAfter(NextLook(result.view, absl::Now())));
      co_await Fail(call, std::move(problem));
      break;
    }
    case DeliveryResult::Availability::kNoAnswer: {
      http::Problem problem = WhyNoAnswer(result.view.deliveries[0]);
      co_await Fail(call, std::move(problem));
      break;
    }
    case DeliveryResult::Availability::kForgotten:
      co_await Fail(call, 410, "", "the result was kept for result_retention, which is over");
      break;
  }
}

net::Task<std::string_view> SendResultWithin(Call& call, std::string id, net::Duration wait) {
  net::Loop& loop = call.services.loop;
  call.exchange.CancelWhenCallerLeaves();
  std::string_view state = delivery::DeliveryStateName(DeliveryState::kPending);
  {
    net::CancelScope patience(loop, &call.scope());
    patience.SetDeadline(loop.now() + wait, "the time to wait is over");
    StatusWatch watch(call.services.engine, id, loop);
    bool final = false;
    while (!final) {
      absl::StatusOr<delivery::MessageView> view = co_await watch.Next(patience);
      if (!view.ok()) co_return state;
      state = StateOf(*view);
      final = view->final();
    }
  }
  absl::StatusOr<DeliveryResult> result =
      co_await GetResult(call.services.engine, id, call.scope());
  if (!result.ok()) co_return state;
  co_await SendResult(call, *result);
  co_return "";
}

}  // namespace pillion::sidecar
