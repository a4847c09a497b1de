#include "sidecar/actions/async.h"

#include <openssl/evp.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/time/clock.h"
#include "core/config/defaults.h"
#include "core/http/header_rules.h"
#include "core/net/loop.h"
#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"
#include "pillion/store/v1/attempt_spec.pb.h"
#include "sidecar/actions/accepted.h"
#include "sidecar/actions/call.h"
#include "sidecar/actions/callback.h"
#include "sidecar/actions/collect.h"
#include "sidecar/actions/delay.h"
#include "sidecar/actions/engine_calls.h"
#include "sidecar/actions/forward.h"
#include "sidecar/actions/prefer.h"
#include "sidecar/actions/result.h"
#include "sidecar/actions/retry_on.h"
#include "sidecar/actions/status_json.h"
#include "sidecar/delivery/fields.h"
#include "sidecar/duration.h"

namespace pillion::sidecar {
namespace {

using http::HeaderId;

constexpr size_t kMaxKeyBytes = 256;

// A digest of parts that cannot be shifted against each other.
std::string Digest(std::initializer_list<std::string_view> parts) {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_DigestInit_ex(context, EVP_sha256(), nullptr);
  for (std::string_view part : parts) {
    const uint64_t size = part.size();
    EVP_DigestUpdate(context, &size, sizeof(size));
    EVP_DigestUpdate(context, part.data(), part.size());
  }
  std::string digest(32, '\0');
  EVP_DigestFinal_ex(context, reinterpret_cast<unsigned char*>(digest.data()), nullptr);
  EVP_MD_CTX_free(context);
  return digest;
}

// The key, quoted (draft-ietf-httpapi-idempotency-key-header) or bare.
std::string_view IdempotencyKey(const http::HeaderList& headers) {
  std::string_view key = headers.Value(HeaderId::kIdempotencyKey);
  if (key.size() >= 2 && key.front() == '"' && key.back() == '"') {
    key = key.substr(1, key.size() - 2);
  }
  return key;
}

std::string PathAndQuery(const Call& call) {
  const http::RequestHead& request = call.exchange.request();
  return request.has_query ? StrCat(call.path, "?", request.query) : std::string(call.path);
}

// Names of routes are unique in their virtual host only; that of an unnamed one begins with it.
std::string TargetName(const routing::CompiledRoute& route) {
  return route.route->name().empty() ? route.name
                                     : StrCat(route.virtual_host->name(), "/", route.name);
}

class AsyncAction final : public Action {
 public:
  AsyncAction(const routing::CompiledRoute& route, std::unique_ptr<const Action> synchronous,
              uint32_t retry_on, std::optional<CallbackPolicy> callback)
      : config_(route.route->async()),
        virtual_host_(route.virtual_host->name()),
        target_(TargetName(route)),
        wait_(ToChrono(config_.wait())),
        delay_{config::ToAbslDuration(config_.delay()), config::ToAbslDuration(config_.max_delay()),
               config::ToAbslDuration(config_.expires_after())},
        respond_(config_.has_respond() ? &config_.respond() : nullptr),
        synchronous_(std::move(synchronous)),
        callback_(std::move(callback)) {
    const config::v1::AsyncAction& config = config_;
    attempt_.set_retry_on(retry_on);
    *attempt_.mutable_retriable_status_codes() = config.retry_policy().retriable_status_codes();
    attempt_.set_max_result_bytes(config.max_result_bytes());
    attempt_.set_redirect_when_done(config.redirect_when_done());
    attempt_.set_follow_status(config.follow_status());
    spec_.extra = attempt_.SerializeAsString();
    const config::v1::RetryBackOff& back_off = config.retry_policy().retry_back_off();
    spec_.retry.num_retries = static_cast<int>(config.retry_policy().num_retries());
    spec_.retry.base_interval = config::ToAbslDuration(back_off.base_interval());
    spec_.retry.max_interval = config::ToAbslDuration(back_off.max_interval());
    spec_.attempt_timeout = config::ToAbslDuration(config.timeout());
    spec_.retention = config::ToAbslDuration(config.result_retention());
    spec_.dead_letter_retention = spec_.retention;
    spec_.concurrency = static_cast<int>(config.concurrency());
  }

  net::Task<void> Run(Call& call) const override {
    const Preferences preferences = ParsePrefer(call.request().headers);
    if (config_.when() == config::v1::AsyncAction::ON_PREFER && !preferences.respond_async) {
      if (call.request().headers.Count(kDelayHeader) > 0) {
        co_await Fail(call, 400, "", "a pillion-delay goes with Prefer: respond-async only");
        co_return;
      }
      co_await synchronous_->Run(call);
      co_return;
    }
    call.record.mode = "async";
    call.record.cluster = config_.cluster();
    const std::string_view key = IdempotencyKey(call.request().headers);
    if (key.empty() && config_.idempotency().required()) {
      co_await Fail(call, 400, "", "this route requires the header idempotency-key");
      co_return;
    }
    if (key.size() > kMaxKeyBytes) {
      co_await Fail(call, 400, "", "the idempotency-key is longer than 256 bytes");
      co_return;
    }
    const absl::StatusOr<absl::Duration> delay = delay_.Of(call.request().headers);
    if (!delay.ok()) {
      const std::string detail(delay.status().message());
      co_await Fail(call, 400, "", detail);
      co_return;
    }
    std::optional<store::v1::CallbackSpec> callback;
    if (callback_) {
      absl::StatusOr<std::optional<store::v1::CallbackSpec>> target =
          callback_->For(call.request());
      if (!target.ok()) {
        const std::string detail(target.status().message());
        co_await Fail(call, 400, "", detail);
        co_return;
      }
      callback = *std::move(target);
    }
    std::optional<std::string> body =
        co_await CollectRequestBody(call, config_.max_request_bytes());
    if (!body) co_return;
    delivery::AcceptRequest request =
        BuildRequest(call, key, *std::move(body), std::move(callback));
    request.deliveries[0].delay = *delay;
    absl::StatusOr<delivery::Accepted> accepted =
        co_await Accept(call.services.engine, std::move(request), call.scope());
    if (!accepted.ok()) {
      co_await FailAccept(call, accepted.status());
      co_return;
    }
    call.operation_id = accepted->id;
    call.record.operation_id = call.operation_id;
    const absl::Time due = accepted->repeated ? absl::InfinitePast() : absl::Now() + *delay;
    const net::Duration wait =
        preferences.wait && preferences.respond_async ? *preferences.wait : wait_;
    // A repeated key gets the same answer again, whatever has become of the operation since.
    std::string_view state = "pending";
    if (wait > net::Duration::zero()) {
      state = co_await SendResultWithin(call, accepted->id, wait);
      if (state.empty()) co_return;
    }
    co_await respond_.Send(call, kOperations, accepted->id, state, due, preferences.respond_async);
  }

