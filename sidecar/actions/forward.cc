#include "sidecar/actions/forward.h"

#include <optional>
#include <utility>

#include "sidecar/actions/call.h"
#include "sidecar/actions/forward_config.h"
#include "sidecar/actions/forwarding.h"

namespace pillion::sidecar {
namespace {

class ForwardAction final : public Action {
 public:
  explicit ForwardAction(ForwardConfig config) : config_(std::move(config)) {}

  // The attempts are a loop here, not a coroutine each: see forwarding.h.
  net::Task<void> Run(Call& call) const override {
    call.record.mode = "forward";
    Forwarding forwarding(config_, call);
    if (std::optional<http::Problem> problem = forwarding.Prepare(); problem) {
      co_await Fail(call, *std::move(problem));
      co_return;
    }
    bool again = true;
    if (config_.emitter != nullptr) again = co_await forwarding.StoreIntents();
    while (again) {
      upstream::AcquireResult acquired = co_await forwarding.Acquire();
      if (!acquired.lease) {
        again = co_await forwarding.OnNoConnection(acquired);
        continue;
      }
      upstream::Lease& lease = *acquired.lease;
      http::ClientConnection& connection = lease.connection();
      absl::Status sent = co_await forwarding.SendRequest(lease);
      if (sent.ok() && !forwarding.request_complete()) co_await forwarding.StartUpload(connection);

      // A failed send is no verdict yet: the upstream may have answered before it closed.
      http::ResponseHead head;
      absl::Status read;
      if (!forwarding.is_idle_limited()) {
        read = co_await connection.AwaitMore(forwarding.try_scope());
      }
      if (read.ok()) read = co_await forwarding.ReadHead(connection, head);
      forwarding.OnHeadOrNone();
      if (!read.ok()) {
        again = co_await forwarding.OnNoAnswer(lease, read);
        continue;
      }
      forwarding.OnAnswer(lease, head);
      bool retry = false;
      if (config_.retry_on.Matches(head.status)) retry = co_await forwarding.PrepareRetry();
      if (retry) {
        again = co_await forwarding.Repeat(lease, head);
        continue;
      }

      again = false;
      forwarding.OnLastAnswer(head);
      bool to_pass_on = true;
      if (config_.emitter != nullptr) to_pass_on = co_await forwarding.Announce(head);
      const absl::StatusOr<std::string_view> piece = connection.ReadBufferedBody();
      if (!to_pass_on) {
        // The caller has been told why.
      } else if (head.status == 101) {
        co_await forwarding.SwitchProtocols(connection, head);
      } else if (!piece.ok()) {
        const std::string detail = std::string(piece.status().message());
        co_await Fail(call, 502, "UPE", detail);
      } else {
        sent = co_await forwarding.BeginAnswer(connection, head, *piece);
        if (!sent.ok()) forwarding.OnFailedSend(sent);
        if (sent.ok() && !connection.body_done()) co_await forwarding.PassOnBody(connection);
      }
      // An upstream that answered without reading everything has had enough.
      if (forwarding.uploading()) co_await forwarding.EndUpload("the answer is complete");
      if (call.exchange.response_done() && head.status != 101) forwarding.Finish(lease);
    }
    if (config_.emitter != nullptr) forwarding.SettleIntents();
  }

 private:
  const ForwardConfig config_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Action>> CompileForward(const config::v1::Route& route,
                                                             const CompileContext& context) {
  absl::StatusOr<ForwardConfig> config = CompileForwardConfig(route, context);
  if (!config.ok()) return config.status();
  return std::make_unique<ForwardAction>(*std::move(config));
}

}  // namespace pillion::sidecar
