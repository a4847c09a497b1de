#include "control/cli/deliveries_arguments.h"

#include <google/protobuf/descriptor.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "control/cli/deliveries_command.h"
#include "pillion/api/v1/deliveries.pb.h"

namespace pillion::control {
namespace {

using api::v1::DeliveryFilter;
using google::protobuf::FieldDescriptor;

constexpr char kDeliveriesFooter[] =
    "They are those that one sidecar has accepted, and keeps until their retention is over.\n"
    "Exit status: 0, 1 if the sidecar does not answer or refuses, 64 bad usage.\n\n"
    "  pillionctl deliveries list --state failed --limit 20\n"
    "  pillionctl deliveries show 01M82SWPA07PDBBDFBH40FXRSR\n"
    "  pillionctl deliveries replay 01M82SWPA07PDBBDFBH40FXRSR\n"
    "  pillionctl deliveries replay --subscription billing-on-order --reason retries_exhausted\n"
    "  pillionctl deliveries export --state failed --payload > dead-letters.jsonl\n\n"
    "pillionctl deliveries COMMAND --help tells more.";

// What the options that are named after the filter's fields say.
std::string DescriptionOf(const FieldDescriptor& field) {
  const std::string& name = field.name();
  if (name == "created_after") return "accepted at that time or after it: 2026-01-31T12:00:00Z";
  if (name == "created_before") return "accepted before that time";
  if (name == "route") return "of an asynchronous call: VIRTUAL_HOST/ROUTE";
  if (name == "key") return "the ordering key";
  if (name == "last_status") return "of the latest attempt's answer; 0: there was none";
  if (name == "state") return "where it stands";
  if (name == "kind") return "what made it";
  if (name == "reason") return "why it failed";
  return "the " + name + ", whole";
}

// Value 0 of the API's enums means "not said".
std::vector<std::string> ValuesOf(const google::protobuf::EnumDescriptor& type) {
  std::vector<std::string> values;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() != 0) {
      values.push_back(absl::AsciiStrToLower(type.value(i)->name()));
    }
  }
  return values;
}

// --state, --created-after, ...: one for each field.
void AddFilter(CLI::App& command, DeliveryConditions& filter) {
  for (int i = 0; i < DeliveryFilter::descriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *DeliveryFilter::descriptor()->field(i);
    CLI::Option* const option = command.add_option_function<std::string>(
        "--" + absl::StrReplaceAll(field.name(), {{"_", "-"}}),
        [&filter, name = field.name()](const std::string& value) { filter[name] = value; },
        DescriptionOf(field));
    option->group("Filter");
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
      option->check(CLI::IsMember(ValuesOf(*field.enum_type()), CLI::ignore_case));
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT32) {
      option->check(CLI::Range(0, 999));
    }
  }
}

void AddSidecar(CLI::App& command, std::string& sidecar) {
  sidecar = "127.0.0.1:15000";
  command.add_option("--sidecar", sidecar, "the address of the sidecar's `admin`")
      ->capture_default_str();
}

void AddList(CLI::App& group, int& status) {
  CLI::App* const command =
      group.add_subcommand("list", "List deliveries in the order of acceptance.");
  auto arguments = std::make_shared<ListDeliveriesArguments>();
  AddSidecar(*command, arguments->sidecar);
  AddFilter(*command, arguments->filter);
  command->add_option("--limit", arguments->limit, "how many at most")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--page-token", arguments->page_token,
                      "where the list before ended, as it said");
  command->callback([arguments, &status] {
    status = ListDeliveries(*arguments, {std::cout, std::cerr});
  });
}

void AddShow(CLI::App& group, int& status) {
  CLI::App* const command = group.add_subcommand(
      "show", "Print one delivery, or all of a message, with the last answers, as JSON.");
  auto arguments = std::make_shared<ShowDeliveryArguments>();
  AddSidecar(*command, arguments->sidecar);
  command->add_option("ID", arguments->id, "of a delivery, an operation or a message")->required();
  command->add_flag("--payload", arguments->payload,
                    "with the headers, attributes and body that were accepted");
  command->callback([arguments, &status] {
    status = ShowDelivery(*arguments, {std::cout, std::cerr});
  });
}

void AddExport(CLI::App& group, int& status) {
  CLI::App* const command =
      group.add_subcommand("export", "Print deliveries as JSON, each on one line.");
  auto arguments = std::make_shared<ExportDeliveriesArguments>();
  AddSidecar(*command, arguments->sidecar);
  AddFilter(*command, arguments->filter);
  command->add_flag("--payload", arguments->payload,
                    "with the last answers, and the headers, attributes and bodies that were "
                    "accepted");
  command->callback([arguments, &status] {
    status = ExportDeliveries(*arguments, {std::cout, std::cerr});
  });
}

void AddChange(CLI::App& group, const std::string& verb, const std::string& description,
               const std::string& all, int& status) {
  CLI::App* const command = group.add_subcommand(verb, description);
  auto arguments = std::make_shared<ChangeDeliveriesArguments>();
  arguments->verb = verb;
  AddSidecar(*command, arguments->sidecar);
  command->add_option("ID", arguments->ids, "of deliveries, operations or messages");
  AddFilter(*command, arguments->filter);
  command->add_flag("--all", arguments->all, all);
  command->callback([arguments, verb, &status] {
    const int said =
        !arguments->ids.empty() + !arguments->filter.empty() + static_cast<int>(arguments->all);
    if (said != 1) {
      throw CLI::ValidationError(
          verb, "which ones? Give either IDs, or a filter such as --state failed, or --all");
    }
    status = ChangeDeliveries(*arguments, {std::cout, std::cerr});
  });
}

}  // namespace

void AddDeliveries(CLI::App& app, int& status) {
  CLI::App* const group = app.add_subcommand(
      "deliveries", "Look at a sidecar's deliveries; replay, cancel or drop them.");
  group->require_subcommand(1);
  group->footer(kDeliveriesFooter);
  AddList(*group, status);
  AddShow(*group, status);
  AddChange(*group, "replay",
            "Try failed, expired or canceled deliveries again, as if new; with a filter that names "
            "no --state, failed ones.",
            "all that failed", status);
  AddChange(*group, "cancel", "Cancel pending and running deliveries.",
            "all pending and running ones", status);
  AddChange(*group, "drop",
            "Delete deliveries that have ended; with a filter that names no --state, failed ones.",
            "all that failed", status);
  AddExport(*group, status);
}

}  // namespace pillion::control
