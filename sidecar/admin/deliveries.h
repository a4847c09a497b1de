// The deliveries API as JSON over HTTP, on the admin listener:
// protos/pillion/api/v1/deliveries.proto says what there is.

#ifndef PILLION_SIDECAR_ADMIN_DELIVERIES_H_
#define PILLION_SIDECAR_ADMIN_DELIVERIES_H_

#include "core/http/server.h"
#include "core/net/loop.h"
#include "core/net/task.h"

namespace pillion::delivery {
class Engine;
}

namespace pillion::sidecar::admin {

// Answers a request whose path starts with "/.pillion/". `loop` is the exchange's.
net::Task<void> ServeDeliveries(http::ServerExchange& exchange, net::Loop& loop,
                                delivery::Engine& engine);

}  // namespace pillion::sidecar::admin

#endif  // PILLION_SIDECAR_ADMIN_DELIVERIES_H_
