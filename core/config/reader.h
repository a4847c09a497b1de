// A YAML tree into a message, by reflection.
//
// Here is settled what a text means: which fields there are, and of which type a value is. Whether
// a value makes sense is the checker's question (checker.h).
//
// Threads: pure functions.
#ifndef PILLION_CORE_CONFIG_READER_H_
#define PILLION_CORE_CONFIG_READER_H_

#include <string>

#include "core/config/diagnostic.h"
#include "core/config/place.h"
#include "core/config/yaml_tree.h"

namespace pillion::config {

// Adds what `root` says to `message` (lists are appended to), records places, and reports every
// unknown field, duplicate key and wrong type. Fields with mistakes are left out and recorded as
// bad. `file` must outlive `places`.
void ReadMessage(const YamlNode& root, const std::string& file, google::protobuf::Message* message,
                 PlaceMap* places, DiagnosticList* diagnostics);

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_READER_H_
