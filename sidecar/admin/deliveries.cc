#include "sidecar/admin/deliveries.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/time/time.h"
#include "core/net/future.h"
#include "core/strings.h"
#include "sidecar/actions/engine_calls.h"
#include "sidecar/delivery/engine.h"
#include "sidecar/delivery/fields.h"

namespace pillion::sidecar::admin {
namespace {

using delivery::DeliveryFilter;
using delivery::DeliverySelection;
using delivery::DeliveryView;
using delivery::TargetKind;
using Json = nlohmann::ordered_json;

constexpr std::string_view kCollection = "/.pillion/deliveries";
constexpr std::string_view kReplay = ":replay";
constexpr std::string_view kDrop = ":drop";
constexpr size_t kMaxBody = 1024 * 1024;
constexpr size_t kShownOfAnswer = 2048;

Json TimeJson(const std::optional<absl::Time>& time) {
  if (!time) return nullptr;
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", *time, absl::UTCTimeZone());
}

std::string_view ReasonName(delivery::FailureReason reason) {
  switch (reason) {
    case delivery::FailureReason::kNone:
      return "";
    case delivery::FailureReason::kRejected:
      return "rejected";
    case delivery::FailureReason::kRetriesExhausted:
      return "retries_exhausted";
  }
  return "";
}

std::string_view KindName(delivery::MessageKind kind) {
  switch (kind) {
    case delivery::MessageKind::kAsync:
      return "async";
    case delivery::MessageKind::kPublish:
      return "publish";
    case delivery::MessageKind::kEmit:
      return "emit";
    case delivery::MessageKind::kCallback:
      return "callback";
  }
  return "";
}

std::string_view TargetPrefix(TargetKind kind) {
  switch (kind) {
    case TargetKind::kRoute:
      return "route/";
    case TargetKind::kSubscription:
      return "subscription/";
    case TargetKind::kCallback:
      return "callback/";
  }
  return "";
}

Json DeliveryJson(const delivery::MessageSummary& message, const DeliveryView& delivery) {
  Json json;
  json["id"] = delivery.id;
  json["message"] = message.id;
  json["kind"] = std::string(KindName(message.kind));
  json["target"] = StrCat(TargetPrefix(delivery.target.kind), delivery.target.name);
  json["cluster"] = delivery.cluster;
  json["topic"] = message.topic;
  json["request"] = StrCat(message.method, " ", message.authority, message.path_and_query);
  json["key"] = delivery.ordering_key ? Json(*delivery.ordering_key) : Json();
  json["state"] = std::string(delivery::DeliveryStateName(delivery.state));
  json["reason"] = std::string(ReasonName(delivery.reason));
  json["attempts"] = delivery.attempts;
  json["createdAt"] = TimeJson(message.created_at);
  json["startedAt"] = TimeJson(delivery.started_at);
  json["finishedAt"] = TimeJson(delivery.finished_at);
  json["nextAttemptAt"] = TimeJson(delivery.next_attempt_at);
  json["lastStatus"] = delivery.last_status == 0 ? Json() : Json(delivery.last_status);
  json["error"] = delivery.last_error;
  return json;
}

// The answer that was kept, as far as a person wants to look at it.
Json AnswerJson(const delivery::Answer& answer) {
  Json json;
  json["status"] = answer.status;
  json["headers"] = Json::array();
  if (const auto fields = delivery::DecodeFields(answer.headers)) {
    for (const auto& [name, value] : *fields) json["headers"].push_back(StrCat(name, ": ", value));
  }
  json["body"] = answer.body.substr(0, kShownOfAnswer);
  return json;
}

// "%2E" and "+" of a query.
std::string Decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && absl::ascii_isxdigit(text[i + 1]) &&
        absl::ascii_isxdigit(text[i + 2])) {
      out += absl::HexStringToBytes(ToAbsl(text.substr(i + 1, 2)));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

// One field of a filter, from a query or a JSON body.
absl::Status SetField(std::string_view name, const std::string& value, DeliveryFilter& filter) {
  if (name == "state") {
    filter.state = delivery::ParseDeliveryState(value);
    if (!filter.state) {
      return absl::InvalidArgumentError(StrCat(
          "state '", value, "': use pending, running, succeeded, failed, canceled or expired"));
    }
  } else if (name == "target") {
    // Without a prefix it is a subscription.
    std::string_view rest = value;
    TargetKind kind = TargetKind::kSubscription;
    for (TargetKind candidate :
         {TargetKind::kRoute, TargetKind::kSubscription, TargetKind::kCallback}) {
      if (ConsumePrefix(rest, TargetPrefix(candidate))) {
        kind = candidate;
        break;
      }
    }
    filter.target = {kind, std::string(rest)};
  } else if (name == "topic") {
    filter.topic = value;
  } else if (name == "since") {
    absl::Time since;
    std::string error;
    if (!absl::ParseTime(absl::RFC3339_full, value, &since, &error)) {
      return absl::InvalidArgumentError(
          StrCat("since '", value, "' is not a time such as 2026-01-31T12:00:00Z"));
    }
    filter.since = since;
  } else {
    return absl::InvalidArgumentError(
        StrCat("unknown field '", name, "': use state, target, topic or since"));
  }
  return absl::OkStatus();
}

absl::StatusOr<delivery::ListRequest> ParseListQuery(std::string_view query) {
  delivery::ListRequest request;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const size_t equals = std::min(pair.find('='), pair.size());
    const std::string_view name = pair.substr(0, equals);
    const std::string value = Decode(pair.substr(std::min(equals + 1, pair.size())));
    if (name == "page_token") {
      request.page_token = value;
    } else if (name == "limit") {
      if (!absl::SimpleAtoi(value, &request.limit) || request.limit < 1 || request.limit > 1000) {
        return absl::InvalidArgumentError("limit is a number from 1 to 1000");
      }
    } else {
      absl::Status set = SetField(name, value, request.filter);
      if (!set.ok()) return set;
    }
  }
  return request;
}

absl::StatusOr<DeliverySelection> ParseSelection(const std::string& body) {
  static constexpr char kUsage[] =
      R"(the body must be {"ids": ["...", ...]} or {"filter": {"state": "failed", ...}})";
  const nlohmann::json json = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || json.size() != 1) return absl::InvalidArgumentError(kUsage);
  if (const auto ids = json.find("ids"); ids != json.end() && ids->is_array()) {
    std::vector<std::string> list;
    for (const nlohmann::json& id : *ids) {
      if (!id.is_string()) return absl::InvalidArgumentError(kUsage);
      list.push_back(id.get<std::string>());
    }
    return list;
  }
  const auto filter = json.find("filter");
  if (filter == json.end() || !filter->is_object()) return absl::InvalidArgumentError(kUsage);
  DeliveryFilter parsed;
  for (const auto& [name, value] : filter->items()) {
    if (!value.is_string()) return absl::InvalidArgumentError(kUsage);
    absl::Status set = SetField(name, value.get<std::string>(), parsed);
    if (!set.ok()) return set;
  }
  return parsed;
}

