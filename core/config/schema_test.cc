// That the schema obeys its own rules.

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "absl/strings/str_split.h"
#include "core/config/checker.h"
#include "core/config/defaults.h"
#include "core/config/rules.h"
#include "core/config/units.h"
#include "pillion/config/v1/bootstrap.pb.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// Calls `visit` with every message type that can occur in the configuration.
void ForEachType(const std::function<void(const Descriptor&)>& visit) {
  std::set<const Descriptor*> seen;
  const std::function<void(const Descriptor&)> walk = [&](const Descriptor& type) {
    if (!seen.insert(&type).second) return;
    visit(type);
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsDuration(field))
        walk(*field.message_type());
    }
  };
  walk(*v1::Policy::descriptor());
  walk(*v1::SidecarBootstrap::descriptor());
  walk(*v1::ControlBootstrap::descriptor());
}

void ForEachField(const std::function<void(const FieldDescriptor&)>& visit) {
  ForEachType([&](const Descriptor& type) {
    for (int i = 0; i < type.field_count(); ++i) visit(*type.field(i));
  });
}

TEST(Schema, UsesOnlyTypesThatTheReaderKnows) {
  ForEachField([](const FieldDescriptor& field) {
    EXPECT_FALSE(field.is_map()) << field.full_name();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        EXPECT_EQ(field.type(), FieldDescriptor::TYPE_STRING) << field.full_name();
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
      case FieldDescriptor::CPPTYPE_UINT32:
      case FieldDescriptor::CPPTYPE_UINT64:
      case FieldDescriptor::CPPTYPE_ENUM:
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        EXPECT_FALSE(IsDuration(field) && field.is_repeated()) << field.full_name();
        break;
      default:
        ADD_FAILURE() << field.full_name() << " has a type that cannot be read from YAML";
    }
  });
}

TEST(Schema, GivesPresenceToEveryFieldWithADefault) {
  ForEachField([](const FieldDescriptor& field) {
    if (RulesOf(field).default_value().empty() || field.is_repeated()) return;
    EXPECT_TRUE(field.has_presence()) << field.full_name();
    EXPECT_EQ(field.real_containing_oneof(), nullptr) << field.full_name();
  });
}

TEST(Schema, LetsNobodyWriteAnEmptyListWhereNoneMeansSomethingElse) {
  ForEachType([](const Descriptor& type) {
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      if (!field.is_repeated()) {
        EXPECT_FALSE(RulesOf(field).nonempty()) << field.full_name();
        continue;
      }
      bool is_choice = !RulesOf(field).default_value().empty();
      for (const std::string& group : RulesOf(type).exactly_one_of()) {
        for (const FieldDescriptor* member : FieldsNamed(type, group)) {
          is_choice = is_choice || member == &field;
        }
      }
      EXPECT_TRUE(RulesOf(field).nonempty() || !is_choice) << field.full_name();
    }
  });
}

TEST(Schema, NamesOnlyFieldsThatExist) {
  ForEachType([](const Descriptor& type) {
    const auto exists = [&type](const std::string& name) {
      if (name.empty()) return;
      EXPECT_NE(type.FindFieldByName(name), nullptr) << type.full_name() << "." << name;
    };
    exists(RulesOf(type).short_form());
    for (const auto* groups : {&RulesOf(type).exactly_one_of(), &RulesOf(type).at_most_one_of()}) {
      for (const std::string& group : *groups) {
        for (const std::string& name : std::vector<std::string>(absl::StrSplit(group, ',')))
          exists(name);
      }
    }
    for (int i = 0; i < type.field_count(); ++i) {
      const v1::FieldRules& rules = RulesOf(*type.field(i));
      exists(rules.rewrite_of());
      exists(rules.only_if().substr(0, rules.only_if().find('=')));
      exists(rules.required_if().substr(0, rules.required_if().find('=')));
      if (!rules.positive_sum().empty()) {
        EXPECT_NE(type.field(i)->message_type()->FindFieldByName(rules.positive_sum()), nullptr);
      }
    }
  });
}

TEST(Schema, WritesBoundsInTheUnitOfTheField) {
  ForEachField([](const FieldDescriptor& field) {
    for (const std::string& bound : {RulesOf(field).min(), RulesOf(field).max()}) {
      if (bound.empty()) continue;
      EXPECT_TRUE(IsDuration(field) ? ParseDuration(bound).has_value()
                                    : ParseSize(bound).has_value())
          << field.full_name();
    }
  });
}

TEST(Schema, HasDefaultsThatObeyTheRules) {
  ForEachType([](const Descriptor& type) {
    std::unique_ptr<google::protobuf::Message> message(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(&type)->New());
    ApplyDefaults(message.get());
    DiagnosticList errors;
    DiagnosticList warnings;
    CheckMessage(*message, PlaceMap(), CheckOptions(), &errors, &warnings);
    for (const Diagnostic& error : errors.Take()) {
      // An empty message lacks what is required; nothing else may be wrong.
      EXPECT_NE(error.message.find("is required"), error.message.find("field is missing"))
          << type.full_name() << ": " << error.ToString();
    }
    EXPECT_EQ(warnings.size(), 0u) << type.full_name();
  });
}

}  // namespace
}  // namespace pillion::config
