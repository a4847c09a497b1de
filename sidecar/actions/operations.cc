#include "sidecar/actions/operations.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/time/time.h"
#include "core/net/loop.h"
#include "core/strings.h"
#include "sidecar/actions/accepted.h"
#include "sidecar/actions/attempt_spec.h"
#include "sidecar/actions/call.h"
#include "sidecar/actions/collect.h"
#include "sidecar/actions/engine_calls.h"
#include "sidecar/actions/follow.h"
#include "sidecar/actions/prefer.h"
#include "sidecar/actions/result.h"
#include "sidecar/actions/status_json.h"

namespace pillion::sidecar {
namespace {

using delivery::DeliveryResult;
using delivery::MessageView;
using http::HeaderId;
using Json = nlohmann::ordered_json;

constexpr std::string_view kJson = "application/json";
constexpr uint64_t kMaxProgressBytes = 4096;
constexpr net::Duration kMaxWait = std::chrono::seconds(60);
// A stream of events says something at least this often, so that nobody takes it for dead.
constexpr net::Duration kHeartbeat = std::chrono::seconds(15);

// `wait=30s` or `wait=30` of the query, or Prefer: wait=30; at most kMaxWait. Nothing: the query's
// is not a time.
std::optional<net::Duration> WaitOf(const http::RequestHead& request) {
  net::Duration wait = ParsePrefer(request.headers).wait.value_or(net::Duration::zero());
  std::string_view query = request.query;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (!ConsumePrefix(pair, "wait=")) continue;
    absl::Duration parsed;
    uint32_t seconds = 0;
    if (absl::SimpleAtoi(ToAbsl(pair), &seconds)) {
      parsed = absl::Seconds(seconds);
    } else if (!absl::ParseDuration(ToAbsl(pair), &parsed)) {
      return std::nullopt;
    }
    wait = absl::ToChronoNanoseconds(parsed);
  }
  return std::clamp(wait, net::Duration::zero(), kMaxWait);
}

bool WantsEvents(const http::RequestHead& request) {
  return request.headers.Value(HeaderId::kAccept).find("text/event-stream") !=
         std::string_view::npos;
}

// One request about one operation or message.
class StatusRequest {
 public:
  StatusRequest(Call& call, std::string id, bool operation)
      : call_(call), id_(std::move(id)), operation_(operation) {}

  net::Task<void> Status() {
    absl::StatusOr<MessageView> view =
        co_await GetStatus(call_.services.engine, id_, call_.scope());
    if (!view.ok() || IsOperation(*view) != operation_) {
      co_await FailUnknown(view.status());
      co_return;
    }
    if (WantsEvents(call_.request()) && call_.request().method != "HEAD") {
      co_await StreamEvents();
      co_return;
    }
    const std::optional<net::Duration> wait = WaitOf(call_.request());
    if (!wait.has_value()) {
      co_await Fail(call_, 400, "", "wait in the query is not a time such as 30s");
      co_return;
    }
    if (*wait > net::Duration::zero() && !view->final()) {
      absl::StatusOr<MessageView> later = co_await WaitForEnd(*wait);
      if (later.ok()) view = *std::move(later);
    }
    co_await SendStatus(*view);
  }

  net::Task<void> Result() {
    absl::StatusOr<DeliveryResult> result =
        co_await GetResult(call_.services.engine, id_, call_.scope());
    if (!result.ok() || !IsOperation(result->view)) {
      co_await FailUnknown(result.status());
      co_return;
    }
    co_await SendResult(call_, *result);
  }

  // The upstream says how far it is.
  net::Task<void> Progress() {
    std::optional<std::string> body = co_await CollectRequestBody(call_, kMaxProgressBytes);
    if (!body) co_return;
    const absl::StatusOr<int> percent = ParseProgress(*body);
    if (!percent.ok()) {
      const std::string detail(percent.status().message());
      co_await Fail(call_, 400, "", detail);
      co_return;
    }
    absl::StatusOr<MessageView> view =
        co_await ReportProgress(call_.services.engine, id_, *percent, call_.scope());
    if (view.ok()) {
      http::ResponseHead head;
      head.status = 204;
      (void)co_await call_.exchange.SendHead(head, {}, true, call_.scope());
    } else if (absl::IsFailedPrecondition(view.status())) {
      co_await Fail(call_, 409, "", "the operation has ended already");
    } else {
      co_await FailUnknown(view.status());
    }
  }

  net::Task<void> Cancel() {
    absl::StatusOr<MessageView> known =
        co_await GetStatus(call_.services.engine, id_, call_.scope());
    if (!known.ok() || !IsOperation(*known)) {
      co_await FailUnknown(known.status());
      co_return;
    }
    absl::StatusOr<MessageView> view =
        co_await pillion::sidecar::Cancel(call_.services.engine, id_, call_.scope());
    if (view.ok()) {
      const std::string body = Text(*view) + "\n";
      (void)co_await call_.exchange.SendWhole(202, kJson, body, call_.scope());
    } else if (absl::IsFailedPrecondition(view.status())) {
      co_await Fail(call_, 409, "", "the operation has ended already; there is nothing to cancel");
    } else {
      co_await FailUnknown(view.status());
    }
  }

