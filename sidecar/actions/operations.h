// /.pillion/: the status and results of asynchronous calls and published messages, for the caller.

#ifndef PILLION_SIDECAR_ACTIONS_OPERATIONS_H_
#define PILLION_SIDECAR_ACTIONS_OPERATIONS_H_

#include "core/net/task.h"

namespace pillion::sidecar {

struct Call;

// Answers a call whose path starts with "/.pillion/".
net::Task<void> ServeOperations(Call& call);

// Whether a call that arrives at an INBOUND listener is for ServeOperations() instead of the local
// service: the upstream of an asynchronous call that reports progress.
bool IsProgressReport(const Call& call);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_OPERATIONS_H_
