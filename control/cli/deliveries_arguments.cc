#include "control/cli/deliveries_arguments.h"

#include <google/protobuf/descriptor.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/substitute.h"
#include "control/cli/deliveries_command.h"
#include "core/config/suggest.h"
#include "core/rfc3339.h"
#include "core/strings.h"
#include "pillion/api/v1/deliveries.pb.h"

namespace pillion::control {
namespace {

using api::v1::DeliveryFilter;
using google::protobuf::FieldDescriptor;

constexpr uint32_t kMaxListed = 1'000'000;

constexpr char kDeliveriesFooter[] =
    "They are those that one sidecar has accepted, and keeps until their retention is over.\n"
    "Exit status: 0; 1 the sidecar does not answer, is none, or refuses; 64 bad usage.\n\n"
    "  pillionctl deliveries list --state failed --limit 20\n"
    "  pillionctl deliveries list --route orders/report --kind async\n"
    "  pillionctl deliveries show 01M82SWPA07PDBBDFBH40FXRSR\n"
    "  pillionctl deliveries replay 01M82SWPA07PDBBDFBH40FXRSR\n"
    "  pillionctl deliveries replay --subscription billing-on-order --reason retries_exhausted\n"
    "  pillionctl deliveries drop --state failed --created-before 2026-01-31T12:00:00Z\n"
    "  pillionctl deliveries export --state failed --payload > dead-letters.jsonl\n\n"
    "pillionctl deliveries COMMAND --help tells more.";

constexpr char kListFooter[] =
    "KIND: async and its callback, or publish and emit, whose messages go to subscriptions.\n"
    "NEXT: when a pending one is attempted; due: as soon as there is a place; behind key: after\n"
    "an earlier one with its key; held: when the call that it announces has ended.\n"
    "Exit status: 0; 1 the sidecar does not answer, is none, or refuses; 64 bad usage.\n\n"
    "  pillionctl deliveries list --state failed --limit 20\n"
    "  pillionctl deliveries list --route orders/report --kind async";

// $0: the verb; $1: "replayed"; $2: the states that are meant if none is named; $3: what else can
// be named.
constexpr char kChangeFooter[] =
    "Which ones: those with the IDs given; or those that match all filters given; or --all.\n"
    "Filters without --state, and --all, mean those that are $2$3.\n"
    "`list` with the same filters shows them first.\n"
    "Exit status: 0, also if no delivery matches; 1 if an ID is not known, or none of the IDs\n"
    "can be $1, or the sidecar does not answer, is none, or refuses (what was $1\n"
    "until then is told, and stays so); 64 bad usage.\n\n"
    "  pillionctl deliveries $0 01M82SWPA07PDBBDFBH40FXRSR\n"
    "  pillionctl deliveries $0 --subscription billing-on-order --created-after "
    "2026-01-31T12:00:00Z";

// What the options that are named after the filter's fields say.
std::string DescriptionOf(const FieldDescriptor& field) {
  const std::string& name = field.name();
  if (name == "created_after") return "accepted at that time or after it: 2026-01-31T12:00:00Z";
  if (name == "created_before") return "accepted before that time";
  if (name == "route") {
    return "VIRTUAL_HOST/ROUTE: its asynchronous calls and their callbacks; --kind tells them "
           "apart";
  }
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

// What is wrong with a value, and what would be right; "": nothing.
std::string CheckOneOf(const std::vector<std::string>& values, const std::string& value) {
  const std::string lower = absl::AsciiStrToLower(value);
  if (std::find(values.begin(), values.end(), lower) != values.end()) return "";
  return StrCat("'", value, "' is not one of ", absl::StrJoin(values, ", "),
                config::DidYouMean(value, {values.begin(), values.end()}));
}

std::string CheckNumber(uint32_t least, uint32_t most, const std::string& value) {
  uint32_t number = 0;
  if (absl::SimpleAtoi(value, &number) && number >= least && number <= most) return "";
  return StrCat("'", value, "' is not a whole number from ", least, " to ", most);
}

std::string CheckTime(const std::string& value) {
  if (ParseRfc3339(value)) return "";
  return StrCat("'", value, "' is not a time such as 2026-01-31T12:00:00Z");
}

void AddCheck(const FieldDescriptor& field, CLI::Option& option) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    const std::vector<std::string> values = ValuesOf(*field.enum_type());
    option.type_name(StrCat("{", absl::StrJoin(values, ","), "}"));
    option.check([values](const std::string& value) { return CheckOneOf(values, value); });
  } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT32) {
    option.type_name("STATUS");
    option.check([](const std::string& value) { return CheckNumber(0, 999, value); });
  } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    option.type_name("TIME");
    option.check(CheckTime);
  } else {
    // What is empty, as of an unset variable, would match everything.
    option.check([](const std::string& value) {
      return value.empty() ? "it is empty; leave the option out to match everything" : "";
    });
  }
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
    AddCheck(field, *option);
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
  command->footer(kListFooter);
  command->add_option("--limit", arguments->limit, "how many at most")
      ->check([](const std::string& value) { return CheckNumber(1, kMaxListed, value); })
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

struct Verb {
  std::string name;
  std::string done;    // "replayed"
  std::string states;  // that are meant if none is named
  std::string more;    // of what has to be named
  std::string description;
};

void AddChange(CLI::App& group, const Verb& verb, int& status) {
  CLI::App* const command = group.add_subcommand(verb.name, verb.description);
  command->footer(absl::Substitute(kChangeFooter, verb.name, verb.done, verb.states, verb.more));
  auto arguments = std::make_shared<ChangeDeliveriesArguments>();
  arguments->verb = verb.name;
  AddSidecar(*command, arguments->sidecar);
  command->add_option("ID", arguments->ids, "of deliveries, operations or messages");
  AddFilter(*command, arguments->filter);
  command->add_flag("--all", arguments->all,
                    StrCat("all that are ", verb.states, "; with filters, of those that match"));
  command->callback([arguments, name = verb.name, &status] {
    const bool by_condition = arguments->all || !arguments->filter.empty();
    if (arguments->ids.empty() != by_condition) {
      throw CLI::ValidationError(
          name, "which ones? Give either IDs, or a filter such as --state failed, or --all");
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
  AddChange(*group,
            {"replay", "replayed", "failed or expired", ";\n--state canceled has to be said",
             "Try deliveries again that failed, expired or were canceled, as if new."},
            status);
  AddChange(*group,
            {"cancel", "canceled", "pending or running", "",
             "Cancel deliveries that are pending or running."},
            status);
  AddChange(
      *group,
      {"drop", "dropped", "failed, expired or canceled",
       ";\n--state succeeded has to be said, as their idempotency keys are forgotten with them",
       "Delete deliveries that have ended, with the answers that are kept."},
      status);
  AddExport(*group, status);
}

}  // namespace pillion::control
