#include "sidecar/actions/topic_route.h"

#include <utility>

#include "core/config/units.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/actions/subscription.h"

namespace pillion::sidecar {

TopicRoute::TopicRoute(std::string topic, std::string_view broker, const CompileContext& context)
    : topic_(std::move(topic)),
      retention_(config::ToAbslDuration(context.Broker(broker).message_retention())) {
  for (const std::unique_ptr<const SubscriptionConfig>& subscription : context.subscriptions) {
    if (subscription->broker == broker && subscription->pattern.Matches(topic_)) {
      subscriptions_.push_back(subscription.get());
    }
  }
}

delivery::AcceptRequest TopicRoute::NewMessage(delivery::MessageKind kind, const CloudEvent& event,
                                               std::string body, std::string_view key) const {
  delivery::AcceptRequest request;
  delivery::Message& message = request.message;
  message.kind = kind;
  message.topic = topic_;
  message.attributes = EncodeAttributes(event);
  message.body = std::move(body);
  message.retention = retention_;
  for (const SubscriptionConfig* subscription : subscriptions_) {
    delivery::NewDelivery& delivery = request.deliveries.emplace_back(subscription->delivery);
    if (subscription->order_by_key && !key.empty()) delivery.ordering_key = std::string(key);
  }
  return request;
}

absl::Status TopicRoute::CheckRoom(delivery::Engine& engine) const {
  for (const SubscriptionConfig* subscription : subscriptions_) {
    absl::Status full = engine.CheckRoom(subscription->delivery);
    if (!full.ok()) return full;
  }
  return absl::OkStatus();
}

}  // namespace pillion::sidecar
