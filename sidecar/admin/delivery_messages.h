// Between the delivery engine's values and the API's messages.

#ifndef PILLION_SIDECAR_ADMIN_DELIVERY_MESSAGES_H_
#define PILLION_SIDECAR_ADMIN_DELIVERY_MESSAGES_H_

#include "absl/status/statusor.h"
#include "pillion/api/v1/deliveries.pb.h"
#include "sidecar/delivery/model.h"

namespace pillion::sidecar::admin {

// Texts from outside are made valid UTF-8, as Protobuf wants it.
api::v1::Delivery ToApi(const delivery::MessageSummary& message,
                        const delivery::DeliveryView& delivery);
// As much of it as a person wants to look at.
api::v1::Answer ToApi(const delivery::Answer& answer);

// InvalidArgument: an enum's number or a time that is none, or two targets.
absl::StatusOr<delivery::DeliveryFilter> FromApi(const api::v1::DeliveryFilter& filter);

}  // namespace pillion::sidecar::admin

#endif  // PILLION_SIDECAR_ADMIN_DELIVERY_MESSAGES_H_
