#include "core/config/doubts.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>
#include <string_view>
#include <utility>

#include "core/config/hidden_routes.h"
#include "core/config/rules.h"
#include "core/config/suggest.h"
#include "core/routing/topic.h"
#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// More comparisons of topics with patterns than this are not worth a warning.
constexpr size_t kMaxComparisons = 1'000'000;

Diagnostic At(const Place* place, std::string path, std::string message) {
  Diagnostic diagnostic{.path = std::move(path), .message = std::move(message)};
  if (place != nullptr) {
    diagnostic.file = *place->file;
    diagnostic.line = place->line;
    diagnostic.column = place->column;
  }
  return diagnostic;
}

void FindHidden(const v1::Policy& policy, const PlaceMap& places, DiagnosticList* warnings) {
  const FieldDescriptor* hosts_field =
      policy.GetDescriptor()->FindFieldByNumber(v1::Policy::kVirtualHostsFieldNumber);
  const FieldDescriptor* routes_field =
      v1::VirtualHost::descriptor()->FindFieldByNumber(v1::VirtualHost::kRoutesFieldNumber);
  for (int i = 0; i < policy.virtual_hosts_size(); ++i) {
    const v1::VirtualHost& host = policy.virtual_hosts(i);
    const Place* host_place = places.Find(policy, hosts_field, i);
    for (const HiddenRoute& hidden : FindHiddenRoutes(host)) {
      const std::string& name = host.routes(hidden.by).name();
      warnings->Add(At(
          places.Find(host, routes_field, hidden.route),
          StrCat("virtual_hosts[", host_place != nullptr ? host_place->index : i, "].routes[",
                 hidden.route, "]"),
          StrCat("never gets a call: routes[", hidden.by, "]",
                 name.empty() ? "" : StrCat(" '", name, "'"), " before it matches all of them")));
    }
  }
}

// A topic, or a pattern of topics, and the broker that carries it.
struct TopicUse {
  std::string broker;
  std::string text;
  Diagnostic where;
};

// All topics (or patterns) below `message`, found by their format.
void CollectTopics(const Message& message, v1::FieldRules::Format format, const PlaceMap& places,
                   const std::string& path, std::vector<TopicUse>* uses) {
  const Descriptor& type = *message.GetDescriptor();
  TopicUse use;
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const std::string here = path.empty() ? field.name() : StrCat(path, ".", field.name());
    const v1::FieldRules& rules = RulesOf(field);
    if (rules.refers_to() == v1::FieldRules::BROKER) {
      use.broker = IsSet(message, field) ? ValueText(message, field) : rules.default_value();
    } else if (rules.format() == format) {
      use.text = ValueText(message, field);
      use.where = At(places.Find(message, &field), here, "");
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && field.is_repeated()) {
      for (int j = 0; j < message.GetReflection()->FieldSize(message, &field); ++j) {
        const Place* place = places.Find(message, &field, j);
        CollectTopics(message.GetReflection()->GetRepeatedMessage(message, &field, j), format,
                      places, StrCat(here, "[", place != nullptr ? place->index : j, "]"), uses);
      }
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && IsSet(message, field)) {
      CollectTopics(message.GetReflection()->GetMessage(message, &field), format, places, here,
                    uses);
    }
  }
  if (!use.text.empty()) uses->push_back(std::move(use));
}

void FindLonelyTopics(const v1::Policy& policy, const PlaceMap& places, DiagnosticList* warnings) {
  std::vector<TopicUse> published;
  std::vector<TopicUse> subscribed;
  CollectTopics(policy, v1::FieldRules::TOPIC, places, "", &published);
  CollectTopics(policy, v1::FieldRules::TOPIC_PATTERN, places, "", &subscribed);
  if (published.size() * subscribed.size() > kMaxComparisons) return;
  std::vector<bool> received(published.size(), false);
  std::vector<std::string_view> topics;
  for (const TopicUse& use : published) topics.push_back(use.text);
  std::vector<std::string_view> patterns;
  for (TopicUse& use : subscribed) {
    patterns.push_back(use.text);
    const routing::TopicPattern pattern(use.text);
    bool matched = false;
    for (size_t i = 0; i < published.size(); ++i) {
      if (published[i].broker != use.broker || !pattern.Matches(published[i].text)) continue;
      matched = received[i] = true;
    }
    if (matched) continue;
    use.where.message =
        StrCat("no route publishes or emits a topic that '", use.text, "' matches on broker '",
               use.broker, "'", DidYouMean(use.text, topics));
    warnings->Add(std::move(use.where));
  }
  for (size_t i = 0; i < published.size(); ++i) {
    if (received[i]) continue;
    TopicUse& use = published[i];
    use.where.message = StrCat("no subscription takes topic '", use.text, "' from broker '",
                               use.broker, "'", DidYouMean(use.text, patterns));
    warnings->Add(std::move(use.where));
  }
}

}  // namespace

void FindDoubts(const v1::Policy& policy, const PlaceMap& places, DiagnosticList* warnings) {
  FindHidden(policy, places, warnings);
  FindLonelyTopics(policy, places, warnings);
}

}  // namespace pillion::config
