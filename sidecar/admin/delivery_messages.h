// Between the delivery engine's values and the API's messages.

#ifndef PILLION_SIDECAR_ADMIN_DELIVERY_MESSAGES_H_
#define PILLION_SIDECAR_ADMIN_DELIVERY_MESSAGES_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "pillion/api/v1/deliveries.pb.h"
#include "sidecar/delivery/model.h"

namespace pillion::sidecar::admin {

// With the answer, as much of it as a person wants to look at, and the content, if they are there.
// Texts from outside are made valid UTF-8, as Protobuf wants it; values of headers that give access
// to something are left out.
api::v1::Delivery ToApi(const delivery::ListedDelivery& listed);

// Whether all of it is asked for. InvalidArgument: a number that is no value of the enum.
absl::StatusOr<bool> IsFull(api::v1::Delivery::View view);

// InvalidArgument: an enum's number or a time that is none, or two targets.
absl::StatusOr<delivery::DeliveryFilter> FromApi(const api::v1::DeliveryFilter& filter);

}  // namespace pillion::sidecar::admin

#endif  // PILLION_SIDECAR_ADMIN_DELIVERY_MESSAGES_H_
