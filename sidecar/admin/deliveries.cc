#include "sidecar/admin/deliveries.h"

#include <google/protobuf/util/json_util.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/types/span.h"
#include "core/net/future.h"
#include "core/strings.h"
#include "sidecar/admin/deliveries_api.h"
#include "sidecar/admin/request_fields.h"
#include "sidecar/delivery/engine.h"

namespace pillion::sidecar::admin {
namespace {

using delivery::ChangeRequest;

constexpr std::string_view kCollection = "/.pillion/deliveries";
constexpr size_t kMaxBody = 1024 * 1024;

struct Verb {
  std::string_view suffix;
  ChangeRequest::Kind kind;
};
constexpr Verb kVerbs[] = {{":replay", ChangeRequest::Kind::kReplay},
                           {":cancel", ChangeRequest::Kind::kCancel},
                           {":drop", ChangeRequest::Kind::kDrop}};

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  std::string json;
  // Fails for texts that are no UTF-8 and times out of range; neither occurs.
  (void)google::protobuf::util::MessageToJsonString(message, &json, options);
  return json;
}

class DeliveriesRequest {
 public:
  DeliveriesRequest(http::ServerExchange& exchange, net::Loop& loop, delivery::Engine& engine)
      : exchange_(exchange), loop_(loop), engine_(engine) {}

  net::Task<void> Run() {
    std::string_view path = exchange_.request().path;
    if (!ConsumePrefix(path, kCollection)) {
      co_await Fail(404, "the admin listener has /.pillion/deliveries");
      co_return;
    }
    for (const Verb& verb : kVerbs) {
      if (path != verb.suffix) continue;
      co_await Change(verb.kind);
      co_return;
    }
    if (path.empty()) {
      co_await List();
    } else if (ConsumePrefix(path, "/") && path.find_first_of("/:") == std::string_view::npos) {
      const std::string id(path);
      co_await Get(id);
    } else {
      co_await Fail(404,
                    "there are /.pillion/deliveries, /.pillion/deliveries/ID and "
                    "/.pillion/deliveries:replay, :cancel and :drop");
    }
  }

 private:
  net::Task<void> Fail(int status, std::string_view detail) {
    const http::Problem problem(status, "", std::string(detail));
    (void)co_await exchange_.SendProblem(problem, exchange_.scope());
  }

  net::Task<void> FailWith(const absl::Status& why) {
    const int status = absl::IsInvalidArgument(why) ? 400 : absl::IsNotFound(why) ? 404 : 503;
    return Fail(status, FromAbsl(why.message()));
  }

  // True if the method is `method`; else it has answered.
  net::Task<bool> Allows(std::string_view method) {
    if (exchange_.request().method == method) co_return true;
    http::Problem problem(405, "", StrCat("use ", method));
    problem.headers.emplace_back("allow", std::string(method));
    (void)co_await exchange_.SendProblem(problem, exchange_.scope());
    co_return false;
  }

  // Asks the API, waits, and answers. `ask` is called with the reply's callback.
  template <typename Response, typename Ask>
  net::Task<void> Answer(Ask ask) {
    auto pair = net::MakeFuture<Response>(loop_);
    ask([promise = std::move(pair.first)](absl::StatusOr<Response> response) mutable {
      promise.Set(std::move(response));
    });
    absl::StatusOr<Response> response = co_await pair.second.Get(exchange_.scope());
    if (!response.ok()) {
      co_await FailWith(response.status());
      co_return;
    }
    const std::string body = ToJson(*response);
    (void)co_await exchange_.SendWhole(200, "application/json", body, exchange_.scope());
  }

  net::Task<void> List() {
    const bool allowed = co_await Allows("GET");
    if (!allowed) co_return;
    api::v1::ListDeliveriesRequest request;
    absl::Status read =
        SetFieldsFromQuery(exchange_.request().query, {&request, request.mutable_filter()});
    if (!read.ok()) {
      co_await FailWith(read);
      co_return;
    }
    auto ask = [&](auto reply) { ListDeliveries(engine_, request, std::move(reply)); };
    co_await Answer<api::v1::ListDeliveriesResponse>(ask);
  }

  net::Task<void> Get(std::string id) {
    const bool allowed = co_await Allows("GET");
    if (!allowed) co_return;
    api::v1::GetDeliveryRequest request;
    request.set_id(std::move(id));
    absl::Status read = SetFieldsFromQuery(exchange_.request().query, {&request});
    if (!read.ok()) {
      co_await FailWith(read);
      co_return;
    }
    auto ask = [&](auto reply) { GetDelivery(engine_, request, std::move(reply)); };
    co_await Answer<api::v1::GetDeliveryResponse>(ask);
  }

  net::Task<void> Change(ChangeRequest::Kind kind) {
    const bool allowed = co_await Allows("POST");
    if (!allowed) co_return;
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
    api::v1::ChangeDeliveriesRequest request;
    absl::Status read = SetFieldsFromJson(body, request);
    if (!read.ok()) {
      co_await FailWith(read);
      co_return;
    }
    auto ask = [&](auto reply) { ChangeDeliveries(engine_, kind, request, std::move(reply)); };
    co_await Answer<api::v1::ChangeDeliveriesResponse>(ask);
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
