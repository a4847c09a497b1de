// What came of an asynchronous call, sent to a caller.

#ifndef PILLION_SIDECAR_ACTIONS_RESULT_H_
#define PILLION_SIDECAR_ACTIONS_RESULT_H_

#include <string>
#include <string_view>

#include "core/net/task.h"
#include "core/net/timer.h"
#include "sidecar/delivery/requests.h"

namespace pillion::sidecar {

struct Call;

// Sends what `GET resultUrl` hears: the upstream's answer as it was (status, headers, body), or why
// there is none: 409 not yet, 410 canceled or over, 502 failed and 504 expired without an answer.
net::Task<void> SendResult(Call& call, const delivery::DeliveryResult& result);

// The same, once the operation `id` has ended, if that is within `wait`. If not, nothing is sent,
// and it returns the operation's state; else "".
net::Task<std::string_view> SendResultWithin(Call& call, std::string id, net::Duration wait);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_RESULT_H_
