// Control's REST interface (protos/pillion/api/v1/control.proto): what is asked, and what is
// answered.
#ifndef PILLION_CONTROL_REST_H_
#define PILLION_CONTROL_REST_H_

#include "control/node_registry.h"
#include "control/policy_store.h"
#include "core/http/server.h"

namespace pillion::control {

class RestHandler final : public http::RequestHandler {
 public:
  // Both must outlive the handler.
  RestHandler(const PolicyStore& store, const NodeRegistry& registry)
      : store_(store), registry_(registry) {}

  net::Task<void> Handle(http::ServerExchange& exchange) override;

 private:
  net::Task<void> Validate(http::ServerExchange& exchange);
  std::string Nodes() const;
  std::string Policy() const;
  std::string Versions() const;

  const PolicyStore& store_;
  const NodeRegistry& registry_;
};

}  // namespace pillion::control

#endif  // PILLION_CONTROL_REST_H_
