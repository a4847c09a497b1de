#include "core/config/checker.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <cassert>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "core/config/format.h"
#include "core/config/rules.h"
#include "core/config/suggest.h"
#include "core/config/units.h"
#include "core/strings.h"

namespace pillion::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;
using v1::FieldRules;

// Looking for similar names costs time that a policy full of mistakes is not worth.
constexpr size_t kMaxSuggestions = 100;

// Something that the file says about a name.
struct NameUse {
  FieldRules::Kind kind;
  std::string name;
  Diagnostic where;  // without a message
};

// False for what no YAML says but a peer could send.
bool IsValidDuration(const Message& message) {
  const auto& duration = static_cast<const google::protobuf::Duration&>(message);
  return duration.nanos() >= 0 && duration.nanos() < 1'000'000'000 && duration.seconds() >= 0 &&
         absl::Seconds(duration.seconds()) <= kMaxDuration;
}

class Checker {
 public:
  Checker(const PlaceMap& places, DiagnosticList* errors, DiagnosticList* warnings)
      : places_(places), errors_(errors), warnings_(warnings) {}

  void Walk(const Message& message);
  void CheckReferences();

 private:
  void CheckField(const Message& message, const FieldDescriptor& field);
  void CheckValue(const Message& message, const FieldDescriptor& field, int index);
  void CheckText(const Message& message, const FieldDescriptor& field, int index,
                 const std::string& text);
  void CheckRange(const Message& message, const FieldDescriptor& field, int index);
  void CheckBelow(const Message& message, const FieldDescriptor& field);
  void CheckPresence(const Message& message, const FieldDescriptor& field);
  // nullopt: there is no condition, or nobody can know because the field that it is about is bad.
  std::optional<bool> ConditionHolds(std::string_view condition, const Message& message) const;
  void CheckGroups(const Message& message);
  void CheckUniqueElements(const Message& message, const FieldDescriptor& list);
  void CheckUniqueInElements(const Message& message, const FieldDescriptor& list);
  void CheckPositiveSum(const Message& message, const FieldDescriptor& list);
  void Define(FieldRules::Kind kind, const std::string& text, Diagnostic where);
  void WalkInto(const Message& sub, const FieldDescriptor& field, int index, const Place* place);

  // True if the files say something about the field, right or wrong.
  bool IsWritten(const Message& message, const FieldDescriptor& field) const {
    return IsSet(message, field) || places_.Find(message, &field) != nullptr;
  }

  // True for what is written `[]`.
  bool IsEmptyList(const Message& message, const FieldDescriptor& field) const {
    return field.is_repeated() && IsWritten(message, field) && !IsSet(message, field) &&
           !IsBad(message, field);
  }

  bool IsBad(const Message& message, const FieldDescriptor& field) const {
    const Place* place = places_.Find(message, &field);
    return place != nullptr && place->bad;
  }

  // The place and path of the message, of a field in it or of an element of a list.
  Diagnostic At(const Message& message, const FieldDescriptor* field = nullptr,
                int index = -1) const;
  void Error(Diagnostic where, std::string what) {
    Report(std::move(where), std::move(what), errors_);
  }
  static void Report(Diagnostic where, std::string what, DiagnosticList* to) {
    where.message = std::move(what);
    to->Add(std::move(where));
  }
  static std::string Segment(const FieldDescriptor& field, int index) {
    return index < 0 ? field.name() : StrCat(field.name(), "[", index, "]");
  }

  const PlaceMap& places_;
  DiagnosticList* const errors_;
  DiagnosticList* const warnings_;
  std::vector<std::string> path_;
  std::map<std::pair<FieldRules::Kind, std::string>, Diagnostic> defined_;
  std::vector<NameUse> references_;
};

Diagnostic Checker::At(const Message& message, const FieldDescriptor* field, int index) const {
  const Place* place = places_.Find(message, field, index);
  int shown_index = index;
  if (place != nullptr && index >= 0) shown_index = place->index;
  if (place == nullptr && index >= 0) place = places_.Find(message, field);
  if (place == nullptr) place = places_.Find(message);
  Diagnostic where;
  if (place != nullptr) {
    where.file = *place->file;
    where.line = place->line;
    where.column = place->column;
  }
  where.path = absl::StrJoin(path_, ".");
  if (field != nullptr)
    StrAppend(&where.path, path_.empty() ? "" : ".", Segment(*field, shown_index));
  return where;
}

