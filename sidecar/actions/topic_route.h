// Where the messages of a topic go: resolved once, when a policy is compiled.

#ifndef PILLION_SIDECAR_ACTIONS_TOPIC_ROUTE_H_
#define PILLION_SIDECAR_ACTIONS_TOPIC_ROUTE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "sidecar/actions/action.h"
#include "sidecar/actions/cloud_event.h"
#include "sidecar/delivery/engine.h"
#include "sidecar/delivery/requests.h"

namespace pillion::sidecar {

// Immutable; lives as long as the snapshot.
class TopicRoute {
 public:
  // The subscriptions of `broker` whose pattern takes `topic`.
  TopicRoute(std::string topic, std::string_view broker, const CompileContext& context);

  // The message with one delivery per subscription. `key` is the ordering key; empty: none.
  delivery::AcceptRequest NewMessage(delivery::MessageKind kind, const CloudEvent& event,
                                     std::string body, std::string_view key) const;

  // Engine::CheckRoom, of all its subscriptions.
  absl::Status CheckRoom(delivery::Engine& engine) const;

  const std::string& topic() const { return topic_; }

 private:
  const std::string topic_;
  absl::Duration retention_;  // of a message that nobody subscribes to
  std::vector<const SubscriptionConfig*> subscriptions_;
};

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_TOPIC_ROUTE_H_
