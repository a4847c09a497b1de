#include "sidecar/delivery/model.h"

#include <algorithm>
#include <array>

namespace pillion::delivery {
namespace {

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

int64_t SizeOf(const Message& message) {
  return static_cast<int64_t>(message.headers.size() + message.attributes.size() +
                              message.body.size());
}

bool MessageView::final() const {
  return std::all_of(deliveries.begin(), deliveries.end(),
                     [](const DeliveryView& delivery) { return IsFinal(delivery.state); });
}

}  // namespace pillion::delivery
