// Starting a gRPC server the way Pillion's processes want it.
#ifndef PILLION_CORE_DISCOVERY_GRPC_LISTEN_H_
#define PILLION_CORE_DISCOVERY_GRPC_LISTEN_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace grpc {
class Server;
class ServerBuilder;
}  // namespace grpc

namespace pillion::discovery {

struct GrpcListener {
  std::unique_ptr<grpc::Server> server;
  std::string address;  // with the port that was taken if it was asked for 0
};

// Builds the server, alone on `address` (127.0.0.1:18000, [::1]:0, unix:/path) and without TLS;
// gRPC's log goes to the process log. Errors name the address and the reason, for the person who
// started the process.
absl::StatusOr<GrpcListener> ListenGrpc(grpc::ServerBuilder& builder, const std::string& address);

}  // namespace pillion::discovery

#endif  // PILLION_CORE_DISCOVERY_GRPC_LISTEN_H_
