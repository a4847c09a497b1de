// What operators ask of deliveries, over REST and over gRPC: two ways to the same answers.
#include <google/protobuf/util/json_util.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pillion/api/v1/deliveries.grpc.pb.h"
#include "tests/integration/delivery/shop.h"
#include "tests/integration/delivery/sidecar_process.h"
#include "tests/integration/harness/origin.h"

namespace pillion::harness {
namespace {

constexpr char kDeliveries[] = "/.pillion/deliveries";
class DeliveriesApi : public Shop {
 protected:
  Json Get(const std::string& rest) const {
    return ParseJson(sidecar_.Admin("GET", absl::StrCat(kDeliveries, rest)));
  }
  Response Post(const std::string& verb, const std::string& body) const {
    return sidecar_.Admin("POST", absl::StrCat(kDeliveries, ":", verb), body);
  }
  std::unique_ptr<api::v1::Deliveries::Stub> Connect() const {
    absl::StatusOr<std::string> port =
        sidecar_.process().WaitForOutput("api on 127.0.0.1:([0-9]+)");
    EXPECT_TRUE(port.ok()) << port.status();
    return api::v1::Deliveries::NewStub(
        grpc::CreateChannel("127.0.0.1:" + *port, grpc::InsecureChannelCredentials()));
  }
};

TEST_F(DeliveriesApi, PagesThroughAListWithTheTokenOfThePageBefore) {
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(Fail());
  std::vector<std::string> seen;
  std::string token;
  do {
    const Json page = Get("?state=failed&page_size=2&page_token=" + token);
    ASSERT_TRUE(page.is_object());
    for (const Json& delivery : page["deliveries"]) seen.push_back(delivery.value("id", ""));
    token = page.value("nextPageToken", "");
  } while (!token.empty());
  EXPECT_EQ(seen, ids);
}

TEST_F(DeliveriesApi, SaysWhatIsWrongWithAQueryAndWhatWouldBeRight) {
  Fail();
  Fail();
  const std::string token = Get("?state=failed&page_size=1").value("nextPageToken", "");
  ASSERT_FALSE(token.empty());
  const std::pair<std::string, std::string> cases[] = {
      {"?state=odd", "state 'odd' is not one of pending, running, "},
      {"?colour=red", "there is no parameter 'colour'; there are page_size, "},
      {"?view=odd", "view 'odd' is not one of basic, full"},
      {"?page_size=1001", "page_size 1001: give a number from 1 to 1000"},
      {"?created_after=now", "created_after 'now' is not a time such as 2026-01-31T12:00:00Z"},
      {"?route=a/b&subscription=c", "no delivery has a route and a subscription"},
      {"?page_token=" + token, "not of a page before with the same filter"},
      {"?page_token=1", "not of a page before with the same filter"},
      {"?state=failed&page_token=x" + token, "the page token is not one that a page before gave"},
  };
  for (const auto& [query, detail] : cases) {
    const Response refused = sidecar_.Admin("GET", kDeliveries + query);
    EXPECT_EQ(refused.status, 400) << query;
    EXPECT_TRUE(absl::StrContains(ParseJson(refused).value("detail", ""), detail)) << refused.body;
  }
}

TEST_F(DeliveriesApi, SaysWhatIsWrongWithAChangeAndChangesNothing) {
  const std::string id = Fail();
  const std::pair<const char*, const char*> cases[] = {
      {"", "expected an object of JSON, such as "},
      {"[]", "expected an object of JSON, such as "},
      {"{}", "give exactly one of ids, filter and all"},
      {R"({"all":true,"filter":{"state":"failed"}})", "give exactly one of ids, filter and all"},
      {R"({"filter":{}})", "an empty one would match everything; say so with all"},
      {R"({"filter":{"odd":"x"}})", "there is no field 'filter.odd'; there are state, kind, "},
      {R"({"filter":{"state":"odd"}})", "filter.state 'odd' is not one of pending, running, "},
      {R"({"filter":{"createdAfter":"now"}})",
       "filter.createdAfter 'now' is not a time such as 2026-01-31T12:00:00Z"},
      {R"({"filter":{"state":"pending"}})",
       "filter.state pending: drop is for deliveries that are succeeded, failed, canceled, "
       "expired"},
      {R"({"all":true,"pageToken":"7"})", "page_token '7'"},
  };
  for (const auto& [body, detail] : cases) {
    const Response refused = Post("drop", body);
    EXPECT_EQ(refused.status, 400) << body;
    EXPECT_TRUE(absl::StrContains(ParseJson(refused).value("detail", ""), detail)) << refused.body;
  }
  EXPECT_EQ(Get("/" + id)["deliveries"].size(), 1u);
}

TEST_F(DeliveriesApi, AnswersWhatIsNotThereWith404AndAWrongMethodWith405) {
  const std::string unknown = absl::StrCat(kDeliveries, "/01ARYZ6S410000000000000000");
  EXPECT_EQ(sidecar_.Admin("GET", unknown).status, 404);
  EXPECT_EQ(sidecar_.Admin("GET", absl::StrCat(kDeliveries, "/a/b")).status, 404);
  EXPECT_EQ(sidecar_.Admin("POST", absl::StrCat(kDeliveries, ":burn"), "{}").status, 404);
  EXPECT_EQ(sidecar_.Admin("GET", absl::StrCat(unknown, "?colour=red")).status, 400);
  EXPECT_EQ(sidecar_.Admin("DELETE", kDeliveries).status, 405);
  EXPECT_EQ(sidecar_.Admin("GET", absl::StrCat(kDeliveries, ":drop")).Header("allow"), "POST");
}

TEST_F(DeliveriesApi, CancelsWhatRunsAndAbortsIt) {
  const Response accepted = sidecar_.Call("POST", "http://shop/report", "{}");
  ASSERT_TRUE(origin_.WaitForRequests(1));
  const std::string id = ParseJson(accepted).value("id", "");
  EXPECT_EQ(Get("?state=running&kind=async&route=shop/report")["deliveries"].size(), 1u);
  const Response canceled = Post("cancel", R"({"filter":{"route":"shop/report"}})");
  EXPECT_EQ(ParseJson(canceled).value("changed", 0), 1) << canceled.body;
  EXPECT_EQ(sidecar_.AwaitFinal(accepted).value("status", ""), "canceled");
  const Response again = Post("cancel", absl::StrCat(R"({"ids":[")", id, R"("]})"));
  EXPECT_EQ(ParseJson(again).value("skipped", 0), 1) << again.body;
}

TEST_F(DeliveriesApi, ChangesWhatIsMeantUnlessAStateIsNamed) {
  const auto change = [this](const std::string& verb, const std::string& body) {
    return ParseJson(Post(verb, body)).value("changed", -1);
  };
  sidecar_.AwaitFinal(sidecar_.Call("POST", "http://shop/yes", "x"));
  Fail();
  ASSERT_EQ(sidecar_.Call("POST", "http://shop/yes", "x", {{"Pillion-Delay", "1h"}}).status, 202);
  EXPECT_EQ(change("cancel", R"({"all":true})"), 1);
  EXPECT_EQ(change("drop", R"({"filter":{"state":"canceled","topic":"no"}})"), 0);
  EXPECT_EQ(change("replay", R"({"filter":{"topic":"yes"}})"), 0) << "what was canceled";
  EXPECT_EQ(change("replay", R"({"filter":{"topic":"yes","state":"canceled"}})"), 1);
  EXPECT_EQ(change("replay", R"({"filter":{"topic":"no"}})"), 1) << "what failed";
  ASSERT_TRUE(Eventually([this] {
    return Get("?state=failed")["deliveries"].size() == 1 &&
           Get("?state=succeeded")["deliveries"].size() == 2;
  }));
  ASSERT_EQ(sidecar_.Call("POST", "http://shop/yes", "x", {{"Pillion-Delay", "1h"}}).status, 202);
  EXPECT_EQ(change("drop", R"({"all":true})"), 1) << "what failed, and not what succeeded";
  EXPECT_EQ(change("drop", R"({"filter":{"state":"succeeded"}})"), 2);
  EXPECT_EQ(Post("drop", R"({"filter":{"subscription":""}})").status, 400);
  const Json left = Get("")["deliveries"];
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].value("state", ""), "PENDING");
}