 private:
  net::Task<void> FailUnknown(const absl::Status& why) {
    if (!why.ok() && !absl::IsNotFound(why)) {
      if (call_.scope().canceled()) co_return;
      const std::string detail = StrCat("the delivery store: ", FromAbsl(why.message()));
      co_await Fail(call_, 503, "OM", detail);
      co_return;
    }
    const std::string detail = StrCat("no ", operation_ ? "operation '" : "message '", id_,
                                      "' is known here, or its time to be kept is over");
    co_await Fail(call_, 404, "", detail);
  }

  // The first final status within `wait`, or the last one seen.
  net::Task<absl::StatusOr<MessageView>> WaitForEnd(net::Duration wait) {
    net::Loop& loop = call_.services.loop;
    call_.exchange.CancelWhenCallerLeaves();
    net::CancelScope patience(loop, &call_.scope());
    patience.SetDeadline(loop.now() + wait, "the time to wait is over");
    StatusWatch watch(call_.services.engine, id_, loop);
    absl::StatusOr<MessageView> last = absl::UnavailableError("no status yet");
    while (!last.ok() || !last->final()) {
      absl::StatusOr<MessageView> next = co_await watch.Next(patience);
      if (!next.ok()) break;
      last = *std::move(next);
    }
    co_return last;
  }

  std::string Text(const MessageView& view) {
    return ToText(StatusJson(view, call_.request().authority));
  }

  // What has become of the announcement of the operation's end.
  net::Task<void> AddCallback(std::string id, Json& json) {
    if (id.empty()) co_return;
    absl::StatusOr<MessageView> view = co_await GetStatus(call_.services.engine, id, call_.scope());
    if (view.ok() && view->deliveries.size() == 1) json["callback"] = CallbackJson(*view);
  }

  net::Task<void> SendStatus(const MessageView& view) {
    Json json = StatusJson(view, call_.request().authority);
    if (operation_) co_await AddCallback(view.deliveries[0].callback_id, json);
    const std::string body = ToText(json) + "\n";
    http::ResponseHead head;
    head.status = 200;
    head.headers.Add(HeaderId::kContentType, kJson);
    const std::string result = StrCat(kOperations, id_, kResult);
    if (!view.final()) {
      head.headers.AddCopy(HeaderId::kRetryAfter, RetryAfter(NextLook(view, absl::Now())));
    } else if (operation_ && DecodeAttemptSpec(view.deliveries[0].extra).redirect_when_done()) {
      head.status = 303;
      head.headers.Add(HeaderId::kLocation, result);
    }
    head.body = {http::BodyFraming::kLength, body.size()};
    (void)co_await call_.exchange.SendHead(head, body, true, call_.scope());
  }

  // Server-sent events (WHATWG HTML, section 9.2): one per change, the last one final.
  net::Task<void> StreamEvents() {
    net::Loop& loop = call_.services.loop;
    call_.exchange.CancelWhenCallerLeaves();
    http::ResponseHead head;
    head.status = 200;
    head.headers.Add(HeaderId::kContentType, "text/event-stream");
    head.headers.Add("cache-control", "no-store");
    head.body.kind = http::BodyFraming::kChunked;
    absl::Status sent = co_await call_.exchange.SendHead(head, {}, false, call_.scope());
    StatusWatch watch(call_.services.engine, id_, loop);
    bool final = false;
    while (sent.ok() && !final) {
      net::CancelScope heartbeat(loop, &call_.scope());
      heartbeat.SetDeadline(loop.now() + kHeartbeat, "heartbeat");
      absl::StatusOr<MessageView> view = co_await watch.Next(heartbeat);
      std::string event = ": still here\n\n";
      if (view.ok()) {
        final = view->final();
        event = StrCat("event: status\ndata: ", Text(*view), "\n\n");
      } else if (!absl::IsDeadlineExceeded(view.status())) {
        break;
      }
      sent = co_await call_.exchange.SendBody(event, false, call_.scope());
    }
    if (sent.ok()) (void)co_await call_.exchange.SendBody({}, true, call_.scope());
  }

  Call& call_;
  const std::string id_;
  const bool operation_;
};

}  // namespace

bool IsProgressReport(const Call& call) {
  return call.path.starts_with(kOperations) && call.exchange.request().method == "PATCH";
}

net::Task<void> ServeOperations(Call& call) {
  call.record.mode = "status";
  std::string_view rest = call.path;
  const bool operation = ConsumePrefix(rest, kOperations);
  if (!operation && !ConsumePrefix(rest, kMessages)) {
    co_await Fail(call, 404, "",
                  "paths below /.pillion/ are the sidecar's own: /.pillion/operations/{id}, "
                  "/.pillion/operations/{id}/result and /.pillion/messages/{id}");
    co_return;
  }
  const bool result = operation && ConsumeSuffix(rest, kResult);
  StatusRequest request(call, std::string(rest), operation);
  const std::string_view method = call.request().method;
  const bool get = method == "GET" || method == "HEAD";
  if (result && get) {
    co_await request.Result();
  } else if (!result && get) {
    co_await request.Status();
  } else if (!result && operation && method == "DELETE") {
    co_await request.Cancel();
  } else if (!result && operation && method == "PATCH") {
    co_await request.Progress();
  } else {
    http::Problem problem(405, "", StrCat(method, " is not possible here"));
    problem.headers.emplace_back("allow",
                                 operation && !result ? "GET, HEAD, DELETE, PATCH" : "GET, HEAD");
    co_await Fail(call, std::move(problem));
  }
}

}  // namespace pillion::sidecar
