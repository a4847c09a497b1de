// The kept answer of an asynchronous call, sent to a caller.

#ifndef PILLION_SIDECAR_ACTIONS_RESULT_H_
#define PILLION_SIDECAR_ACTIONS_RESULT_H_

#include <string>

#include "core/net/task.h"
#include "core/net/timer.h"
#include "sidecar/delivery/model.h"

namespace pillion::sidecar {

struct Call;

// Sends an upstream's answer as it was: status, headers, body.
net::Task<void> SendAnswer(Call& call, const delivery::Answer& answer);

// Sends the result of `id` if the operation ends with an answer within `wait`. False: it did not,
// and nothing was sent.
net::Task<bool> SendResultWithin(Call& call, std::string id, net::Duration wait);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_RESULT_H_
