#include "sidecar/actions/accepted.h"

#include <algorithm>

#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "core/strings.h"
#include "pillion/config/v1/policy.pb.h"
#include "sidecar/actions/call.h"
#include "sidecar/actions/status_paths.h"

namespace pillion::sidecar {
namespace {

using http::HeaderId;

constexpr std::string_view kJson = "application/json";
// Seconds. A commit makes room in the queue for the next one; a backlog takes longer to shrink.
constexpr char kRetryAfter[] = "1";
constexpr char kRetryAfterBacklog[] = "5";

// Nothing of it needs escaping: the id and the state are our own words, and the URL has only what
// an authority may have (RFC 3986 section 3.2) besides.
std::string AcceptedJson(std::string_view id, std::string_view state, std::string_view url) {
  return StrCat(R"({"id":")", id, R"(","status":")", state, R"(","statusUrl":")", url, R"("})");
}

}  // namespace

AcceptedResponse::AcceptedResponse(const config::v1::Respond* config) {
  if (config == nullptr) return;
  own_ = true;
  status_ = static_cast<int>(config->status());
  body_ = config->body();
  headers_ = HeaderEdits(config->headers(), {});
}

std::string UrlOf(const Call& call, std::string_view path) {
  return StrCat("http://", call.exchange.request().authority, path);
}

net::Task<void> AcceptedResponse::Send(Call& call, std::string_view collection, std::string_view id,
                                       std::string_view state, absl::Time due,
                                       bool preferred) const {
  const std::string path = StrCat(collection, id);
  const std::string url = UrlOf(call, path);
  std::string body;
  http::ResponseHead head;
  head.status = status_;
  HeaderEdits own_headers;  // while the head refers to them
  if (own_) {
    const HeaderEdits::Replacements texts = {{"{operation}", ToAbsl(id)}, {"{status_url}", url}};
    body = absl::StrReplaceAll(body_, texts);
    own_headers = headers_.Filled(texts);
    own_headers.Apply(head.headers);
    if (!body.empty() && !head.headers.Has(HeaderId::kContentType)) {
      const bool json = body.front() == '{' || body.front() == '[';
      head.headers.Add(HeaderId::kContentType, json ? kJson : "text/plain");
    }
  } else {
    body = StrCat(AcceptedJson(id, state, url), "\n");
    head.headers.Add(HeaderId::kContentType, kJson);
    head.headers.AddCopy(HeaderId::kRetryAfter, RetryAfter(due));
  }
  head.headers.Set(HeaderId::kLocation, path);
  if (preferred) head.headers.Add("preference-applied", "respond-async");
  head.body = {http::BodyFraming::kLength, body.size()};
  (void)co_await call.exchange.SendHead(head, body, true, call.scope());
}

net::Task<void> SendAcceptedBatch(Call& call, const std::vector<delivery::Accepted>& messages,
                                  absl::Time due) {
  std::string body = R"({"messages":[)";
  for (const delivery::Accepted& message : messages) {
    if (&message != &messages.front()) body += ',';
    body += AcceptedJson(message.id, "pending", UrlOf(call, StrCat(kMessages, message.id)));
  }
  body += "]}\n";
  http::ResponseHead head;
  head.status = 202;
  head.headers.Add(HeaderId::kContentType, kJson);
  head.headers.AddCopy(HeaderId::kRetryAfter, RetryAfter(due));
  head.body = {http::BodyFraming::kLength, body.size()};
  (void)co_await call.exchange.SendHead(head, body, true, call.scope());
}

std::string RetryAfter(absl::Time due) {
  const absl::Duration rest = absl::Ceil(due - absl::Now(), absl::Seconds(1));
  return StrCat(absl::ToInt64Seconds(std::clamp(rest, absl::Seconds(1), absl::Hours(1))));
}

net::Task<void> FailAccept(Call& call, const absl::Status& why) {
  const std::string reason(why.message());
  if (absl::IsAlreadyExists(why)) {
    co_await Fail(call, 422, "", "this idempotency-key was used with another request before");
    co_return;
  }
  if (absl::IsOutOfRange(why)) {
    co_await Fail(call, 413, "", reason);
    co_return;
  }
  if (absl::IsFailedPrecondition(why)) {
    http::Problem full(429, "UO", StrCat("nothing was done, try again later: ", reason));
    full.headers.emplace_back("retry-after", kRetryAfterBacklog);
    co_await Fail(call, std::move(full));
    co_return;
  }
  http::Problem problem(503, "OM",
                        StrCat("the call could not be stored, and nothing was done: ", reason));
  problem.headers.emplace_back("retry-after", kRetryAfter);
  co_await Fail(call, std::move(problem));
}

}  // namespace pillion::sidecar