TEST_F(DeliveriesApi, SaysWhatAPendingDeliveryWaitsFor) {
  const auto waits = [this](const std::string& filter) {
    std::map<std::string, int> counts;
    const Json page = Get(filter);
    for (const Json& delivery : page["deliveries"]) {
      ++counts[delivery.value("waitsFor", "nothing")];
    }
    return counts;
  };
  using Counts = std::map<std::string, int>;
  Fail();
  EXPECT_EQ(waits(""), (Counts{{"nothing", 1}}));
  for (const char* delay : {"1h", "0s"}) {
    const Headers headers = {{"X-Key", "k"}, {"Pillion-Delay", delay}};
    ASSERT_EQ(sidecar_.Call("POST", "http://shop/no", "x", headers).status, 202);
  }
  EXPECT_EQ(waits("?key=k"), (Counts{{"DELAY", 1}, {"KEY", 1}}));
  for (int i = 0; i < 2; ++i) sidecar_.Call("POST", "http://shop/report");
  ASSERT_TRUE(Eventually([&] {
    return waits("?route=shop/report") == Counts{{"TURN", 1}, {"nothing", 1}};
  })) << Get("?route=shop/report");
  std::thread order([this] { sidecar_.Call("POST", "http://shop/order"); });
  EXPECT_TRUE(Eventually([&] { return waits("?kind=emit") == Counts{{"CALL", 1}}; }));
  gate_.Open();
  order.join();
  EndLongWork();
  EXPECT_TRUE(Eventually([&] {
    return waits("?kind=callback") == Counts{{"RETRY", 1}};
  })) << Get("?kind=callback");
}

