// The command line of pillion-sidecar and pillion-control.
//
// Threads: for main().
#ifndef PILLION_CORE_DAEMON_ARGUMENTS_H_
#define PILLION_CORE_DAEMON_ARGUMENTS_H_

#include <string>
#include <string_view>
#include <variant>

namespace pillion {

struct DaemonArguments {
  std::string config;          // the path of the bootstrap file
  bool validate_only = false;  // check, and do not serve
};

// What --help says of a program.
struct DaemonHelp {
  std::string_view name;         // "pillion-sidecar"
  std::string_view description;  // what it does
  std::string_view config;       // "sidecar.yaml"
  std::string_view validated;    // what `--mode validate` checks besides the bootstrap
  std::string_view signals;      // what they do
};

// The arguments; or, if the process is to end at once, its exit status: 0 after --help or
// --version, which are answered on standard output; EX_USAGE (64) if the arguments are wrong, after
// standard error was told why.
std::variant<DaemonArguments, int> ParseDaemonArguments(int argc, const char* const* argv,
                                                        const DaemonHelp& help);

}  // namespace pillion

#endif  // PILLION_CORE_DAEMON_ARGUMENTS_H_
