#include "core/config/reader.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/config/rules.h"
#include "core/config/suggest.h"
#include "core/config/units.h"
#include "core/strings.h"
#include "pillion/config/v1/annotations.pb.h"

namespace pillion::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;

constexpr size_t kMaxQuoted = 64;
constexpr size_t kMaxFieldsNamed = 24;

// What a person would call the value at `node`.
std::string Describe(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kScalar:
      return node.text.size() > kMaxQuoted ? StrCat("'", node.text.substr(0, kMaxQuoted), "...'")
                                           : StrCat("'", node.text, "'");
    case YamlNode::Kind::kList:
      return "a list";
    case YamlNode::Kind::kMap:
      return "a map";
  }
  return "";
}

// The advice for `name:text`, which YAML takes for one text.
std::string MissingBlank(const YamlNode& node) {
  const bool one_text = node.plain && node.text.find(':') != std::string::npos;
  return one_text ? "; a ':' after a field's name is followed by a blank" : "";
}

// What may have been meant by a field that `type` does not have.
std::string KnownFields(std::string_view unknown, const Descriptor* type) {
  std::vector<std::string_view> names;
  for (int i = 0; i < type->field_count(); ++i) names.push_back(type->field(i)->name());
  if (std::string near = DidYouMean(unknown, names); !near.empty() || names.empty()) return near;
  const size_t named = std::min(names.size(), kMaxFieldsNamed);
  std::string known = "; here can be";
  for (size_t i = 0; i < named; ++i) StrAppend(&known, i == 0 ? " " : ", ", names[i]);
  if (named < names.size()) StrAppend(&known, " and ", names.size() - named, " more");
  return known;
}

const EnumValueDescriptor* FindEnumValue(const EnumDescriptor* type, std::string_view text) {
  for (int i = 0; i < type->value_count(); ++i) {
    if (absl::EqualsIgnoreCase(type->value(i)->name(), ToAbsl(text))) return type->value(i);
  }
  return nullptr;
}

std::vector<std::string> EnumNames(const EnumDescriptor* type) {
  std::vector<std::string> names;
  for (int i = 0; i < type->value_count(); ++i) names.push_back(type->value(i)->name());
  return names;
}

class Reader {
 public:
  Reader(const std::string& file, PlaceMap* places, DiagnosticList* diagnostics)
      : file_(file), places_(places), diagnostics_(diagnostics) {}

  void Read(const YamlNode& node, Message* message);

 private:
  using Entries = std::vector<std::pair<const YamlNode*, const YamlNode*>>;

  // The entries of a map, with those that `<<` merges in; says what keys are not text or occur
  // twice.
  Entries EntriesOf(const YamlNode& map);
  void Merge(const YamlNode& from, absl::flat_hash_map<absl::string_view, const YamlNode*>* seen,
             Entries* into);

  void ReadField(const YamlNode& node, const FieldDescriptor* field, Message* message);
  void ReadList(const YamlNode& node, const FieldDescriptor* field, Message* message);
  void ReadMapForm(const YamlNode& node, const FieldDescriptor* field, Message* message);
  // `index` is -1 for a field that is not a list. False: a wrong type, which has been reported.
  bool ReadValue(const YamlNode& node, const FieldDescriptor* field, int index, Message* message);
  bool ReadScalar(const YamlNode& node, const FieldDescriptor* field, Message* message);
  // The sub-message to fill: a new element of a list, or the one message of a field.
  static Message* Sub(const FieldDescriptor* field, Message* message);

  bool WrongType(const YamlNode& node, std::string_view expected) {
    return Fail(node, StrCat("expected ", expected, ", found ", Describe(node)));
  }
  bool Fail(const YamlNode& node, std::string message) {
    diagnostics_->Add({.file = file_,
                       .line = node.line,
                       .column = node.column,
                       .path = absl::StrJoin(path_, ""),
                       .message = std::move(message)});
    return false;
  }
  Place PlaceOf(const YamlNode& node, int index = 0) const {
    return {.file = &file_, .line = node.line, .column = node.column, .index = index};
  }
  static Place Bad(Place place) {
    place.bad = true;
    return place;
  }
  void Push(std::string_view name) {
    path_.push_back(path_.empty() ? std::string(name) : StrCat(".", name));
  }
  void Push(size_t index) { path_.push_back(StrCat("[", index, "]")); }
  void Pop() { path_.pop_back(); }

