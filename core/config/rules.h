// Reading the options of annotations.proto.
//
// Threads: pure functions.
#ifndef PILLION_CORE_CONFIG_RULES_H_
#define PILLION_CORE_CONFIG_RULES_H_

#include <string>
#include <string_view>
#include <vector>

#include "pillion/config/v1/annotations.pb.h"

namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
class Message;
}  // namespace google::protobuf

namespace pillion::config {

const v1::FieldRules& RulesOf(const google::protobuf::FieldDescriptor& field);
const v1::MessageRules& RulesOf(const google::protobuf::Descriptor& type);
const v1::EnumValueRules& RulesOf(v1::FieldRules::Kind kind);

// True for fields whose value is a google.protobuf.Duration.
bool IsDuration(const google::protobuf::FieldDescriptor& field);

// The fields of `type` that a comma-separated list names. REQUIRES: they exist.
std::vector<const google::protobuf::FieldDescriptor*> FieldsNamed(
    const google::protobuf::Descriptor& type, std::string_view list);

// True if the singular field is set, or the list is not empty.
bool IsSet(const google::protobuf::Message& message,
           const google::protobuf::FieldDescriptor& field);

// Element `index` of a list (-1: the singular field) as people write it: text as it is, numbers in
// decimal, sizes with units, durations, enum values by name. REQUIRES: no message but a Duration.
std::string ValueText(const google::protobuf::Message& message,
                      const google::protobuf::FieldDescriptor& field, int index = -1);

// A condition of FieldRules.only_if, "field" or "field=VALUE", on `message`; a field that is not
// set has its default value.
bool Holds(std::string_view condition, const google::protobuf::Message& message);

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_RULES_H_