void Checker::Walk(const Message& message) {
  const Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) CheckField(message, *type.field(i));
  CheckGroups(message);
}

void Checker::CheckField(const Message& message, const FieldDescriptor& field) {
  CheckPresence(message, field);
  if (IsBad(message, field)) return;
  const Place* place = places_.Find(message, &field);
  const Reflection& reflection = *message.GetReflection();
  if (!field.is_repeated()) {
    if (!IsWritten(message, field)) return;
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsDuration(field)) {
      WalkInto(reflection.GetMessage(message, &field), field, -1, place);
    } else {
      CheckValue(message, field, -1);
    }
    return;
  }
  const int size = reflection.FieldSize(message, &field);
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    for (int i = 0; i < size; ++i) CheckValue(message, field, i);
    if (RulesOf(field).unique()) CheckUniqueElements(message, field);
    return;
  }
  for (int i = 0; i < size; ++i) {
    WalkInto(reflection.GetRepeatedMessage(message, &field, i), field, i,
             places_.Find(message, &field, i));
  }
  CheckUniqueInElements(message, field);
  if (size > 0 && !RulesOf(field).positive_sum().empty()) CheckPositiveSum(message, field);
}

void Checker::WalkInto(const Message& sub, const FieldDescriptor& field, int index,
                       const Place* place) {
  const Place* own = places_.Find(sub);
  if (own != nullptr && own->bad) return;
  path_.push_back(Segment(field, place != nullptr && index >= 0 ? place->index : index));
  Walk(sub);
  path_.pop_back();
}

void Checker::CheckPresence(const Message& message, const FieldDescriptor& field) {
  const FieldRules& rules = RulesOf(field);
  const bool in_oneof = field.real_containing_oneof() != nullptr;
  if (!IsWritten(message, field)) {
    if (rules.required() && !in_oneof) {
      Error(At(message, &field), "required field is missing");
    } else if (ConditionHolds(rules.required_if(), message).value_or(false)) {
      Error(At(message, &field),
            StrCat("required field is missing (because of '", rules.required_if(), "')"));
    }
    return;
  }
  if (!ConditionHolds(rules.only_if(), message).value_or(true)) {
    Error(At(message, &field), StrCat("makes sense only with '", rules.only_if(), "'"));
  }
  if ((rules.required() || rules.nonempty()) && IsEmptyList(message, field)) {
    Error(At(message, &field), "must not be empty");
  }
}

std::optional<bool> Checker::ConditionHolds(std::string_view condition,
                                            const Message& message) const {
  if (condition.empty()) return std::nullopt;
  const std::string_view sibling = condition.substr(0, condition.find('='));
  if (IsBad(message, *FieldsNamed(*message.GetDescriptor(), sibling).front())) return std::nullopt;
  return Holds(condition, message);
}

void Checker::CheckGroups(const Message& message) {
  const Descriptor& type = *message.GetDescriptor();
  const auto names = [](const std::vector<const FieldDescriptor*>& fields) {
    return absl::StrJoin(fields, ", ", [](std::string* out, const FieldDescriptor* field) {
      *out += field->name();
    });
  };
  // An empty list is nothing that one could go by.
  const auto count_written = [&](const std::vector<const FieldDescriptor*>& fields) {
    return std::count_if(fields.begin(), fields.end(), [&](const auto* field) {
      return IsWritten(message, *field) && !IsEmptyList(message, *field);
    });
  };
  for (int i = 0; i < type.real_oneof_decl_count(); ++i) {
    const OneofDescriptor& oneof = *type.oneof_decl(i);
    if (!oneof.options().GetExtension(v1::oneof_rules).required()) continue;
    std::vector<const FieldDescriptor*> fields;
    for (int j = 0; j < oneof.field_count(); ++j) fields.push_back(oneof.field(j));
    if (count_written(fields) > 0) continue;
    Error(At(message), fields.size() == 1 ? StrCat("'", names(fields), "' is required")
                                          : StrCat("one of ", names(fields), " is required"));
  }
  for (const std::string& group : RulesOf(type).exactly_one_of()) {
    const auto fields = FieldsNamed(type, group);
    if (count_written(fields) != 1)
      Error(At(message), StrCat("exactly one of ", names(fields), " is required"));
  }
  for (const std::string& group : RulesOf(type).at_most_one_of()) {
    const auto fields = FieldsNamed(type, group);
    if (count_written(fields) > 1)
      Error(At(message), StrCat("only one of ", names(fields), " can be set"));
  }
}

