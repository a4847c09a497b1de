#include "core/config/defaults.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cassert>
#include <memory>
#include <mutex>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "core/config/diagnostic.h"
#include "core/config/reader.h"
#include "core/config/rules.h"
#include "core/config/yaml_tree.h"
#include "core/strings.h"

namespace pillion::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;
using google::protobuf::Reflection;

// Defaults that have been parsed, for the life of the process.
class DefaultCache {
 public:
  // A message of the field's containing type with nothing but the field set, to its default.
  const Message& Get(const FieldDescriptor& field) {
    std::lock_guard lock(mutex_);
    std::unique_ptr<const Message>& entry = entries_[&field];
    if (entry == nullptr) entry = Parse(field);
    return *entry;
  }

 private:
  static std::unique_ptr<const Message> Parse(const FieldDescriptor& field) {
    const std::string text = StrCat(field.name(), ": ", RulesOf(field).default_value());
    std::unique_ptr<Message> holder(
        MessageFactory::generated_factory()->GetPrototype(field.containing_type())->New());
    DiagnosticList mistakes;
    PlaceMap places;
    const std::unique_ptr<YamlTree> tree = YamlTree::Parse(text, field.full_name(), &mistakes);
    if (tree != nullptr)
      ReadMessage(tree->root(), field.full_name(), holder.get(), &places, &mistakes);
    assert(mistakes.size() == 0);  // the schema itself is wrong
    return holder;
  }

  std::mutex mutex_;
  // Guarded by mutex_.
  absl::flat_hash_map<const FieldDescriptor*, std::unique_ptr<const Message>> entries_;
};

const Message& DefaultOf(const FieldDescriptor& field) {
  static DefaultCache& cache = *new DefaultCache;
  return cache.Get(field);
}

// Fills what `message` leaves out with what `defaults`, of the same type, says.
void FillFrom(const Message& defaults, Message* message) {
  std::unique_ptr<Message> merged(defaults.New());
  merged->CopyFrom(defaults);
  const Reflection& reflection = *message->GetReflection();
  const Descriptor& type = *message->GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    // Set lists and durations replace rather than extend those of the default.
    if (IsSet(*message, *type.field(i))) reflection.ClearField(merged.get(), type.field(i));
  }
  merged->MergeFrom(*message);
  reflection.Swap(message, merged.get());
}

}  // namespace

void ApplyDefaults(Message* message) {
  const Reflection& reflection = *message->GetReflection();
  const Descriptor& type = *message->GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const bool has_default = !RulesOf(field).default_value().empty();
    const bool is_message =
        field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsDuration(field);
    if (has_default && !IsSet(*message, field)) {
      message->MergeFrom(DefaultOf(field));
    } else if (has_default && is_message && !field.is_repeated()) {
      const Message& holder = DefaultOf(field);
      FillFrom(reflection.GetMessage(holder, &field), reflection.MutableMessage(message, &field));
    }
    if (!is_message) continue;
    if (field.is_repeated()) {
      for (int j = 0; j < reflection.FieldSize(*message, &field); ++j) {
        ApplyDefaults(reflection.MutableRepeatedMessage(message, &field, j));
      }
    } else if (reflection.HasField(*message, &field)) {
      ApplyDefaults(reflection.MutableMessage(message, &field));
    }
  }
}

}  // namespace pillion::config
