#include "core/config/rules.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>

#include <cassert>
#include <utility>

#include "absl/strings/str_split.h"
#include "core/config/units.h"
#include "core/strings.h"

namespace pillion::config {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

const v1::FieldRules& RulesOf(const FieldDescriptor& field) {
  return field.options().GetExtension(v1::rules);
}

const v1::MessageRules& RulesOf(const Descriptor& type) {
  return type.options().GetExtension(v1::message_rules);
}

const v1::EnumValueRules& RulesOf(v1::FieldRules::Kind kind) {
  return v1::FieldRules::Kind_descriptor()->FindValueByNumber(kind)->options().GetExtension(
      v1::value_rules);
}

bool IsDuration(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         field.message_type() == google::protobuf::Duration::descriptor();
}

std::vector<const FieldDescriptor*> FieldsNamed(const Descriptor& type, std::string_view list) {
  std::vector<const FieldDescriptor*> fields;
  for (const std::string& name : std::vector<std::string>(absl::StrSplit(ToAbsl(list), ','))) {
    fields.push_back(type.FindFieldByName(name));
    assert(fields.back() != nullptr);
  }
  return fields;
}

bool IsSet(const Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  return field.is_repeated() ? reflection.FieldSize(message, &field) > 0
                             : reflection.HasField(message, &field);
}

std::string ValueText(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& reflection = *message.GetReflection();
  const auto value = [&](auto get, auto get_element) {
    return index < 0 ? (reflection.*get)(message, &field)
                     : (reflection.*get_element)(message, &field, index);
  };
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return value(&Reflection::GetString, &Reflection::GetRepeatedString);
    case FieldDescriptor::CPPTYPE_BOOL:
      return value(&Reflection::GetBool, &Reflection::GetRepeatedBool) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_UINT32:
      return StrCat(value(&Reflection::GetUInt32, &Reflection::GetRepeatedUInt32));
    case FieldDescriptor::CPPTYPE_UINT64: {
      const uint64_t number = value(&Reflection::GetUInt64, &Reflection::GetRepeatedUInt64);
      return RulesOf(field).format() == v1::FieldRules::SIZE ? SizeText(number) : StrCat(number);
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number = value(&Reflection::GetEnumValue, &Reflection::GetRepeatedEnumValue);
      const auto* known =
          field.enum_type()->FindValueByNumber(number);  // a newer peer can send an unknown one
      return known != nullptr ? known->name() : StrCat(number);
    }
    default:
      assert(IsDuration(field) && index < 0);
      return DurationText(ToAbslDuration(
          static_cast<const google::protobuf::Duration&>(reflection.GetMessage(message, &field))));
  }
}

bool Holds(std::string_view condition, const Message& message) {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(ToAbsl(condition), absl::MaxSplits('=', 1));
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(parts.first);
  assert(field != nullptr);
  if (parts.second.empty()) return IsSet(message, *field);
  return (IsSet(message, *field) ? ValueText(message, *field) : RulesOf(*field).default_value()) ==
         parts.second;
}

}  // namespace pillion::config