TEST_F(DeliveriesApi, FindsOperationsAndTheirCallbacksByTheirRoute) {
  const std::string id = EndLongWork();
  const Json both = Get("?route=shop/long")["deliveries"];
  ASSERT_EQ(both.size(), 2u);
  for (const Json& delivery : both) EXPECT_EQ(delivery.value("route", ""), "shop/long");
  const Json operation = Get("?route=shop/long&kind=async")["deliveries"];
  ASSERT_EQ(operation.size(), 1u);
  EXPECT_EQ(operation[0].value("id", ""), id);
  const Json callback = Get("?route=shop/long&kind=callback")["deliveries"];
  ASSERT_EQ(callback.size(), 1u);
  EXPECT_EQ(callback[0].value("id", ""), both[1].value("id", "?"));
}

TEST_F(DeliveriesApi, SaysTheSameOverGrpcAsOverRest) {
  const std::string id = Fail({{"X-Key", "k"}});
  sidecar_.AwaitFinal(sidecar_.Call("POST", "http://shop/yes", "x"));
  const auto stub = Connect();
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;

  grpc::ClientContext list_context;
  api::v1::ListDeliveriesRequest list;
  list.mutable_filter()->set_state(api::v1::Delivery::FAILED);
  api::v1::ListDeliveriesResponse listed;
  ASSERT_TRUE(stub->ListDeliveries(&list_context, list, &listed).ok());
  ASSERT_EQ(listed.deliveries_size(), 1);
  EXPECT_EQ(listed.deliveries(0).id(), id);
  std::string json;
  ASSERT_TRUE(google::protobuf::util::MessageToJsonString(listed, &json, options).ok());
  EXPECT_EQ(Json::parse(json), Get("?state=failed"));

  grpc::ClientContext get_context;
  api::v1::GetDeliveryRequest get;
  get.set_id(id);
  api::v1::GetDeliveryResponse got;
  ASSERT_TRUE(stub->GetDelivery(&get_context, get, &got).ok());
  EXPECT_EQ(got.deliveries(0).answer().status(), 422u);
  EXPECT_EQ(got.deliveries(0).answer().body(), "no, thanks");
  EXPECT_EQ(got.deliveries(0).reason(), api::v1::Delivery::REJECTED);
  json.clear();
  ASSERT_TRUE(google::protobuf::util::MessageToJsonString(got, &json, options).ok());
  EXPECT_EQ(Json::parse(json), Get("/" + id));
}