  const std::string& file_;
  PlaceMap* const places_;
  DiagnosticList* const diagnostics_;
  std::vector<std::string> path_;
};

Reader::Entries Reader::EntriesOf(const YamlNode& map) {
  Entries entries;
  absl::flat_hash_map<absl::string_view, const YamlNode*> seen;
  std::vector<const YamlNode*> merged;
  for (const auto& [key, value] : map.entries) {
    if (key->kind != YamlNode::Kind::kScalar) {
      Fail(*key, StrCat("expected a field name, found ", Describe(*key)));
    } else if (const auto [first, is_new] = seen.try_emplace(key->text, key); !is_new) {
      Fail(*key,
           StrCat("duplicate key '", key->text, "'; it is first at line ", first->second->line));
    } else if (key->text == "<<") {
      merged.push_back(value);
    } else {
      entries.emplace_back(key, value);
    }
  }
  for (const YamlNode* value : merged)
    Merge(*value, &seen, &entries);  // last, as what is there already wins
  return entries;
}

// https://yaml.org/type/merge.html
void Reader::Merge(const YamlNode& from,
                   absl::flat_hash_map<absl::string_view, const YamlNode*>* seen, Entries* into) {
  if (from.kind == YamlNode::Kind::kList) {
    for (const YamlNode* item : from.items) Merge(*item, seen, into);
  } else if (from.kind == YamlNode::Kind::kMap) {
    for (const auto& entry : EntriesOf(from)) {
      if (seen->try_emplace(entry.first->text, entry.first).second) into->push_back(entry);
    }
  } else {
    Fail(from, StrCat("'<<' merges maps, found ", Describe(from)));
  }
}

void Reader::Read(const YamlNode& node, Message* message) {
  places_->Set(*message, PlaceOf(node));
  const Descriptor* type = message->GetDescriptor();
  if (node.kind != YamlNode::Kind::kMap) {
    const std::string& short_form = RulesOf(*type).short_form();
    if (node.kind == YamlNode::Kind::kScalar && !short_form.empty()) {
      ReadField(node, type->FindFieldByName(short_form), message);
    } else {
      Fail(node, StrCat("expected a map, found ", Describe(node), MissingBlank(node)));
      places_->Set(*message, Bad(PlaceOf(node)));
    }
    return;
  }
  for (const auto& [key, value] : EntriesOf(node)) {
    const FieldDescriptor* field = type->FindFieldByName(key->text);
    Push(key->text);
    if (field != nullptr) {
      ReadField(*value, field, message);
    } else {
      Fail(*key,
           StrCat("unknown field", key->text.starts_with('-')
                                       ? "; a '-' that begins a list item is followed by a blank"
                                       : KnownFields(key->text, type)));
    }
    Pop();
  }
}

void Reader::ReadField(const YamlNode& node, const FieldDescriptor* field, Message* message) {
  const OneofDescriptor* oneof = field->real_containing_oneof();
  if (oneof != nullptr && message->GetReflection()->HasOneof(*message, oneof)) {
    const FieldDescriptor* other =
        message->GetReflection()->GetOneofFieldDescriptor(*message, oneof);
    Fail(node, StrCat("only one of '", other->name(), "' and '", field->name(), "' can be set"));
    return;
  }
  places_->Set(*message, field, -1, PlaceOf(node));
  if (field->is_repeated()) {
    ReadList(node, field, message);
  } else if (!ReadValue(node, field, -1, message)) {
    places_->Set(*message, field, -1, Bad(PlaceOf(node)));
  }
}

void Reader::ReadList(const YamlNode& node, const FieldDescriptor* field, Message* message) {
  if (node.kind == YamlNode::Kind::kMap && !RulesOf(*field).map_form().empty()) {
    ReadMapForm(node, field, message);
    return;
  }
  if (node.kind != YamlNode::Kind::kList) {
    WrongType(node, "a list");
    places_->Set(*message, field, -1, Bad(PlaceOf(node)));
    return;
  }
  for (size_t i = 0; i < node.items.size(); ++i) {
    const int index = message->GetReflection()->FieldSize(*message, field);
    Push(i);
    if (ReadValue(*node.items[i], field, index, message)) {
      places_->Set(*message, field, index, PlaceOf(*node.items[i], static_cast<int>(i)));
    }
    Pop();
  }
}

