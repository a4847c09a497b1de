// `pillionctl deliveries`: what a sidecar has on its way, and has kept; by its admin address.
//
// Threads: each is one call of main(). All return the exit status: 0, or 1 if the sidecar does not
// answer or refuses, or if what answers is not the admin listener of a sidecar.
#ifndef PILLION_CONTROL_CLI_DELIVERIES_COMMAND_H_
#define PILLION_CONTROL_CLI_DELIVERIES_COMMAND_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "control/cli/streams.h"

namespace pillion::control {

// By the names of DeliveryFilter's fields in protos/pillion/api/v1/deliveries.proto, values as the
// sidecar reads them in a query. Empty: everything.
using DeliveryConditions = std::map<std::string, std::string>;

struct ListDeliveriesArguments {
  std::string sidecar;  // host:port, or http://host:port
  DeliveryConditions filter;
  uint32_t limit = 20;
  std::string page_token;
};

// Prints a line for each, in the order of acceptance, and how to go on if there are more.
int ListDeliveries(const ListDeliveriesArguments& arguments, Streams streams);

struct ShowDeliveryArguments {
  std::string sidecar;
  std::string id;
  bool payload = false;  // with what was accepted
};

// Prints a delivery, or all of a message, with their answers, as JSON.
int ShowDelivery(const ShowDeliveryArguments& arguments, Streams streams);

struct ExportDeliveriesArguments {
  std::string sidecar;
  DeliveryConditions filter;
  bool payload = false;  // with answers and what was accepted
};

// Prints all that match, each as one line of JSON.
int ExportDeliveries(const ExportDeliveriesArguments& arguments, Streams streams);

struct ChangeDeliveriesArguments {
  std::string sidecar;
  std::string verb;  // replay, cancel or drop
  // Either ids, or a filter, or `all`, which adds nothing to a filter.
  std::vector<std::string> ids;
  DeliveryConditions filter;
  bool all = false;
};

// Does it in as many steps as it takes, and prints how many there were. Exit status 1 also if an id
// is not known, or if there are ids and it can be done to none of them.
int ChangeDeliveries(const ChangeDeliveriesArguments& arguments, Streams streams);

}  // namespace pillion::control

#endif  // PILLION_CONTROL_CLI_DELIVERIES_COMMAND_H_