TEST_F(DeliveriesApi, SaysHowFarFollowedWorkIsAndWhichMessageTellsOfItsEnd) {
  const Response accepted = sidecar_.Call("POST", "http://shop/long", "{}");
  const std::string id = ParseJson(accepted).value("id", "");
  const auto show = [&] { return Get("/" + id)["deliveries"][0]; };
  ASSERT_TRUE(Eventually([&] { return show().value("percentComplete", 0) == 40; })) << show();
  EXPECT_EQ(show().value("continues", false), true);
  EXPECT_EQ(Get("?route=shop/long")["deliveries"][0].value("percentComplete", 0), 40);
  EXPECT_FALSE(show().contains("callbackId"));

  work_is_done_ = true;
  ASSERT_EQ(sidecar_.AwaitFinal(accepted).value("status", ""), "succeeded");
  EXPECT_EQ(show().value("continues", true), false);
  EXPECT_EQ(show().value("percentComplete", 0), 100);
  const std::string callback = show().value("callbackId", "");
  const Json told = Get("/" + callback)["deliveries"];
  ASSERT_EQ(told.size(), 1u) << callback;
  EXPECT_EQ(told[0].value("kind", ""), "CALLBACK");
  EXPECT_EQ(told[0].value("messageId", ""), callback);
}

TEST_F(DeliveriesApi, HasThePayloadIfItIsAskedForInFull) {
  const std::string event = Fail({{"Content-Type", "text/plain"}, {"X-Key", "k"}});
  EXPECT_FALSE(Get("/" + event)["deliveries"][0].contains("payload"));
  EXPECT_FALSE(Get("?view=basic")["deliveries"][0].contains("payload"));
  EXPECT_FALSE(Get("")["deliveries"][0].contains("answer"));
  const Json full = Get("/" + event + "?view=full");
  EXPECT_EQ(Get("?view=FULL"), (Json{{"deliveries", full["deliveries"]}, {"nextPageToken", ""}}));
  const Json payload = full["deliveries"][0]["payload"];
  EXPECT_EQ(payload.value("body", ""), "x");
  EXPECT_EQ(payload.value("bodyBytes", 0), 1);
  EXPECT_EQ(payload["headers"], Json::array());
  const Json attributes = payload["attributes"];
  EXPECT_EQ(attributes.value("specversion", ""), "1.0");
  EXPECT_EQ(attributes.value("type", ""), "no");
  EXPECT_EQ(attributes.value("source", ""), "/services/web");
  EXPECT_EQ(attributes.value("partitionkey", ""), "k");
  EXPECT_EQ(attributes.value("datacontenttype", ""), "text/plain");
  EXPECT_EQ(attributes.value("id", ""), full["deliveries"][0].value("messageId", "?"));
  EXPECT_EQ(attributes.value("time", ""), full["deliveries"][0].value("createdAt", "?"));

  const auto stub = Connect();
  grpc::ClientContext context;
  api::v1::GetDeliveryRequest get;
  get.set_id(event);
  get.set_view(api::v1::Delivery::FULL);
  api::v1::GetDeliveryResponse got;
  ASSERT_TRUE(stub->GetDelivery(&context, get, &got).ok());
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  std::string json;
  ASSERT_TRUE(google::protobuf::util::MessageToJsonString(got, &json, options).ok());
  EXPECT_EQ(Json::parse(json), full);
}

