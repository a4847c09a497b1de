#include "sidecar/actions/request_body.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/check.h"

namespace pillion::sidecar {

absl::Status RequestBody::Begin() {
  if (exchange_.body_done()) return absl::OkStatus();  // there is none
  absl::StatusOr<std::string_view> piece = exchange_.ReadBufferedBody();
  if (!piece.ok()) return piece.status();
  if (exchange_.body_done()) {
    in_place_ = *piece;
  } else {
    // Sent from the copy by every attempt, the first one included, whatever the limit says: it is
    // no more than one receive brought.
    const http::BodyFraming& framing = exchange_.request().body;
    const bool all_fits =
        framing.kind == http::BodyFraming::kLength && framing.length <= keep_limit_;
    // Not for all that was announced, which may never come.
    if (all_fits) kept_.reserve(std::min(framing.length, uint64_t{4} * piece->size()));
    kept_.assign(*piece);
    replayable_ = true;
  }
  return absl::OkStatus();
}

std::string_view RequestBody::first() const {
  PILLION_CHECK(replayable_);
  return kept_.empty() ? in_place_ : std::string_view(kept_);
}

void RequestBody::Keep(std::string_view piece) {
  if (!replayable_) return;
  if (kept_.size() + piece.size() > keep_limit_) {
    replayable_ = false;
    std::string().swap(kept_);
  } else {
    kept_.append(piece);
  }
}

net::Task<RequestBody::UploadResult> RequestBody::Upload(http::ClientConnection& upstream,
                                                         net::CancelScope& scope) {
  UploadResult result;
  while (!complete()) {
    absl::StatusOr<std::string_view> piece = co_await exchange_.ReadBody(scope);
    if (!piece.ok()) {
      result.caller = piece.status();
      break;
    }
    Keep(*piece);
    result.upstream = co_await upstream.SendBody(*piece, complete(), scope);
    if (!result.upstream.ok()) break;
  }
  co_return result;
}

}  // namespace pillion::sidecar