void Checker::CheckValue(const Message& message, const FieldDescriptor& field, int index) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    CheckText(message, field, index, ValueText(message, field, index));
  } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    const std::string name = ValueText(message, field, index);
    if (field.enum_type()->FindValueByName(name) == nullptr) {
      Error(At(message, &field, index), StrCat("unknown value ", name));
    }
  } else {
    CheckRange(message, field, index);
  }
}

void Checker::CheckText(const Message& message, const FieldDescriptor& field, int index,
                        const std::string& text) {
  const FieldRules& rules = RulesOf(field);
  Diagnostic where = At(message, &field, index);
  const bool names_something =
      rules.defines() != FieldRules::NO_KIND || rules.refers_to() != FieldRules::NO_KIND;
  if (text.empty() && (rules.required() || names_something || field.is_repeated())) {
    Error(std::move(where), "must not be empty");
    return;
  }
  if (std::string wrong = CheckFormat(rules.format(), text); !wrong.empty()) {
    Error(where, std::move(wrong));
  } else if (rules.loopback_expected() && !IsLoopback(text)) {
    Report(
        where,
        StrCat("'", text, "' can be reached from other machines, and nothing there asks who calls"),
        warnings_);
  }
  if (!rules.rewrite_of().empty()) {
    const FieldDescriptor& pattern =
        *FieldsNamed(*message.GetDescriptor(), rules.rewrite_of()).front();
    std::string wrong = CheckRewrite(ValueText(message, pattern), text);
    if (!wrong.empty()) Error(where, StrCat("does not suit '", pattern.name(), "': ", wrong));
  }
  if (rules.defines() != FieldRules::NO_KIND) Define(rules.defines(), text, std::move(where));
  if (rules.refers_to() != FieldRules::NO_KIND)
    references_.push_back({rules.refers_to(), text, std::move(where)});
}

void Checker::CheckRange(const Message& message, const FieldDescriptor& field, int index) {
  const FieldRules& rules = RulesOf(field);
  const Reflection& reflection = *message.GetReflection();
  if (IsDuration(field) && !IsValidDuration(reflection.GetMessage(message, &field))) {
    Error(At(message, &field), "not a duration, or too long");
    return;
  }
  const auto compare = [&](const std::string& bound) -> int {  // as strcmp does
    if (IsDuration(field)) {
      const absl::Duration value = ToAbslDuration(
          static_cast<const google::protobuf::Duration&>(reflection.GetMessage(message, &field)));
      const absl::Duration limit = *ParseDuration(bound);
      return value < limit ? -1 : value > limit ? 1 : 0;
    }
    uint64_t value;
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT32) {
      value = index < 0 ? reflection.GetUInt32(message, &field)
                        : reflection.GetRepeatedUInt32(message, &field, index);
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64) {
      value = index < 0 ? reflection.GetUInt64(message, &field)
                        : reflection.GetRepeatedUInt64(message, &field, index);
    } else {
      return 0;
    }
    const uint64_t limit = *ParseSize(bound);
    return value < limit ? -1 : value > limit ? 1 : 0;
  };
  if (!rules.min().empty() && compare(rules.min()) < 0) {
    Error(At(message, &field, index), StrCat("must be at least ", rules.min()));
  }
  if (!rules.max().empty() && compare(rules.max()) > 0) {
    Error(At(message, &field, index), StrCat("must be at most ", rules.max()));
  }
  if (!rules.below().empty()) CheckBelow(message, field);
}

