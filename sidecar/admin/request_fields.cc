#include "sidecar/admin/request_fields.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "core/config/suggest.h"
#include "core/config/utf8.h"
#include "core/rfc3339.h"
#include "core/strings.h"

namespace pillion::sidecar::admin {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Timestamp;
using Json = nlohmann::json;

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

// What one text can say.
bool IsText(const FieldDescriptor& field) {
  return !field.is_repeated() && field.cpp_type() != FieldDescriptor::CPPTYPE_BOOL &&
         (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || IsTimestamp(field));
}

const FieldDescriptor* FindField(const Message& message, const std::string& name) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
  return field != nullptr ? field : message.GetDescriptor()->FindFieldByCamelcaseName(name);
}

// `what`: what is missing, with its whole name; `name`: the part that is not one of `names`.
absl::Status Unknown(const std::string& what, std::string_view name,
                     const std::vector<std::string>& names) {
  const std::string near = config::DidYouMean(name, {names.begin(), names.end()});
  return absl::InvalidArgumentError(StrCat("there is no ", what,
                                           near.empty() ? "; there are " : near + " There are ",
                                           absl::StrJoin(names, ", ")));
}

absl::Status UnknownParameter(const std::string& name, const std::vector<Message*>& messages) {
  std::vector<std::string> names;
  for (const Message* message : messages) {
    for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor& field = *message->GetDescriptor()->field(i);
      if (IsText(field)) names.push_back(field.name());
    }
  }
  return Unknown(StrCat("parameter '", name, "'"), name, names);
}

// Value 0 of our enums means "not said".
std::vector<std::string> NamesOf(const EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() != 0) names.push_back(absl::AsciiStrToLower(type.value(i)->name()));
  }
  return names;
}

// By name, or by number as Protobuf's JSON allows it; null if it is none, or 0.
const EnumValueDescriptor* FindEnumValue(const EnumDescriptor& type, const std::string& text) {
  int number = 0;
  const EnumValueDescriptor* const found = absl::SimpleAtoi(text, &number)
                                               ? type.FindValueByNumber(number)
                                               : type.FindValueByName(absl::AsciiStrToUpper(text));
  return found == nullptr || found->number() == 0 ? nullptr : found;
}

// Whether it may be there and say nothing: the first page's token. Others make a filter, which
// would then match more than was meant.
bool MayBeEmpty(const FieldDescriptor& field) { return field.name() == "page_token"; }

// `name`: what the caller calls the field. REQUIRES: IsText(field).
absl::Status SetText(const FieldDescriptor& field, std::string_view name, const std::string& value,
                     Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  const auto bad = [&](std::string_view expected) {
    return absl::InvalidArgumentError(StrCat(name, " '", value, "' is not ", expected));
  };
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    if (config::FindInvalidUtf8(value) != std::string_view::npos) return bad("UTF-8");
    if (value.empty() && !MayBeEmpty(field))
      return bad("a filter; leave it out to match everything");
    reflection.SetString(&message, &field, value);
  } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    const EnumValueDescriptor* const found = FindEnumValue(*field.enum_type(), value);
    if (found == nullptr) {
      const std::vector<std::string> names = NamesOf(*field.enum_type());
      return bad(StrCat("one of ", absl::StrJoin(names, ", "),
                        config::DidYouMean(value, {names.begin(), names.end()})));
    }
    reflection.SetEnum(&message, &field, found);
  } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT32) {
    uint32_t number = 0;
    if (!absl::SimpleAtoi(value, &number)) return bad("a whole number from 0");
    reflection.SetUInt32(&message, &field, number);
  } else {
    const std::optional<absl::Time> time = ParseRfc3339(value);
    if (!time) return bad("a time such as 2026-01-31T12:00:00Z");
    auto& stamp = static_cast<Timestamp&>(*reflection.MutableMessage(&message, &field));
    stamp.set_seconds(absl::ToUnixSeconds(*time));
    stamp.set_nanos(static_cast<int32_t>(
        absl::ToInt64Nanoseconds(*time - absl::FromUnixSeconds(stamp.seconds()))));
  }
  return absl::OkStatus();
}

absl::Status SetParameter(const std::string& name, const std::string& value,
                          const std::vector<Message*>& messages) {
  for (Message* message : messages) {
    const FieldDescriptor* field = FindField(*message, name);
    if (field == nullptr || !IsText(*field)) continue;
    if (message->GetReflection()->HasField(*message, field)) {
      return absl::InvalidArgumentError(StrCat("the parameter '", name, "' is there twice"));
    }
    return SetText(*field, field->name(), value, *message);
  }
  return UnknownParameter(name, messages);
}

absl::Status SetObject(const Json& json, std::string_view path, Message& message);

// `path`: of the field, such as "filter.state".
absl::Status SetField(const FieldDescriptor& field, const std::string& path, const Json& json,
                      Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  const auto expected = [&](std::string_view what) {
    return absl::InvalidArgumentError(StrCat(path, ": expected ", what));
  };
  if (json.is_null() && (!IsText(field) || MayBeEmpty(field))) return absl::OkStatus();
  if (field.is_repeated()) {
    if (!json.is_array()) return expected("a list of texts");
    for (const Json& item : json) {
      if (!item.is_string()) return expected("a list of texts");
      reflection.AddString(&message, &field, item.get<std::string>());
    }
    return absl::OkStatus();
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL) {
    if (!json.is_boolean()) return expected("true or false");
    reflection.SetBool(&message, &field, json.get<bool>());
    return absl::OkStatus();
  }
  if (!IsText(field)) {
    if (!json.is_object()) return expected("an object");
    return SetObject(json, path, *reflection.MutableMessage(&message, &field));
  }
  if (!json.is_string() && !json.is_number()) return expected("a text or a number");
  return SetText(field, path, json.is_string() ? json.get<std::string>() : json.dump(), message);
}

// `path`: of `message`; empty for the whole body.
absl::Status SetObject(const Json& json, std::string_view path, Message& message) {
  for (const auto& [name, value] : json.items()) {
    const std::string field_path = path.empty() ? name : StrCat(path, ".", name);
    const FieldDescriptor* const field = FindField(message, name);
    if (field == nullptr) {
      std::vector<std::string> names;
      for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
        names.push_back(message.GetDescriptor()->field(i)->name());
      }
      return Unknown(StrCat("field '", field_path, "'"), name, names);
    }
    absl::Status set = SetField(*field, field_path, value, message);
    if (!set.ok()) return set;
  }
  return absl::OkStatus();
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

absl::Status SetFieldsFromJson(std::string_view json, Message& message) {
  const Json parsed = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) {
    return absl::InvalidArgumentError(
        R"(expected an object of JSON, such as {"ids": ["ID"]} or {"filter": {"state": "failed"}})");
  }
  return SetObject(parsed, "", message);
}

}  // namespace pillion::sidecar::admin
