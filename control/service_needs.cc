#include "control/service_needs.h"

#include <google/protobuf/message.h>

#include <algorithm>

#include "core/config/topic_pattern.h"
#include "core/discovery/resource_types.h"
#include "pillion/config/v1/annotations.pb.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::control {
namespace {

using config::v1::FieldRules;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

const FieldRules& RulesOf(const FieldDescriptor& field) {
  return field.options().GetExtension(config::v1::rules);
}

// The type of the resources that define names of `kind`; "" if the kind is not one of resources.
std::string TypeOfKind(FieldRules::Kind kind) {
  for (const discovery::ResourceType& type : discovery::ResourceTypes()) {
    if (type.list == nullptr) continue;
    if (RulesOf(*type.list->message_type()->FindFieldByName("name")).defines() == kind)
      return type.url;
  }
  return "";
}

std::vector<std::string> Texts(const Message& message, const FieldDescriptor& field) {
  const auto* reflection = message.GetReflection();
  if (!field.is_repeated()) return {reflection->GetString(message, &field)};
  std::vector<std::string> texts;
  for (int i = 0; i < reflection->FieldSize(message, &field); ++i) {
    texts.push_back(reflection->GetRepeatedString(message, &field, i));
  }
  return texts;
}

// The name of the broker in the same message that carries its topics.
std::string BrokerIn(const Message& message, const std::vector<const FieldDescriptor*>& fields) {
  for (const FieldDescriptor* field : fields) {
    if (RulesOf(*field).refers_to() == FieldRules::BROKER) return Texts(message, *field).front();
  }
  return "";
}

// Calls `visit(message, field, fields)` for every field that is set, at any depth.
template <typename Visit>
void Walk(const Message& message, const Visit& visit) {
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    visit(message, *field, fields);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      Walk(reflection->GetMessage(message, field), visit);
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      Walk(reflection->GetRepeatedMessage(message, field, i), visit);
    }
  }
}

std::string UrlOf(int list_of_policy) {
  const auto* list = config::v1::Policy::descriptor()->FindFieldByNumber(list_of_policy);
  for (const auto& type : discovery::ResourceTypes()) {
    if (type.list == list) return type.url;
  }
  return "";
}

}  // namespace

ServiceNeeds::ServiceNeeds(const config::v1::Policy& policy) {
  const auto* reflection = policy.GetReflection();
  for (const discovery::ResourceType& type : discovery::ResourceTypes()) {
    if (type.list == nullptr) continue;
    for (int i = 0; i < reflection->FieldSize(policy, type.list); ++i) {
      const Message& message = reflection->GetRepeatedMessage(policy, type.list, i);
      Item item;
      Walk(message, [&](const Message& in, const FieldDescriptor& field, const auto& fields) {
        const FieldRules& rules = RulesOf(field);
        const std::string referred = TypeOfKind(rules.refers_to());
        if (rules.refers_to() != FieldRules::NO_KIND && !referred.empty()) {
          for (std::string& name : Texts(in, field))
            item.refers_to.emplace_back(referred, std::move(name));
        }
        if (rules.format() == FieldRules::TOPIC) {
          for (std::string& topic : Texts(in, field))
            item.publishes.emplace_back(BrokerIn(in, fields), std::move(topic));
        }
      });
      items_[{type.url,
              Texts(message, *message.GetDescriptor()->FindFieldByName("name")).front()}] =
          std::move(item);
    }
  }
  for (const auto& host : policy.virtual_hosts()) {
    hosts_.push_back({host.name(), {host.source_services().begin(), host.source_services().end()}});
  }
  for (const auto& subscription : policy.subscriptions()) {
    subscriptions_.push_back({subscription.name(), subscription.broker(), subscription.topic()});
  }
}

ServiceNeeds::Names ServiceNeeds::Of(const std::string& service) const {
  static const std::string host_url = UrlOf(config::v1::Policy::kVirtualHostsFieldNumber);
  static const std::string subscription_url = UrlOf(config::v1::Policy::kSubscriptionsFieldNumber);
  Names names;
  std::set<std::pair<std::string, std::string>> published;
  for (const Host& host : hosts_) {
    if (!host.source_services.empty() && host.source_services.count(service) == 0) continue;
    Add(host_url, host.name, names);
    const Item& item = items_.at({host_url, host.name});
    published.insert(item.publishes.begin(), item.publishes.end());
  }
  for (const Subscription& subscription : subscriptions_) {
    const bool wanted =
        std::any_of(published.begin(), published.end(), [&](const auto& broker_and_topic) {
          return broker_and_topic.first == subscription.broker &&
                 config::TopicMatches(subscription.topic_pattern, broker_and_topic.second);
        });
    if (wanted) Add(subscription_url, subscription.name, names);
  }
  return names;
}

// Adds the resource and what it refers to, at any distance. Names that nothing defines ("embedded")
// are left out.
void ServiceNeeds::Add(const std::string& type_url, const std::string& name, Names& names) const {
  const auto item = items_.find({type_url, name});
  if (item == items_.end() || !names[type_url].insert(name).second) return;
  for (const auto& [url, referred] : item->second.refers_to) Add(url, referred, names);
}

}  // namespace pillion::control
