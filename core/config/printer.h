// Configuration messages as text for people and programs.
//
// Threads: pure functions.
#ifndef PILLION_CORE_CONFIG_PRINTER_H_
#define PILLION_CORE_CONFIG_PRINTER_H_

#include <string>

namespace google::protobuf {
class Message;
}

namespace pillion::config {

// YAML in the style of the policy reference, every line ending in '\n', indented by `indent` more
// spaces. The loader reads it back as the same message. Only fields that are set are printed.
std::string ToYaml(const google::protobuf::Message& message, int indent = 0);

// JSON (protobuf's mapping, field names as in YAML), indented. REQUIRES: the checker found no
// mistake.
std::string ToJson(const google::protobuf::Message& message);

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_PRINTER_H_
