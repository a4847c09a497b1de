// Bodies that have to be stored: the only place where one is collected in memory, within a limit.

#ifndef PILLION_SIDECAR_ACTIONS_COLLECT_H_
#define PILLION_SIDECAR_ACTIONS_COLLECT_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "core/http/client.h"
#include "core/net/task.h"

namespace pillion::sidecar {

struct Call;

// The call's whole body; nothing when the caller has been told that it is too large (413),
// malformed (400), too slow (408) or too much beside those of others (503), or has left.
net::Task<std::optional<std::string>> CollectRequestBody(Call& call, uint64_t limit);

// An answer's whole body. Errors: ResourceExhausted beyond `limit`, then `*body` is its beginning;
// the connection's.
net::Task<absl::Status> CollectAnswerBody(http::ClientConnection& connection, uint64_t limit,
                                          net::CancelScope& scope, std::string* body);

}  // namespace pillion::sidecar

#endif  // PILLION_SIDECAR_ACTIONS_COLLECT_H_
