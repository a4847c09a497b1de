// `pillionctl validate` and `pillionctl explain`: what policy files say, without any process
// running.
//
// Threads: each is one call of main().
#ifndef PILLION_CONTROL_CLI_POLICY_COMMANDS_H_
#define PILLION_CONTROL_CLI_POLICY_COMMANDS_H_

#include <string>
#include <vector>

#include "control/cli/streams.h"

namespace pillion::control {

// Checks the files and directories as one policy. Exit status 0 if there is no mistake, else 1.
int Validate(const std::vector<std::string>& paths, Streams streams);

// A call to explain.
struct ExplainRequest {
  std::vector<std::string> policy;  // files and directories
  std::string method;
  std::string url;                   // http://host[:port]/path?query
  std::vector<std::string> headers;  // each "name: value"; a Host goes before the one of the URL
  std::string service;               // who calls; "": a service that may see every virtual host
};

// Prints what becomes of the call, and why. Exit status 0 if a route matches, 2 if none does, 1 if
// the policy has a mistake or a sidecar would not take the call as HTTP.
int Explain(const ExplainRequest& request, Streams streams);

}  // namespace pillion::control

#endif  // PILLION_CONTROL_CLI_POLICY_COMMANDS_H_
