// The API of a sidecar over gRPC: pillion.api.v1.Deliveries, at the bootstrap's `api.address`.

#ifndef PILLION_SIDECAR_ADMIN_API_SERVER_H_
#define PILLION_SIDECAR_ADMIN_API_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace pillion::delivery {
class Engine;
}

namespace pillion::sidecar::admin {

// Serves on gRPC's own threads, which only hand over to the engine; its thread answers.
class ApiServer {
 public:
  // `engine` must have been started, and outlive the server. Errors: the address cannot be had.
  static absl::StatusOr<std::unique_ptr<ApiServer>> Start(const std::string& address,
                                                          delivery::Engine& engine);
  // Waits for the calls in flight: they end when the engine has answered, at the latest when it has
  // stopped.
  ~ApiServer();

  const std::string& address() const;  // with the real port

 private:
  class Impl;
  explicit ApiServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace pillion::sidecar::admin

#endif  // PILLION_SIDECAR_ADMIN_API_SERVER_H_
