#include "sidecar/admin/query_fields.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "core/config/utf8.h"
#include "core/strings.h"

namespace pillion::sidecar::admin {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Timestamp;

// "%2E" and "+".
std::string Decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && absl::ascii_isxdigit(text[i + 1]) &&
        absl::ascii_isxdigit(text[i + 2])) {
      out += absl::HexStringToBytes(ToAbsl(text.substr(i + 1, 2)));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

bool IsTimestamp(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         field.message_type() == Timestamp::descriptor();
}

bool CanBeSet(const FieldDescriptor& field) {
  return !field.is_repeated() &&
         (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || IsTimestamp(field));
}

const FieldDescriptor* FindField(const Message& message, const std::string& name) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
  if (field == nullptr) field = message.GetDescriptor()->FindFieldByCamelcaseName(name);
  return field != nullptr && CanBeSet(*field) ? field : nullptr;
}

absl::Status UnknownParameter(const std::string& name, const std::vector<Message*>& messages) {
  std::vector<std::string> names;
  for (const Message* message : messages) {
    for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor& field = *message->GetDescriptor()->field(i);
      if (CanBeSet(field)) names.push_back(field.name());
    }
  }
  return absl::InvalidArgumentError(StrCat("there is no parameter '", name, "'; there are ",
                                           FromAbsl(absl::StrJoin(names, ", "))));
}

// Value 0 of our enums means "not said".
std::string NamesOf(const EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() != 0) names.push_back(absl::AsciiStrToLower(type.value(i)->name()));
  }
  return absl::StrJoin(names, ", ");
}

absl::Status SetValue(const FieldDescriptor& field, const std::string& value, Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  const auto bad = [&](std::string_view expected) {
    return absl::InvalidArgumentError(StrCat(field.name(), " '", value, "' is not ", expected));
  };
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    if (config::FindInvalidUtf8(value) != std::string_view::npos) return bad("UTF-8");
    reflection.SetString(&message, &field, value);
  } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    const auto* found = field.enum_type()->FindValueByName(absl::AsciiStrToUpper(value));
    if (found == nullptr || found->number() == 0) {
      return bad(StrCat("one of ", NamesOf(*field.enum_type())));
    }
    reflection.SetEnum(&message, &field, found);
  } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT32) {
    uint32_t number = 0;
    if (!absl::SimpleAtoi(value, &number)) return bad("a number");
    reflection.SetUInt32(&message, &field, number);
  } else {
    auto& time = static_cast<Timestamp&>(*reflection.MutableMessage(&message, &field));
    if (!google::protobuf::util::TimeUtil::FromString(value, &time)) {
      return bad("a time such as 2026-01-31T12:00:00Z");
    }
  }
  return absl::OkStatus();
}

absl::Status SetParameter(const std::string& name, const std::string& value,
                          const std::vector<Message*>& messages) {
  for (Message* message : messages) {
    const FieldDescriptor* field = FindField(*message, name);
    if (field == nullptr) continue;
    if (message->GetReflection()->HasField(*message, field)) {
      return absl::InvalidArgumentError(StrCat("the parameter '", name, "' is there twice"));
    }
    return SetValue(*field, value, *message);
  }
  return UnknownParameter(name, messages);
}

}  // namespace

absl::Status SetFieldsFromQuery(std::string_view query, const std::vector<Message*>& messages) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const size_t equals = std::min(pair.find('='), pair.size());
    absl::Status set =
        SetParameter(Decode(pair.substr(0, equals)),
                     Decode(pair.substr(std::min(equals + 1, pair.size()))), messages);
    if (!set.ok()) return set;
  }
  return absl::OkStatus();
}

}  // namespace pillion::sidecar::admin
