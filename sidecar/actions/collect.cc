#include "sidecar/actions/collect.h"

#include <algorithm>
#include <utility>

#include "core/config/units.h"
#include "core/net/loop.h"
#include "core/strings.h"
#include "sidecar/actions/byte_budget.h"
#include "sidecar/actions/call.h"

namespace pillion::sidecar {
namespace {

// How long a caller may be silent in the middle of its body, and how long all of it may take.
constexpr auto kBodyPatience = std::chrono::seconds(60);
constexpr auto kWholeBodyPatience = std::chrono::minutes(10);
// What a caller only announces takes no more memory than this.
constexpr uint64_t kMaxReserved = 64 * 1024;

// Of all workers together.
ByteBudget& CollectedBytes() {
  static ByteBudget budget(uint64_t{256} << 20);
  return budget;
}

net::Task<void> RefuseLarge(Call& call, uint64_t limit) {
  const std::string detail =
      StrCat("the body is larger than the route's max_request_bytes of ", config::SizeText(limit));
  call.exchange.CloseAfter();
  co_await Fail(call, 413, "", detail);
}

net::Task<void> RefuseForNow(Call& call) {
  http::Problem problem(503, "UO",
                        "too many bodies are being received at once, and nothing was done; try "
                        "again later");
  problem.headers.emplace_back("retry-after", "1");
  call.exchange.CloseAfter();
  co_await Fail(call, std::move(problem));
}

}  // namespace

net::Task<std::optional<std::string>> CollectRequestBody(Call& call, uint64_t limit) {
  const http::BodyFraming framing = call.request().body;
  std::string body;
  if (framing.kind == http::BodyFraming::kLength) {
    if (framing.length > limit) {
      co_await RefuseLarge(call, limit);
      co_return std::nullopt;
    }
    body.reserve(std::min(framing.length, kMaxReserved));
  }
  ByteBudget::Share share(CollectedBytes());
  net::CancelScope whole(call.services.loop, &call.scope());
  whole.SetDeadline(call.services.loop.now() + kWholeBodyPatience,
                    "the body did not arrive in time");
  while (!call.exchange.body_done()) {
    net::CancelScope patience(call.services.loop, &whole);
    patience.SetDeadline(call.services.loop.now() + kBodyPatience,
                         "the body did not arrive in time");
    absl::StatusOr<std::string_view> piece = co_await call.exchange.ReadBody(patience);
    if (!piece.ok()) {
      if (absl::IsInvalidArgument(piece.status())) {
        const std::string detail(piece.status().message());
        co_await Fail(call, call.exchange.body_error_status(), "DPE", detail);
      } else if (absl::IsDeadlineExceeded(piece.status())) {
        const std::string detail(piece.status().message());
        co_await Fail(call, 408, "DPE", detail);
      } else {
        call.record.flag = "DC";
      }
      co_return std::nullopt;
    }
    if (body.size() + piece->size() > limit) {
      co_await RefuseLarge(call, limit);
      co_return std::nullopt;
    }
    if (!share.Grow(piece->size())) {
      co_await RefuseForNow(call);
      co_return std::nullopt;
    }
    body.append(*piece);
  }
  co_return body;
}

net::Task<absl::Status> CollectAnswerBody(http::ClientConnection& connection, uint64_t limit,
                                          net::CancelScope& scope, std::string* body) {
  while (!connection.body_done()) {
    absl::StatusOr<std::string_view> piece = co_await connection.ReadBody(scope);
    if (!piece.ok()) co_return piece.status();
    const size_t room = limit - body->size();
    body->append(piece->substr(0, room));
    if (piece->size() > room) {
      co_return absl::ResourceExhaustedError(
          StrCat("the answer is larger than ", config::SizeText(limit)));
    }
  }
  co_return absl::OkStatus();
}

}  // namespace pillion::sidecar