TEST_F(DeliveriesApi, HasTheCallersHeadersWithoutWhatGivesAccess) {
  work_is_done_ = true;
  const std::string bytes("\xFF\x00\x01", 3);
  const Response accepted = sidecar_.Call("POST", "http://shop/long?a=1", bytes,
                                          {{"Authorization", "Bearer hush"},
                                           {"X-Api-Key", "hush"},
                                           {"X-Auth-Key", "hush"},
                                           {"X-Session_Id", "hush"},
                                           {"X-Tier", "gold"}});
  ASSERT_EQ(sidecar_.AwaitFinal(accepted).value("status", ""), "succeeded");
  const Response full = sidecar_.Admin(
      "GET", absl::StrCat(kDeliveries, "/", ParseJson(accepted).value("id", ""), "?view=full"));
  EXPECT_FALSE(absl::StrContains(full.body, "hush")) << full.body;
  const Json delivery = ParseJson(full)["deliveries"][0];
  const Json payload = delivery["payload"];
  EXPECT_EQ(delivery.value("path", ""), "/long?a=1");
  EXPECT_EQ(payload.value("bodyBase64", ""), "/wAB");
  EXPECT_FALSE(payload.contains("body"));
  EXPECT_EQ(payload["attributes"], Json::object());
  std::map<std::string, std::string> headers;
  for (const Json& header : payload["headers"]) {
    headers[absl::AsciiStrToLower(header.value("name", ""))] = header.value("value", "");
  }
  EXPECT_EQ(headers["authorization"], "[redacted]");
  EXPECT_EQ(headers["x-api-key"], "[redacted]");
  EXPECT_EQ(headers["x-tier"], "gold");
}

TEST_F(DeliveriesApi, GivesThePayloadOfSeveralDeliveriesOfAMessageOnce) {
  const Response accepted = sidecar_.Call("POST", "http://shop/both", "for both");
  const std::string id = ParseJson(accepted).value("id", "");
  sidecar_.AwaitFinal(accepted);
  const Json deliveries = Get("/" + id + "?view=full")["deliveries"];
  ASSERT_EQ(deliveries.size(), 2u);
  EXPECT_EQ(deliveries[0]["payload"].value("body", ""), "for both");
  EXPECT_FALSE(deliveries[1].contains("payload"));
  const Json all = Get("?view=full");
  for (const Json& delivery : all["deliveries"]) {
    EXPECT_EQ(delivery["payload"].value("body", ""), "for both");
  }
}