class DeliveriesRequest {
 public:
  DeliveriesRequest(http::ServerExchange& exchange, net::Loop& loop, delivery::Engine& engine)
      : exchange_(exchange), loop_(loop), engine_(engine) {}

  net::Task<void> Run() {
    std::string_view path = exchange_.request().path;
    const std::string_view method = exchange_.request().method;
    if (!ConsumePrefix(path, kCollection)) {
      co_await Fail(404, "the admin listener has /.pillion/deliveries");
      co_return;
    }
    const bool replay = ConsumeSuffix(path, kReplay);
    const bool drop = !replay && ConsumeSuffix(path, kDrop);
    ConsumePrefix(path, "/");
    const std::string id(path);
    if (replay || drop) {
      if (method != "POST") {
        co_await Fail(405, "use POST");
        co_return;
      }
      co_await Change(replay, id);
    } else if (method == "GET") {
      if (id.empty()) {
        co_await List();
      } else {
        absl::StatusOr<delivery::MessageView> view =
            co_await GetStatus(engine_, id, exchange_.scope());
        co_await Show(view, 200);
      }
    } else if (method == "DELETE" && !id.empty()) {
      absl::StatusOr<delivery::MessageView> view = co_await Cancel(engine_, id, exchange_.scope());
      co_await Show(view, 202);
    } else {
      co_await Fail(405, "use GET, DELETE with an id, or POST with :replay or :drop");
    }
  }

