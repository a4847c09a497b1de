#include "core/discovery/grpc_listen.h"

#include <grpcpp/grpcpp.h>

#include "core/discovery/grpc_log.h"
#include "core/net/address.h"
#include "core/net/loop.h"
#include "core/net/socket.h"
#include "core/strings.h"

namespace pillion::discovery {
namespace {

// gRPC only says that it failed; the reason is what a plain socket says.
absl::Status WhyNotListening(const std::string& address) {
  absl::StatusOr<net::Address> parsed = net::Address::Parse(address);
  if (!parsed.ok()) return parsed.status();
  absl::StatusOr<std::unique_ptr<net::Loop>> loop = net::Loop::Create(net::IoKind::kEpoll);
  if (!loop.ok()) return loop.status();
  absl::StatusOr<net::Listener> listener = net::Listener::Bind(**loop, *parsed, {});
  if (!listener.ok()) return listener.status();
  return absl::UnavailableError(StrCat("cannot listen on ", address));
}

}  // namespace

absl::StatusOr<GrpcListener> ListenGrpc(grpc::ServerBuilder& builder, const std::string& address) {
  // Otherwise two processes could share a port without a word.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  int port = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  SendGrpcLogToDebugLog();  // of a port in use gRPC warns, too
  GrpcListener listener{builder.BuildAndStart(), address};
  SendGrpcLogToProcessLog();
  if (listener.server == nullptr) return WhyNotListening(address);
  if (absl::StatusOr<net::Address> parsed = net::Address::Parse(address);
      parsed.ok() && !parsed->is_unix()) {
    parsed->set_port(static_cast<uint16_t>(port));
    listener.address = parsed->ToString();
  }
  return listener;
}

}  // namespace pillion::discovery
