#include "sidecar/delivery/model.h"

#include <algorithm>
#include <array>

namespace pillion::delivery {
namespace {

constexpr std::string_view kTo = " -> ";

struct NamedState {
  DeliveryState state;
  std::string_view name;
};

constexpr std::array<NamedState, 6> kStates = {{
    {DeliveryState::kPending, "pending"},
    {DeliveryState::kRunning, "running"},
    {DeliveryState::kSucceeded, "succeeded"},
    {DeliveryState::kFailed, "failed"},
    {DeliveryState::kCanceled, "canceled"},
    {DeliveryState::kExpired, "expired"},
}};

}  // namespace

std::string_view DeliveryStateName(DeliveryState state) {
  for (const NamedState& named : kStates) {
    if (named.state == state) return named.name;
  }
  return "unknown";
}

std::optional<DeliveryState> ParseDeliveryState(std::string_view name) {
  for (const NamedState& named : kStates) {
    if (named.name == name) return named.state;
  }
  return std::nullopt;
}

Target CallbackTarget(std::string_view route, std::string_view cluster) {
  Target target{TargetKind::kCallback, std::string(route)};
  target.name.append(kTo).append(cluster);
  return target;
}

std::string_view RouteOfCallback(const Target& target, std::string_view cluster) {
  std::string_view name = target.name;
  if (!name.ends_with(cluster)) return name;
  const std::string_view route = name.substr(0, name.size() - cluster.size());
  return route.ends_with(kTo) ? route.substr(0, route.size() - kTo.size()) : name;
}

int64_t SizeOf(const Message& message) {
  return static_cast<int64_t>(message.headers.size() + message.attributes.size() +
                              message.body.size());
}

bool MessageView::final() const {
  return std::all_of(deliveries.begin(), deliveries.end(),
                     [](const DeliveryView& delivery) { return IsFinal(delivery.state); });
}

}  // namespace pillion::delivery
