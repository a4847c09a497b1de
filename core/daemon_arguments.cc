#include "core/daemon_arguments.h"

#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "core/bad_usage.h"
#include "core/strings.h"
#include "core/version.h"

namespace pillion {

std::variant<DaemonArguments, int> ParseDaemonArguments(int argc, const char* const* argv,
                                                        const DaemonHelp& help) {
  CLI::App app(StrCat(help.name, ": ", help.description), std::string(help.name));
  app.set_version_flag("--version", StrCat(help.name, " ", kVersion), "Print the version and exit");
  DaemonArguments arguments;
  std::string mode = "serve";
  app.add_option("--config", arguments.config, "the bootstrap file")
      ->type_name("FILE")
      ->required()
      ->check([](const std::string& value) {
        return value.empty() ? "the path of the bootstrap is empty" : "";
      });
  app.add_option("--mode", mode,
                 StrCat("serve; or validate: check the bootstrap and ", help.validated,
                        ", and exit with 0 or 1"))
      ->type_name("{serve,validate}")
      ->capture_default_str()
      ->check([](const std::string& value) {
        if (value == "serve" || value == "validate") return std::string();
        return StrCat("'", value, "' is not one of serve, validate");
      });
  app.footer(StrCat(help.signals,
                    "\nExit status: 0 after a signal; 1 it cannot start; 64 bad usage or bootstrap."
                    "\n\n  ",
                    help.name, " --config ", help.config, "\n  ", help.name, " --config ",
                    help.config, " --mode validate"));
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    std::cerr << BadUsage(app, error, {argv + 1, argv + argc})
              << "\nRun with --help for more information.\n";
    return EX_USAGE;
  }
  arguments.validate_only = mode == "validate";
  return arguments;
}

}  // namespace pillion