 private:
  delivery::AcceptRequest BuildRequest(Call& call, std::string_view key, std::string body,
                                       std::optional<store::v1::CallbackSpec> callback) const {
    http::RequestHead& head = call.request();
    delivery::AcceptRequest request;
    delivery::Message& message = request.message;
    message.kind = delivery::MessageKind::kAsync;
    message.method = head.method;
    message.path_and_query = PathAndQuery(call);
    message.authority = head.authority;
    if (!key.empty()) {
      // The local service may call for several users: the same key of another one is another key.
      // Where a route stands and what it is called is no part of it: an edit of the policy must not
      // make a repeated call a new one.
      delivery::Idempotency& idempotency = request.idempotency.emplace();
      const std::string authority = absl::AsciiStrToLower(ToAbsl(head.authority));
      idempotency.scope = StrCat(virtual_host_, "\n", config_.cluster(), "\n",
                                 Digest({authority, head.headers.Value(HeaderId::kAuthorization)}));
      idempotency.key = key;
      idempotency.fingerprint = Digest({head.method, message.path_and_query, body});
    }
    http::RemoveHopByHop(&head.headers);
    head.headers.Remove(HeaderId::kExpect);
    head.headers.Remove(HeaderId::kPrefer);
    head.headers.Remove(HeaderId::kContentLength);
    head.headers.Remove(kDelayHeader);
    for (const http::Header& header : head.headers) {
      delivery::AppendField(message.headers, header.name, header.value);
    }
    message.body = std::move(body);
    delivery::NewDelivery& delivery = request.deliveries.emplace_back();
    delivery.target = {delivery::TargetKind::kRoute, target_};
    delivery.cluster = config_.cluster();
    delivery.max_backlog = {static_cast<int64_t>(config_.max_pending()),
                            static_cast<int64_t>(config_.max_pending_bytes())};
    delivery.spec = spec_;
    if (callback) {
      delivery.callback_target = delivery::CallbackTarget(target_, callback->cluster());
      store::v1::AttemptSpec attempt = attempt_;
      *attempt.mutable_callback() = *std::move(callback);
      attempt.mutable_callback()->set_retention_ms(absl::ToInt64Milliseconds(spec_.retention));
      delivery.spec.callback = true;
      delivery.spec.extra = attempt.SerializeAsString();
    }
    request.expires_after = config::ToAbslDuration(config_.expires_after());
    return request;
  }

  const config::v1::AsyncAction config_;
  const std::string virtual_host_;
  const std::string target_;
  const net::Duration wait_;
  const DelayRule delay_;
  const AcceptedResponse respond_;
  const std::unique_ptr<const Action> synchronous_;  // only for ON_PREFER
  const std::optional<CallbackPolicy> callback_;
  store::v1::AttemptSpec attempt_;
  delivery::DeliverySpec spec_;  // of an operation without callback
};

// What becomes of a call that did not ask for an asynchronous answer.
absl::StatusOr<std::unique_ptr<const Action>> CompileSynchronous(
    const routing::CompiledRoute& route, const CompileContext& context) {
  config::v1::Route forward;
  *forward.mutable_match() = route.route->match();
  forward.mutable_route()->set_cluster(route.route->async().cluster());
  *forward.mutable_route()->mutable_timeout() = route.route->async().timeout();
  config::ApplyDefaults(&forward);
  return CompileForward(forward, context);
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Action>> CompileAsync(const routing::CompiledRoute& route,
                                                           const CompileContext& context) {
  const config::v1::AsyncAction& config = route.route->async();
  if (!context.clusters.contains(config.cluster())) {
    return absl::InvalidArgumentError(StrCat("no cluster '", config.cluster(), "' is defined"));
  }
  const absl::StatusOr<RetryOn> retry_on = RetryOn::Parse(config.retry_policy().retry_on(), {});
  if (!retry_on.ok()) return retry_on.status();
  std::unique_ptr<const Action> synchronous;
  if (config.when() == config::v1::AsyncAction::ON_PREFER) {
    absl::StatusOr<std::unique_ptr<const Action>> compiled = CompileSynchronous(route, context);
    if (!compiled.ok()) return compiled.status();
    synchronous = *std::move(compiled);
  }
  std::optional<CallbackPolicy> callback;
  if (config.has_callback()) {
    absl::StatusOr<CallbackPolicy> compiled = CallbackPolicy::Compile(config.callback());
    if (!compiled.ok()) return compiled.status();
    callback = *std::move(compiled);
  }
  return std::make_unique<AsyncAction>(route, std::move(synchronous), retry_on->bits(),
                                       std::move(callback));
}

}  // namespace pillion::sidecar