TEST_F(DeliveriesApi, GivesNoMoreThanTwoMebibytesInAPageOfFullDeliveries) {
  const std::string large(900'000, 'x');
  const std::string huge(3'000'000, 'x');
  std::vector<std::string> ids;
  for (const std::string* body : {&large, &large, &large, &huge, &large}) {
    const Response accepted = sidecar_.Call("POST", "http://shop/no", *body);
    ids.push_back(sidecar_.AwaitFinal(accepted)["deliveries"][0].value("id", ""));
  }
  std::vector<std::string> seen;
  std::vector<size_t> sizes;
  std::string token;
  do {
    const Json page = Get("?view=full&page_token=" + token);
    ASSERT_TRUE(page.is_object());
    sizes.push_back(page["deliveries"].size());
    for (const Json& delivery : page["deliveries"]) {
      seen.push_back(delivery.value("id", ""));
      EXPECT_EQ(delivery["payload"].value("body", "").size(),
                delivery["payload"].value("bodyBytes", 0u));
    }
    token = page.value("nextPageToken", "");
  } while (!token.empty());
  EXPECT_EQ(seen, ids);
  EXPECT_EQ(sizes, (std::vector<size_t>{2, 1, 1, 1}));
}

TEST_F(DeliveriesApi, LeavesOutABodyThatIsTooLongToTell) {
  const Response accepted =
      sidecar_.Call("POST", "http://shop/vast", std::string((16 << 20) + 1, 'x'));
  ASSERT_EQ(accepted.status, 202);
  sidecar_.AwaitFinal(accepted);
  const Json payload = Get("?view=full")["deliveries"][0]["payload"];
  EXPECT_FALSE(payload.contains("body"));
  EXPECT_EQ(payload.value("bodyBytes", 0), (16 << 20) + 1);
}

TEST_F(DeliveriesApi, ChangesOverGrpcAndSaysWhatIsWrong) {
  const std::string id = Fail();
  const auto stub = Connect();
  {
    grpc::ClientContext context;
    api::v1::ChangeDeliveriesResponse response;
    const grpc::Status status = stub->DropDeliveries(&context, {}, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_TRUE(absl::StrContains(status.error_message(), "exactly one of ids, filter and all"));
  }
  {
    grpc::ClientContext context;
    api::v1::ListDeliveriesRequest request;
    request.mutable_filter()->set_kind(static_cast<api::v1::Delivery::Kind>(77));
    api::v1::ListDeliveriesResponse response;
    const grpc::Status status = stub->ListDeliveries(&context, request, &response);
    EXPECT_EQ(status.error_message(), "filter.kind: 77 is no value of this enum");
  }
  {
    grpc::ClientContext context;
    api::v1::GetDeliveryRequest request;
    request.set_id(id);
    request.set_view(static_cast<api::v1::Delivery::View>(77));
    api::v1::GetDeliveryResponse response;
    const grpc::Status status = stub->GetDelivery(&context, request, &response);
    EXPECT_EQ(status.error_message(), "view: 77 is no value of this enum");
  }
  {
    grpc::ClientContext context;
    api::v1::GetDeliveryRequest request;
    request.set_id("nobody");
    api::v1::GetDeliveryResponse response;
    EXPECT_EQ(stub->GetDelivery(&context, request, &response).error_code(),
              grpc::StatusCode::NOT_FOUND);
  }
  const size_t before = origin_.request_count();
  api::v1::ChangeDeliveriesRequest request;
  request.add_ids(id);
  request.add_ids("nobody");
  {
    grpc::ClientContext context;
    api::v1::ChangeDeliveriesResponse response;
    ASSERT_TRUE(stub->ReplayDeliveries(&context, request, &response).ok());
    EXPECT_EQ(response.changed(), 1u);
    ASSERT_EQ(response.unknown_ids_size(), 1);
    EXPECT_EQ(response.unknown_ids(0), "nobody");
  }
  ASSERT_TRUE(origin_.WaitForRequests(before + 1));
  ASSERT_TRUE(Eventually([&] { return Get("?state=failed")["deliveries"].size() == 1; }));
  {
    grpc::ClientContext context;
    api::v1::ChangeDeliveriesResponse response;
    ASSERT_TRUE(stub->CancelDeliveries(&context, request, &response).ok());
    EXPECT_EQ(response.skipped(), 1u);
  }
  grpc::ClientContext context;
  api::v1::ChangeDeliveriesResponse response;
  ASSERT_TRUE(stub->DropDeliveries(&context, request, &response).ok());
  EXPECT_EQ(response.changed(), 1u);
  EXPECT_EQ(Get("")["deliveries"].size(), 0u);
}

TEST_F(DeliveriesApi, EndsWithTheSidecarThoughAClientIsConnected) {
  const auto stub = Connect();
  grpc::ClientContext context;
  api::v1::ListDeliveriesResponse response;
  ASSERT_TRUE(stub->ListDeliveries(&context, {}, &response).ok());
  const absl::StatusOr<ExitStatus> ended = sidecar_.Terminate();
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(*ended, ExitStatus::Code(0));
}

TEST(DeliveriesApiAddress, ThatCannotBeHadIsAnErrorAtStart) {
  Origin origin(YesOrNo);
  SidecarProcess sidecar(ShopPolicy(origin), "",
                         {"", absl::StrCat("api: { address: '127.0.0.1:", origin.port(), "' }\n")});
  const absl::StatusOr<Finished> finished = sidecar.StartToFail();
  ASSERT_TRUE(finished.ok()) << finished.status();
  EXPECT_EQ(finished->status, ExitStatus::Code(1));
  EXPECT_TRUE(absl::StrContains(finished->output, "cannot start: api: ")) << finished->output;
}

}  // namespace
}  // namespace pillion::harness
