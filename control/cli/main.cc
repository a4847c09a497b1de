// pillionctl: the command line. Each command is a function elsewhere; here are their arguments.

#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>
#include <vector>

#include "control/cli/deliveries_arguments.h"
#include "control/cli/policy_commands.h"
#include "control/cli/status_command.h"
#include "core/bad_usage.h"
#include "core/strings.h"
#include "core/version.h"

namespace pillion::control {
namespace {

constexpr char kValidateFooter[] =
    "Every mistake is one line: file:line:column: path: message.\n"
    "Exit status: 0 no mistake, 1 mistakes, 64 bad usage.\n\n"
    "  pillionctl validate policy/\n"
    "  pillionctl validate clusters.yaml orders.yaml";

constexpr char kExplainFooter[] =
    "Exit status: 0 a route matches, 2 none does, 1 mistake in the policy or the call, 64 bad "
    "usage.\n\n"
    "  pillionctl explain --policy policy/ GET http://orders/reports\n"
    "  pillionctl explain --policy policy/ POST 'http://orders/reports?dry=1' -H 'x-tier: gold'\n"
    "  pillionctl explain --policy policy/ GET http://127.0.0.1:15001/ -H 'host: orders'\n"
    "  pillionctl explain --policy policy/ --service web GET http://orders/";

constexpr char kStatusFooter[] =
    "STATE: current runs the served version; updating has not confirmed it yet; rejected refused "
    "it,\n"
    "and goes on with the older one shown; disconnected goes on with what it has.\n"
    "Exit status: 0; 1 control does not answer, or what answers is not control; 64 bad usage.\n\n"
    "  pillionctl status\n"
    "  pillionctl status --control control.internal:18001 --json";

struct StatusArguments {
  std::string control = "127.0.0.1:18001";
  bool json = false;
};

// Every command leaves its exit status in *status.
void AddValidate(CLI::App& app, std::vector<std::string>& paths, int& status) {
  CLI::App* const command =
      app.add_subcommand("validate", "Check policy files; several make one policy.");
  command->add_option("POLICY", paths, "files, or directories of *.yaml and *.yml files")
      ->required();
  command->footer(kValidateFooter);
  command->callback([&] { status = Validate(paths, {std::cout, std::cerr}); });
}

void AddExplain(CLI::App& app, ExplainRequest& request, int& status) {
  CLI::App* const command = app.add_subcommand(
      "explain", "Say which route a call takes, why no other, and what it does.");
  command->add_option("--policy", request.policy, "policy file or directory; may be repeated")
      ->required()
      ->allow_extra_args(false);
  command->add_option("METHOD", request.method, "GET, POST, ...")->required();
  command->add_option("URL", request.url, "as the caller writes it: http://host[:port]/path?query")
      ->required();
  command->add_option("-H,--header", request.headers, "'name: value'; may be repeated")
      ->allow_extra_args(false);
  command->add_option("--service", request.service,
                      "the service that calls, as source_services of virtual hosts name it");
  command->footer(kExplainFooter);
  command->callback([&] { status = Explain(request, {std::cout, std::cerr}); });
}

void AddStatus(CLI::App& app, StatusArguments& arguments, int& status) {
  CLI::App* const command = app.add_subcommand(
      "status", "Show the policy that control serves, and which sidecar runs which version.");
  command->add_option("--control", arguments.control, "the address of control's `rest`")
      ->capture_default_str();
  command->add_flag("--json", arguments.json, "print control's answer to GET /v1/nodes as it is");
  command->footer(kStatusFooter);
  command->callback([&] {
    status = PrintStatus(arguments.control, arguments.json, {std::cout, std::cerr});
  });
}

int Main(int argc, char** argv) {
  CLI::App app("pillionctl: look at a Pillion mesh and its policy.", "pillionctl");
  app.require_subcommand(1);
  app.set_version_flag("--version", StrCat("pillionctl ", kVersion), "Print the version and exit");
  app.footer("pillionctl COMMAND --help tells more, with examples.");
  int status = 0;
  std::vector<std::string> validated;
  ExplainRequest explained;
  StatusArguments asked;
  AddValidate(app, validated, status);
  AddExplain(app, explained, status);
  AddStatus(app, asked, status);
  AddDeliveries(app, status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    std::cerr << BadUsage(app, error, {argv + 1, argv + argc})
              << "\nRun with --help for more information.\n";
    return EX_USAGE;
  }
  return status;
}

}  // namespace
}  // namespace pillion::control

int main(int argc, char** argv) { return pillion::control::Main(argc, argv); }
