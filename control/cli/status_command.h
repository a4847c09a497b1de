// `pillionctl status`: what control knows of the mesh.
//
// Threads: one call of main().
#ifndef PILLION_CONTROL_CLI_STATUS_COMMAND_H_
#define PILLION_CONTROL_CLI_STATUS_COMMAND_H_

#include <string>

#include "control/cli/streams.h"

namespace pillion::control {

// Asks the control whose REST interface is at `address` (host:port or http://host:port) and prints
// the policy version that is served, the mistakes in the policy directory, and a line for each
// sidecar; or, with `json`, what control says of the sidecars as it says it. Exit status 0, or 1 if
// control does not answer, or if what answers is not control.
int PrintStatus(const std::string& address, bool json, Streams streams);

}  // namespace pillion::control

#endif  // PILLION_CONTROL_CLI_STATUS_COMMAND_H_
