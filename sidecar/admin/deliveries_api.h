// The API pillion.api.v1.Deliveries over the delivery engine, whatever carries it: REST
// (deliveries.h) or gRPC (api_server.h). The .proto says what each call does.
//
// Threads: any. A reply is called exactly once, on the engine's thread or before the function
// returns; it must be quick. Errors: InvalidArgument and NotFound, for the caller to mend, and
// those of the engine.

#ifndef PILLION_SIDECAR_ADMIN_DELIVERIES_API_H_
#define PILLION_SIDECAR_ADMIN_DELIVERIES_API_H_

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "pillion/api/v1/deliveries.pb.h"
#include "sidecar/delivery/engine.h"

namespace pillion::sidecar::admin {

template <typename Response>
using Reply = absl::AnyInvocable<void(absl::StatusOr<Response>)>;

void ListDeliveries(delivery::Engine& engine, const api::v1::ListDeliveriesRequest& request,
                    Reply<api::v1::ListDeliveriesResponse> reply);
void GetDelivery(delivery::Engine& engine, const api::v1::GetDeliveryRequest& request,
                 Reply<api::v1::GetDeliveryResponse> reply);
// ReplayDeliveries, CancelDeliveries or DropDeliveries.
void ChangeDeliveries(delivery::Engine& engine, delivery::ChangeRequest::Kind kind,
                      const api::v1::ChangeDeliveriesRequest& request,
                      Reply<api::v1::ChangeDeliveriesResponse> reply);

}  // namespace pillion::sidecar::admin

#endif  // PILLION_SIDECAR_ADMIN_DELIVERIES_API_H_