void Checker::CheckBelow(const Message& message, const FieldDescriptor& field) {
  const FieldDescriptor& sibling =
      *FieldsNamed(*message.GetDescriptor(), RulesOf(field).below()).front();
  if (IsBad(message, sibling)) return;
  const auto value = [&](const FieldDescriptor& of) {
    return ToAbslDuration(static_cast<const google::protobuf::Duration&>(
        message.GetReflection()->GetMessage(message, &of)));
  };
  const absl::Duration limit =
      IsSet(message, sibling) ? value(sibling) : *ParseDuration(RulesOf(sibling).default_value());
  if (value(field) < limit) return;
  Error(At(message, &field),
        StrCat("must be below '", sibling.name(), "', which is ", DurationText(limit)));
}

void Checker::CheckUniqueElements(const Message& message, const FieldDescriptor& list) {
  std::set<std::string> seen;
  const int size = message.GetReflection()->FieldSize(message, &list);
  for (int i = 0; i < size; ++i) {
    const std::string text = ValueText(message, list, i);
    if (!seen.insert(text).second)
      Error(At(message, &list, i), StrCat("'", text, "' is in the list twice"));
  }
}

void Checker::CheckUniqueInElements(const Message& message, const FieldDescriptor& list) {
  const Reflection& reflection = *message.GetReflection();
  const Descriptor& type = *list.message_type();
  for (int f = 0; f < type.field_count(); ++f) {
    const FieldDescriptor& field = *type.field(f);
    if (!RulesOf(field).unique() || field.is_repeated()) continue;
    std::set<std::string> seen;
    for (int i = 0; i < reflection.FieldSize(message, &list); ++i) {
      const Message& element = reflection.GetRepeatedMessage(message, &list, i);
      const std::string text = ValueText(element, field);
      if (text.empty() || seen.insert(text).second) continue;
      const Place* place = places_.Find(message, &list, i);
      path_.push_back(Segment(list, place != nullptr ? place->index : i));
      Error(At(element, &field), StrCat("'", text, "' is in '", list.name(), "' twice"));
      path_.pop_back();
    }
  }
}

void Checker::CheckPositiveSum(const Message& message, const FieldDescriptor& list) {
  const Reflection& reflection = *message.GetReflection();
  const FieldDescriptor& field =
      *FieldsNamed(*list.message_type(), RulesOf(list).positive_sum()).front();
  for (int i = 0; i < reflection.FieldSize(message, &list); ++i) {
    const Message& element = reflection.GetRepeatedMessage(message, &list, i);
    // Not set means the default, which is not 0; bad has been reported.
    if (!IsSet(element, field) || ValueText(element, field) != "0") return;
  }
  Error(At(message, &list), StrCat("every '", field.name(), "' is 0"));
}

void Checker::Define(FieldRules::Kind kind, const std::string& text, Diagnostic where) {
  const std::string name =
      kind == FieldRules::DOMAIN_NAME ? absl::AsciiStrToLower(ToAbsl(text)) : text;
  const auto [first, is_new] = defined_.try_emplace({kind, name}, where);
  if (is_new) return;
  const Diagnostic& other = first->second;
  Error(std::move(where),
        StrCat("duplicate ", RulesOf(kind).noun(), " '", text, "'; the first is at ",
               other.line > 0 ? StrCat(other.file, ":", other.line) : other.path));
}

void Checker::CheckReferences() {
  absl::flat_hash_map<int, std::vector<std::string_view>> names;
  for (const auto& [key, where] : defined_) names[key.first].push_back(key.second);
  size_t suggestions = 0;
  for (NameUse& use : references_) {
    const std::string& predefined = RulesOf(use.kind).predefined();
    if (use.name == predefined || defined_.contains({use.kind, use.name})) continue;
    std::string suggestion;
    if (suggestions++ < kMaxSuggestions) {
      std::vector<std::string_view> candidates = names[use.kind];
      candidates.push_back(predefined);
      suggestion = DidYouMean(use.name, candidates);
    }
    Error(std::move(use.where),
          StrCat("no ", RulesOf(use.kind).noun(), " '", use.name, "' is defined", suggestion));
  }
}

}  // namespace

void CheckMessage(const Message& message, const PlaceMap& places, const CheckOptions& options,
                  DiagnosticList* errors, DiagnosticList* warnings) {
  Checker checker(places, errors, warnings);
  checker.Walk(message);
  if (options.check_references) checker.CheckReferences();
}

}  // namespace pillion::config
