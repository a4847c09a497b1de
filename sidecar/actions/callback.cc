#include "sidecar/actions/callback.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_join.h"
#include "core/config/units.h"
#include "core/http/path.h"
#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/actions/attempt_spec.h"
#include "sidecar/actions/status_json.h"
#include "sidecar/actions/webhook.h"

namespace pillion::sidecar {
namespace {

// Announcements of one route that one sidecar sends to one cluster at once.
constexpr int kConcurrency = 16;

int64_t Millis(const google::protobuf::Duration& duration) {
  return absl::ToInt64Milliseconds(config::ToAbslDuration(duration));
}

// Whether `path` is `prefix`, or goes on after it where a '/' is.
bool IsBelow(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) &&
         (path.size() == prefix.size() || prefix.ends_with('/') || path[prefix.size()] == '/');
}

}  // namespace

absl::StatusOr<CallbackPolicy> CallbackPolicy::Compile(const config::v1::Callback& config) {
  CallbackPolicy policy;
  policy.header_ = config.header();
  store::v1::CallbackSpec& spec = policy.spec_;
  spec.set_cluster(config.cluster());
  spec.set_authority(config.cluster());
  spec.set_path(config.path().empty() ? "/" : config.path());
  spec.set_secret_file(config.secret_file());
  const config::v1::RetryBackOff& back_off = config.retry_policy().retry_back_off();
  spec.set_num_retries(config.retry_policy().num_retries());
  spec.set_base_interval_ms(Millis(back_off.base_interval()));
  spec.set_max_interval_ms(Millis(back_off.max_interval()));
  spec.set_timeout_ms(Millis(config.timeout()));
  spec.set_expires_after_ms(Millis(config.expires_after()));
  for (const config::v1::CallbackTarget& target : config.allowed_targets()) {
    AllowedTarget& allowed = policy.allowed_.emplace_back();
    const char* error = http::ParseHttpAuthority(target.authority(), &allowed.authority);
    std::string scratch;
    const http::NormalizedPath prefix = http::NormalizePath(target.prefix(), &scratch);
    if (error == nullptr) error = prefix.error;
    if (error != nullptr) {
      return absl::InvalidArgumentError(
          StrCat("callback.allowed_targets: ", target.authority(), target.prefix(), ": ", error));
    }
    allowed.prefix = prefix.path;
    allowed.cluster = target.cluster();
    allowed.name = StrCat("http://", target.authority(), target.prefix());
  }
  return policy;
}

absl::StatusOr<std::optional<store::v1::CallbackSpec>> CallbackPolicy::For(
    http::RequestHead& request) const {
  if (header_.empty()) return spec_;
  const size_t count = request.headers.Count(header_);
  if (count == 0) return std::nullopt;
  const std::string text(request.headers.Value(header_));
  request.headers.Remove(header_);
  if (count > 1) {
    return absl::InvalidArgumentError(StrCat("the header ", header_, " is there twice; send one"));
  }
  http::HttpUrl url;
  if (const char* const error = http::ParseHttpUrl(text, &url)) {
    return absl::InvalidArgumentError(
        StrCat("the header ", header_, " must be a URL such as http://host/path: ", error));
  }
  for (const AllowedTarget& allowed : allowed_) {
    if (url.host != allowed.authority.host || url.port != allowed.authority.port ||
        !IsBelow(url.path, allowed.prefix)) {
      continue;
    }
    store::v1::CallbackSpec spec = spec_;
    spec.set_cluster(allowed.cluster);
    spec.set_authority(url.port == 80 ? url.host : StrCat(url.host, ":", url.port));
    spec.set_path(url.path_and_query());
    return spec;
  }
  return absl::InvalidArgumentError(StrCat(
      "the header ", header_, " names a place that callbacks of this route may not go to; ",
      "allowed is what is below ",
      absl::StrJoin(allowed_, " or ",
                    [](std::string* out, const AllowedTarget& allowed) { *out += allowed.name; })));
}

std::optional<delivery::AcceptRequest> CallbackOf(const delivery::MessageView& operation) {
  if (operation.deliveries.size() != 1) return std::nullopt;
  const delivery::DeliveryView& ended = operation.deliveries[0];
  const store::v1::AttemptSpec attempt_spec = DecodeAttemptSpec(ended.extra);
  if (!attempt_spec.has_callback()) return std::nullopt;
  const store::v1::CallbackSpec& spec = attempt_spec.callback();
  const std::string type = StrCat("operation.", StateOf(operation));
  // Standard Webhooks, "Payload structure": type, time of the event, and the data beside them.
  nlohmann::ordered_json json;
  json["type"] = type;
  json["timestamp"] = TimeText(ended.finished_at.value_or(operation.message.created_at));
  json.update(StatusJson(operation, operation.message.authority));

  delivery::AcceptRequest request;
  request.message.kind = delivery::MessageKind::kCallback;
  request.message.topic = type;
  request.message.method = "POST";
  request.message.path_and_query = spec.path();
  request.message.authority = spec.authority();
  request.message.body = ToText(json);
  request.expires_after = absl::Milliseconds(spec.expires_after_ms());
  delivery::NewDelivery& delivery = request.deliveries.emplace_back();
  delivery.target = delivery::CallbackTarget(ended.target.name, spec.cluster());
  delivery.cluster = spec.cluster();
  delivery.spec.retry.num_retries = static_cast<int>(spec.num_retries());
  delivery.spec.retry.base_interval = absl::Milliseconds(spec.base_interval_ms());
  delivery.spec.retry.max_interval = absl::Milliseconds(spec.max_interval_ms());
  delivery.spec.attempt_timeout = absl::Milliseconds(spec.timeout_ms());
  delivery.spec.retention = absl::Milliseconds(spec.retention_ms());
  delivery.spec.dead_letter_retention = absl::Milliseconds(spec.retention_ms());
  delivery.spec.concurrency = kConcurrency;
  store::v1::AttemptSpec attempt;
  attempt.set_path(spec.path());
  attempt.set_authority(spec.authority());
  attempt.set_secret_file(spec.secret_file());
  delivery.spec.extra = attempt.SerializeAsString();
  return request;
}

std::vector<std::string> CheckSecretFiles(const config::v1::Policy& policy) {
  std::vector<std::string> warnings;
  absl::flat_hash_set<std::string> seen;
  for (const config::v1::VirtualHost& host : policy.virtual_hosts()) {
    for (const config::v1::Route& route : host.routes()) {
      if (!route.async().has_callback()) continue;
      const std::string& path = route.async().callback().secret_file();
      if (!seen.insert(path).second) continue;
      const absl::Status status = ReadWebhookSecrets(path).status();
      if (status.ok()) continue;
      warnings.push_back(StrCat(FromAbsl(status.message()),
                                "; the callbacks that it is to sign (virtual host '", host.name(),
                                "') wait until it is mended, which needs no edit of the policy"));
    }
  }
  return warnings;
}

}  // namespace pillion::sidecar
