// What other threads ask of the engine's thread, and how much of it goes into one commit. Internal
// to the engine.
#ifndef PILLION_SIDECAR_DELIVERY_COMMANDS_H_
#define PILLION_SIDECAR_DELIVERY_COMMANDS_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "sidecar/delivery/requests.h"
#include "sidecar/delivery/store.h"

namespace pillion::delivery {

// A body of more than this is large; and of large ones, a commit takes no more together than this,
// or one.
inline constexpr size_t kLargeBody = 64 << 10;
inline constexpr size_t kLargeBytesInOneCommit = 1 << 20;

struct AcceptCommand {
  AcceptRequest request;
  std::vector<std::string> delivery_ids;
  Callback<Accepted> done;
};
struct AcceptAllCommand {
  std::vector<AcceptCommand> accepts;  // without `done`
  Callback<std::vector<Accepted>> done;
};
struct CompleteCommand {
  uint64_t claim = 0;
  AttemptOutcome outcome;
};
struct CancelCommand {
  std::string id;
  Callback<MessageView> done;
};
// What becomes of a held message.
struct HeldCommand {
  std::string id;
  bool discard = false;
  std::string attributes;  // instead of those it has; empty: it keeps them
};
struct ProgressCommand {
  std::string id;
  int percent_complete = 0;
  Callback<MessageView> done;
};
struct HurryCommand {
  std::string cluster;
};
struct ClusterLimitsCommand {
  absl::flat_hash_map<std::string, int> limits;
};
struct GetCommand {
  std::string id;
  Callback<MessageView> done;
};
struct GetResultCommand {
  std::string id;
  Callback<DeliveryResult> done;
};
struct DescribeCommand {
  std::string id;
  bool content = false;
  Callback<std::vector<ListedDelivery>> done;
};
struct WatchCommand {
  WatchId watch = 0;
  std::string id;
  Callback<MessageView> done;
};
struct UnwatchCommand {
  WatchId watch = 0;
};
struct ListCommand {
  ListRequest request;
  RowId after = 0;  // what its page token says
  Callback<DeliveryPage> done;
};
struct ChangeCommand {
  ChangeRequest request;
  RowId after = 0;  // what its page token says
  Callback<ChangeSummary> done;
};

using Command =
    std::variant<AcceptCommand, AcceptAllCommand, CompleteCommand, HeldCommand, CancelCommand,
                 ProgressCommand, HurryCommand, ClusterLimitsCommand, GetCommand, GetResultCommand,
                 DescribeCommand, WatchCommand, UnwatchCommand, ListCommand, ChangeCommand>;

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_COMMANDS_H_
