#include "sidecar/delivery/room.h"

#include "absl/strings/str_cat.h"
#include "core/counted.h"

namespace pillion::delivery {
namespace {

const char* NameOf(TargetKind kind) {
  switch (kind) {
    case TargetKind::kRoute:
      return "route";
    case TargetKind::kSubscription:
      return "subscription";
    case TargetKind::kCallback:
      return "callback";
  }
  return "target";
}

}  // namespace

absl::Status HasRoom(const Target& target, const Backlog& backlog, const Backlog& limit,
                     int64_t bytes) {
  const bool too_many_bytes = backlog.deliveries > 0 && bytes > limit.bytes - backlog.bytes;
  if (backlog.deliveries < limit.deliveries && !too_many_bytes) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(NameOf(target.kind), " '", target.name, "' has ",
                   Counted(backlog.deliveries, "delivery", "deliveries"), " with ",
                   Counted(backlog.bytes, "byte"), " on the way already, as many as ",
                   too_many_bytes ? "max_pending_bytes" : "max_pending", " allows"));
}

absl::Status TooManyAtOnce(const Target& target, int64_t limit) {
  return absl::OutOfRangeError(absl::StrCat("there are more than ", limit, " for ",
                                            NameOf(target.kind), " '", target.name,
                                            "', which is its max_pending: send smaller batches"));
}

absl::Status StoreIsFull(std::string_view option, int64_t limit) {
  return absl::ResourceExhaustedError(absl::StrCat("the store is full, as store.",
                                                   absl::string_view(option.data(), option.size()),
                                                   " of ", limit, " says"));
}

}  // namespace pillion::delivery