void Reader::ReadMapForm(const YamlNode& node, const FieldDescriptor* field, Message* message) {
  const std::pair<std::string, std::string> names = absl::StrSplit(RulesOf(*field).map_form(), ',');
  const Descriptor* type = field->message_type();
  int position = 0;
  for (const auto& [key, value] : EntriesOf(node)) {
    const int index = message->GetReflection()->FieldSize(*message, field);
    Message* element = Sub(field, message);
    Push(key->text);
    places_->Set(*element, PlaceOf(*key));
    places_->Set(*message, field, index, PlaceOf(*key, position++));
    ReadField(*key, type->FindFieldByName(names.first), element);
    ReadField(*value, type->FindFieldByName(names.second), element);
    Pop();
  }
}

bool Reader::ReadValue(const YamlNode& node, const FieldDescriptor* field, int index,
                       Message* message) {
  if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE)
    return ReadScalar(node, field, message);
  if (!IsDuration(*field)) {
    Read(node,
         Sub(field, message));  // what is no message at all leaves an empty one whose place is bad
    return true;
  }
  const std::optional<absl::Duration> duration =
      node.kind == YamlNode::Kind::kScalar ? ParseDuration(node.text) : std::nullopt;
  if (!duration.has_value()) return WrongType(node, "a duration such as 250ms, 15s, 10m or 24h");
  assert(index == -1);  // the schema has no lists of durations
  SetDuration(*duration, static_cast<google::protobuf::Duration*>(Sub(field, message)));
  return true;
}

bool Reader::ReadScalar(const YamlNode& node, const FieldDescriptor* field, Message* message) {
  const Reflection* reflection = message->GetReflection();
  const auto put = [&](auto set, auto add, auto value) {
    field->is_repeated() ? (reflection->*add)(message, field, value)
                         : (reflection->*set)(message, field, value);
    return true;
  };
  const bool is_scalar = node.kind == YamlNode::Kind::kScalar;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      if (!is_scalar) return WrongType(node, "text");
      return put(&Reflection::SetString, &Reflection::AddString, node.text);
    case FieldDescriptor::CPPTYPE_BOOL: {
      const bool yes = absl::EqualsIgnoreCase(node.text, "true");
      if (!is_scalar || !node.plain || (!yes && !absl::EqualsIgnoreCase(node.text, "false"))) {
        return WrongType(node, "true or false");
      }
      return put(&Reflection::SetBool, &Reflection::AddBool, yes);
    }
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64: {
      const bool size = RulesOf(*field).format() == v1::FieldRules::SIZE;
      // A bare number is a size, too; quotes or a unit make it something else.
      const bool is_number =
          size || (node.plain && !node.text.empty() && absl::ascii_isdigit(node.text.back()));
      const std::optional<uint64_t> number =
          is_scalar && is_number ? ParseSize(node.text) : std::nullopt;
      if (!number.has_value()) {
        return WrongType(
            node, size ? "a size such as 64KiB, 8MiB or a number of bytes" : "a whole number");
      }
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_UINT64) {
        return put(&Reflection::SetUInt64, &Reflection::AddUInt64, *number);
      }
      if (*number > UINT32_MAX) return Fail(node, StrCat("must be at most ", UINT32_MAX));
      return put(&Reflection::SetUInt32, &Reflection::AddUInt32, static_cast<uint32_t>(*number));
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      const EnumValueDescriptor* value =
          is_scalar ? FindEnumValue(field->enum_type(), node.text) : nullptr;
      if (value == nullptr) {
        const std::vector<std::string> names = EnumNames(field->enum_type());
        return WrongType(node,
                         StrCat(names.size() == 1 ? "" : "one of ", absl::StrJoin(names, ", ")));
      }
      return put(&Reflection::SetEnum, &Reflection::AddEnum, value);
    }
    default:
      assert(false);  // the schema uses no other type
      return false;
  }
}

Message* Reader::Sub(const FieldDescriptor* field, Message* message) {
  const Reflection* reflection = message->GetReflection();
  return field->is_repeated() ? reflection->AddMessage(message, field)
                              : reflection->MutableMessage(message, field);
}

}  // namespace

void ReadMessage(const YamlNode& root, const std::string& file, Message* message, PlaceMap* places,
                 DiagnosticList* diagnostics) {
  Reader(file, places, diagnostics).Read(root, message);
}

}  // namespace pillion::config
