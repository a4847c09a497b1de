#include "core/config/printer.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include <cassert>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/config/rules.h"
#include "core/strings.h"

namespace pillion::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// True if `text` needs no quotes anywhere in block or flow context, and cannot be taken for another
// type.
bool IsPlain(std::string_view text) {
  if (text.empty() ||
      !(absl::ascii_isalnum(text.front()) || text.front() == '/' || text.front() == '_'))
    return false;
  for (const char c : text) {
    if (!absl::ascii_isalnum(c) && std::string_view("_-./:+").find(c) == std::string_view::npos)
      return false;
  }
  if (text.back() == ':') return false;
  for (std::string_view reserved : {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}) {
    if (absl::EqualsIgnoreCase(ToAbsl(text), ToAbsl(reserved))) return false;
  }
  return text.find_first_not_of("0123456789.eE+-_xX:") != std::string_view::npos;  // a number
}

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      default:
        if (absl::ascii_iscntrl(c)) {
          absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned char>(c));
        } else {
          out += c;
        }
    }
  }
  return out + "\"";
}

std::string Scalar(const Message& message, const FieldDescriptor& field, int index) {
  const std::string text = ValueText(message, field, index);
  return field.cpp_type() != FieldDescriptor::CPPTYPE_STRING || IsPlain(text) ? text : Quoted(text);
}

class YamlPrinter {
 public:
  // Prints the fields at `indent`; the first line is continued where the caller left off.
  void Fields(const Message& message, int indent);
  bool empty() const { return out_.empty(); }
  std::string Take() { return std::move(out_); }

 private:
  void Field(const Message& message, const FieldDescriptor& field, int indent);
  void List(const Message& message, const FieldDescriptor& field, int indent);
  // "{}" for a message without fields, else the fields on lines of their own.
  void Sub(const Message& message, int indent);

  std::string out_;
};

std::vector<const FieldDescriptor*> SetFields(const Message& message) {
  std::vector<const FieldDescriptor*>
      fields;  // in the order of the schema, which ListFields does not keep
  const Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    if (IsSet(message, *type.field(i))) fields.push_back(type.field(i));
  }
  return fields;
}

void YamlPrinter::Fields(const Message& message, int indent) {
  bool first = true;
  for (const FieldDescriptor* field : SetFields(message)) {
    if (!first) out_.append(indent, ' ');
    first = false;
    StrAppend(&out_, field->name(), ":");
    Field(message, *field, indent);
  }
}

void YamlPrinter::Field(const Message& message, const FieldDescriptor& field, int indent) {
  if (field.is_repeated()) {
    List(message, field, indent);
  } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsDuration(field)) {
    Sub(message.GetReflection()->GetMessage(message, &field), indent + 2);
  } else {
    StrAppend(&out_, " ", Scalar(message, field, -1), "\n");
  }
}

void YamlPrinter::Sub(const Message& message, int indent) {
  if (SetFields(message).empty()) {
    out_ += " {}\n";
    return;
  }
  out_ += '\n';
  out_.append(indent, ' ');
  Fields(message, indent);
}

void YamlPrinter::List(const Message& message, const FieldDescriptor& field, int indent) {
  const Reflection& reflection = *message.GetReflection();
  const int size = reflection.FieldSize(message, &field);
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    std::vector<std::string> items;
    for (int i = 0; i < size; ++i) items.push_back(Scalar(message, field, i));
    StrAppend(&out_, " [", absl::StrJoin(items, ", "), "]\n");
    return;
  }
  out_ += '\n';
  for (int i = 0; i < size; ++i) {
    const Message& element = reflection.GetRepeatedMessage(message, &field, i);
    out_.append(indent, ' ');
    out_ += "- ";
    if (SetFields(element).empty()) {
      out_ += "{}\n";
    } else {
      Fields(element, indent + 2);
    }
  }
}

}  // namespace

std::string ToYaml(const Message& message, int indent) {
  YamlPrinter printer;
  printer.Fields(message, indent);
  return printer.empty() ? "" : std::string(indent, ' ') + printer.Take();
}

std::string ToJson(const Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  assert(status.ok());  // fails only for Any and for durations out of range, which nothing here has
  return json;
}

}  // namespace pillion::config
