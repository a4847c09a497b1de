#include "sidecar/actions/attempt_request.h"

#include "core/http/header_rules.h"
#include "core/strings.h"
#include "pillion/store/v1/attempt_spec.pb.h"
#include "sidecar/actions/cloud_event.h"
#include "sidecar/actions/status_paths.h"
#include "sidecar/actions/webhook.h"
#include "sidecar/delivery/fields.h"

namespace pillion::sidecar {
namespace {

using http::HeaderId;

constexpr std::string_view kOfTheCallOnly[] = {
    "content-type",      "content-encoding",
    "content-language",  "content-location",
    "content-md5",       "content-digest",
    "idempotency-key",   "if-match",
    "if-none-match",     "range",
    "if-modified-since", "if-unmodified-since",
    "if-range",
};

void SetTarget(std::string_view path_and_query, AttemptRequest& request) {
  const size_t mark = path_and_query.find('?');
  request.path = path_and_query.substr(0, mark);
  request.head.path = request.path;
  if (mark == path_and_query.npos) return;
  request.query = path_and_query.substr(mark + 1);
  request.head.query = request.query;
  request.head.has_query = true;
}

void AddCallersHeaders(const delivery::Message& message, AttemptRequest& request) {
  if (const auto fields = delivery::DecodeFields(message.headers)) {
    for (const auto& [name, value] : *fields) request.head.headers.Add(name, value);
  }
  // HTTP/1.1 wants one even where the caller spoke HTTP/1.0 (RFC 9112 section 3.2).
  if (!request.head.headers.Has(HeaderId::kHost)) request.head.headers.Add(HeaderId::kHost, "");
}

// The caller's request, as it was.
void BuildCall(const delivery::ClaimedDelivery& delivery, std::string_view operation_authority,
               AttemptRequest& request) {
  const delivery::Message& message = *delivery.message;
  request.head.method = message.method;
  SetTarget(message.path_and_query, request);
  AddCallersHeaders(message, request);
  if (!operation_authority.empty()) {
    request.head.headers.SetCopy(HeaderId::kPillionOperationUrl,
                                 OperationUrl(operation_authority, delivery.id));
  }
}

// A CloudEvent for a subscriber.
void BuildEvent(const delivery::ClaimedDelivery& delivery, const store::v1::AttemptSpec& spec,
                AttemptRequest& request) {
  request.head.method = "POST";
  SetTarget(spec.path().empty() ? "/" : spec.path(), request);
  request.head.headers.AddCopy(HeaderId::kHost, delivery.cluster);
  const CloudEvent event = CloudEventOf(*delivery.message);
  if (spec.structured()) {
    request.body = ToStructured(event, delivery.message->body, !spec.without_payload());
    request.own_body = true;
    request.head.headers.Add(HeaderId::kContentType, kStructuredContentType);
  } else {
    AddBinaryHeaders(event, !spec.without_payload(), &request.head.headers);
    request.own_body = spec.without_payload();  // then empty
  }
}

// The announcement of an operation's end, as Standard Webhooks 1.0.0 says: the id is the same on
// every attempt, the timestamp is that of the attempt.
void BuildCallback(const delivery::ClaimedDelivery& delivery, const store::v1::AttemptSpec& spec,
                   const std::vector<std::string>& keys, absl::Time now, AttemptRequest& request) {
  const int64_t timestamp = absl::ToUnixSeconds(now);
  request.head.method = "POST";
  SetTarget(spec.path(), request);
  http::HeaderList& headers = request.head.headers;
  headers.Add(HeaderId::kHost, spec.authority());
  headers.Add(HeaderId::kContentType, "application/json");
  headers.Add("webhook-id", delivery.id);
  headers.AddCopy("webhook-timestamp", StrCat(timestamp));
  headers.AddCopy("webhook-signature",
                  WebhookSignature(keys, delivery.id, timestamp, delivery.message->body));
}

}  // namespace

std::string OperationUrl(std::string_view authority, std::string_view id) {
  return StrCat("http://", authority, kOperations, id);
}

void BuildStatusRequest(const delivery::ClaimedDelivery& delivery, std::string_view path,
                        AttemptRequest* request) {
  request->head.method = "GET";
  SetTarget(path, *request);
  AddCallersHeaders(*delivery.message, *request);
  for (std::string_view name : kOfTheCallOnly) request->head.headers.Remove(name);
  request->own_body = true;  // empty
  http::SetFraming(&request->head.headers, request->head.body);
}

void BuildAttemptRequest(const delivery::ClaimedDelivery& delivery,
                         const store::v1::AttemptSpec& spec, std::string_view via,
                         std::string_view operation_authority,
                         const std::vector<std::string>& webhook_keys, absl::Time now,
                         AttemptRequest* request) {
  const delivery::MessageKind kind = delivery.message->kind;
  if (kind == delivery::MessageKind::kAsync) {
    BuildCall(delivery, operation_authority, *request);
  } else if (kind == delivery::MessageKind::kCallback) {
    BuildCallback(delivery, spec, webhook_keys, now, *request);
  } else {
    BuildEvent(delivery, spec, *request);
  }
  if (kind != delivery::MessageKind::kAsync) {
    http::AppendVia(&request->head.headers, http::Version::kHttp11, via);
  }
  http::HeaderList& headers = request->head.headers;
  headers.SetCopy("pillion-delivery-id", delivery.id);
  headers.SetCopy("pillion-attempt", StrCat(delivery.attempt));
  const size_t size = request->own_body ? request->body.size() : delivery.message->body.size();
  // A call that had no body has no length either (RFC 9110 section 8.6).
  if (size > 0 || request->head.method == "POST" || request->head.method == "PUT" ||
      request->head.method == "PATCH") {
    request->head.body = {http::BodyFraming::kLength, size};
  }
  http::SetFraming(&headers, request->head.body);
}

}  // namespace pillion::sidecar