 private:
  net::Task<void> Fail(int status, std::string_view detail) {
    http::Problem problem(status, "", std::string(detail));
    (void)co_await exchange_.SendProblem(problem, exchange_.scope());
  }

  net::Task<void> FailWith(const absl::Status& why) {
    const int status = absl::IsInvalidArgument(why)      ? 400
                       : absl::IsNotFound(why)           ? 404
                       : absl::IsFailedPrecondition(why) ? 409
                                                         : 503;
    const std::string detail(why.message());
    co_await Fail(status, detail);
  }

  net::Task<void> Send(int status, const Json& json) {
    const std::string body = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
    (void)co_await exchange_.SendWhole(status, "application/json", body, exchange_.scope());
  }

  net::Task<void> List() {
    absl::StatusOr<delivery::ListRequest> request = ParseListQuery(exchange_.request().query);
    if (!request.ok()) {
      co_await FailWith(request.status());
      co_return;
    }
    auto pair = net::MakeFuture<delivery::DeliveryPage>(loop_);
    engine_.ListDeliveries(
        *std::move(request),
        [promise = std::move(pair.first)](absl::StatusOr<delivery::DeliveryPage> page) mutable {
          promise.Set(std::move(page));
        });
    absl::StatusOr<delivery::DeliveryPage> page = co_await pair.second.Get(exchange_.scope());
    if (!page.ok()) {
      co_await FailWith(page.status());
      co_return;
    }
    Json json;
    json["deliveries"] = Json::array();
    for (const delivery::ListedDelivery& listed : page->deliveries) {
      json["deliveries"].push_back(DeliveryJson(listed.message, listed.delivery));
    }
    json["nextPageToken"] = page->next_page_token;
    co_await Send(200, json);
  }

  net::Task<void> Show(const absl::StatusOr<delivery::MessageView>& view, int status) {
    if (!view.ok()) {
      co_await FailWith(view.status());
      co_return;
    }
    Json json;
    json["deliveries"] = Json::array();
    for (const DeliveryView& delivery : view->deliveries) {
      Json entry = DeliveryJson(view->message, delivery);
      absl::StatusOr<delivery::DeliveryResult> result =
          co_await GetResult(engine_, delivery.id, exchange_.scope());
      const bool answered = result.ok() && result->answer;
      entry["answer"] = answered ? AnswerJson(*result->answer) : Json();
      json["deliveries"].push_back(std::move(entry));
    }
    co_await Send(status, json);
  }

  net::Task<void> Change(bool replay, const std::string& id) {
    DeliverySelection selection = std::vector<std::string>{id};
    if (id.empty()) {
      std::string body;
      while (!exchange_.body_done()) {
        absl::StatusOr<std::string_view> piece = co_await exchange_.ReadBody(exchange_.scope());
        if (!piece.ok()) co_return;
        body.append(*piece);
        if (body.size() > kMaxBody) {
          co_await Fail(413, "the body is larger than 1 MiB");
          co_return;
        }
      }
      absl::StatusOr<DeliverySelection> parsed = ParseSelection(body);
      if (!parsed.ok()) {
        co_await FailWith(parsed.status());
        co_return;
      }
      selection = *std::move(parsed);
    }
    auto pair = net::MakeFuture<delivery::ChangeSummary>(loop_);
    auto done =
        [promise = std::move(pair.first)](absl::StatusOr<delivery::ChangeSummary> summary) mutable {
          promise.Set(std::move(summary));
        };
    if (replay) {
      engine_.Replay(std::move(selection), std::move(done));
    } else {
      engine_.Drop(std::move(selection), std::move(done));
    }
    absl::StatusOr<delivery::ChangeSummary> summary = co_await pair.second.Get(exchange_.scope());
    if (!summary.ok()) {
      co_await FailWith(summary.status());
      co_return;
    }
    Json json;
    json["changed"] = summary->changed;
    json["skipped"] = summary->skipped;
    co_await Send(200, json);
  }

  http::ServerExchange& exchange_;
  net::Loop& loop_;
  delivery::Engine& engine_;
};

}  // namespace

net::Task<void> ServeDeliveries(http::ServerExchange& exchange, net::Loop& loop,
                                delivery::Engine& engine) {
  DeliveriesRequest request(exchange, loop, engine);
  co_await request.Run();
}

}  // namespace pillion::sidecar::admin
