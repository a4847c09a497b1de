// gRPC's own log lines, in the process log.
#ifndef PILLION_CORE_DISCOVERY_GRPC_LOG_H_
#define PILLION_CORE_DISCOVERY_GRPC_LOG_H_

namespace pillion::discovery {

// Otherwise gRPC writes to standard error, in a format of its own. What gRPC calls an error is a
// warning here: whoever uses gRPC gets a status, and says what it means. Any thread; may be called
// again.
void SendGrpcLogToProcessLog();

// The same at level DEBUG, what gRPC calls an error included: for the time in which somebody says
// better what is wrong.
void SendGrpcLogToDebugLog();

}  // namespace pillion::discovery

#endif  // PILLION_CORE_DISCOVERY_GRPC_LOG_H_
