// Filling in the defaults that the schema states (FieldRules.default_value).
//
// Threads: pure functions over an internally synchronised cache.
#ifndef PILLION_CORE_CONFIG_DEFAULTS_H_
#define PILLION_CORE_CONFIG_DEFAULTS_H_

namespace google::protobuf {
class Message;
}

namespace pillion::config {

// Sets every field of `message`, at any depth, that is not set and has a default; so that whoever
// reads the message needs to know no default. Doing it again changes nothing.
void ApplyDefaults(google::protobuf::Message* message);

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_DEFAULTS_H_
