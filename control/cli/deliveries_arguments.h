// The arguments of `pillionctl deliveries` and its commands.
//
// Threads: one call of main().
#ifndef PILLION_CONTROL_CLI_DELIVERIES_ARGUMENTS_H_
#define PILLION_CONTROL_CLI_DELIVERIES_ARGUMENTS_H_

namespace CLI {
class App;
}

namespace pillion::control {

// Adds the commands. The one that is given runs when `app` parses, and leaves its exit status in
// `status`, which must outlive that.
void AddDeliveries(CLI::App& app, int& status);

}  // namespace pillion::control

#endif  // PILLION_CONTROL_CLI_DELIVERIES_ARGUMENTS_H_
