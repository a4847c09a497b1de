// Deliveries for operators, on the admin listener: list with filters, replay, drop, cancel.
//
//   GET
//   /.pillion/deliveries?state=failed&topic=order.changed&target=billing-on-order&limit=100&page_token=...
//   POST /.pillion/deliveries:replay   {"ids": [...]} or {"filter": {"state": "failed", ...}}
//   POST /.pillion/deliveries:drop     the same
//   GET, DELETE /.pillion/deliveries/{id}; POST /.pillion/deliveries/{id}:replay, {id}:drop
//
// A list has no answers; GET with an id has the last one, cut to 2 KiB.

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
