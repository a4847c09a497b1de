// A subscription of the policy, compiled: which topics it takes, and the delivery that each message
// on one of them becomes.

#ifndef PILLION_SIDECAR_ACTIONS_SUBSCRIPTION_H_
#define PILLION_SIDECAR_ACTIONS_SUBSCRIPTION_H_

#include <memory>
#include <string>

#include "core/routing/topic.h"
#include "sidecar/delivery/model.h"

namespace pillion::config::v1 {
class EmbeddedBroker;
class Subscription;
}  // namespace pillion::config::v1

namespace pillion::sidecar {

// Immutable; lives as long as the snapshot.
struct SubscriptionConfig {
  std::string broker;
  routing::TopicPattern pattern;
  bool order_by_key;
  delivery::NewDelivery delivery;  // without an ordering key
};

// `broker` is the one that the subscription names.
std::unique_ptr<const SubscriptionConfig> CompileSubscription(
    const config::v1::Subscription& config, const config::v1::EmbeddedBroker& broker);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_SUBSCRIPTION_H_
