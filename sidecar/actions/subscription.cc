#include "sidecar/actions/subscription.h"

#include "core/config/units.h"
#include "pillion/config/v1/policy.pb.h"
#include "pillion/store/v1/attempt_spec.pb.h"

namespace pillion::sidecar {

std::unique_ptr<const SubscriptionConfig> CompileSubscription(
    const config::v1::Subscription& config, const config::v1::EmbeddedBroker& broker) {
  store::v1::AttemptSpec attempt;
  attempt.set_path(config.path());
  attempt.set_structured(config.content_mode() == config::v1::Subscription::STRUCTURED);
  attempt.set_without_payload(config.payload() != config::v1::FULL);

  delivery::NewDelivery delivery;
  delivery.target = {delivery::TargetKind::kSubscription, config.name()};
  delivery.cluster = config.cluster();
  delivery.max_backlog = {static_cast<int64_t>(config.max_pending()),
                          static_cast<int64_t>(config.max_pending_bytes())};
  delivery::DeliverySpec& spec = delivery.spec;
  spec.extra = attempt.SerializeAsString();
  const config::v1::RetryBackOff& back_off = config.retry_policy().retry_back_off();
  spec.retry.num_retries = static_cast<int>(config.retry_policy().num_retries());
  spec.retry.base_interval = config::ToAbslDuration(back_off.base_interval());
  spec.retry.max_interval = config::ToAbslDuration(back_off.max_interval());
  spec.attempt_timeout = config::ToAbslDuration(config.timeout());
  spec.retention = config::ToAbslDuration(broker.message_retention());
  spec.dead_letter_retention = config::ToAbslDuration(broker.dead_letter_retention());
  spec.concurrency = static_cast<int>(config.concurrency());
  return std::make_unique<SubscriptionConfig>(
      SubscriptionConfig{config.broker(), routing::TopicPattern(config.topic()),
                         config.order_by_key(), std::move(delivery)});
}

}  // namespace pillion::sidecar
