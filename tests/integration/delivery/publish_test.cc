// Published messages on their way to subscribers: who gets them, and what stands in them.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "tests/integration/delivery/sidecar_process.h"
#include "tests/integration/harness/origin.h"

namespace pillion::harness {
namespace {

constexpr char kTraceparent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

Response Ok(const Request&) { return Response{.status = 204}; }

// Every route publishes; a subscription's path is its name.
std::string Policy(const Origin& subscriber, const std::string& subscriptions) {
  return absl::Substitute(R"(
clusters:
- { name: hub, endpoints: ["127.0.0.1:$0"] }
virtual_hosts:
- name: shop
  domains: [shop]
  routes:
  - { match: { path: /signup }, publish: { topic: user.signed-up, key: { header: x-user } } }
  - { match: { path: /silent }, publish: { topic: user.silent, payload: NONE } }
  - { match: { path: /deep }, publish: { topic: user.a.b.c } }
  - { match: { path: /lonely }, publish: { topic: nobody.listens } }
  - match: { path: /own }
    publish: { topic: user.own, respond: { status: 200, body: 'ok {operation} {status_url}' } }
subscriptions:
$1)",
                          subscriber.port(), subscriptions);
}

std::string Subscription(const std::string& name, const std::string& topic,
                         const std::string& more = "") {
  return absl::Substitute("- { name: $0, topic: '$1', cluster: hub, path: /$0$2 }\n", name, topic,
                          more);
}

// The only request to a path. An empty one, and a failure, if there is not exactly one.
Request Only(const Origin& origin, const std::string& path) {
  std::vector<Request> found;
  for (const Request& request : origin.requests()) {
    if (request.target == path) found.push_back(request);
  }
  EXPECT_EQ(found.size(), 1u) << path;
  return found.size() == 1 ? found[0] : Request();
}

TEST(Publish, ReachesEverySubscriptionWhosePatternTakesTheTopic) {
  Origin hub(Ok);
  SidecarProcess sidecar(
      Policy(hub, Subscription("exact", "user.signed-up") + Subscription("star", "user.*") +
                      Subscription("all", "**") + Subscription("deep", "user.**") +
                      Subscription("other", "order.*")));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://shop/signup", "ann");
  EXPECT_EQ(accepted.status, 202) << accepted.body;
  const Json body = ParseJson(accepted);
  const std::string id = body.value("id", "");
  EXPECT_EQ(accepted.Header("location"), "/.pillion/messages/" + id);
  EXPECT_EQ(body.value("statusUrl", ""), "http://shop/.pillion/messages/" + id);
  const Json status = sidecar.AwaitFinal(accepted);
  EXPECT_EQ(status.value("status", ""), "succeeded") << status;
  EXPECT_EQ(status.value("topic", ""), "user.signed-up");
  std::set<std::string> reached;
  for (const Json& delivery : status["deliveries"]) {
    EXPECT_EQ(delivery.value("status", ""), "succeeded");
    EXPECT_EQ(delivery.value("attempts", 0), 1);
    EXPECT_EQ(delivery.value("lastStatus", 0), 204);
    const std::string name = delivery.value("subscription", "");
    reached.insert(name);
    EXPECT_EQ(Only(hub, "/" + name).Header("pillion-delivery-id"), delivery.value("id", ""));
  }
  EXPECT_EQ(reached, (std::set<std::string>{"exact", "star", "all", "deep"}));

  ASSERT_TRUE(IsFinal(sidecar.AwaitFinal(sidecar.Call("POST", "http://shop/deep", "x"))));
  const std::vector<Request> requests = hub.requests();
  std::multiset<std::string> paths;
  for (const Request& request : requests) paths.insert(request.target);
  EXPECT_EQ(paths,
            (std::multiset<std::string>{"/exact", "/star", "/all", "/all", "/deep", "/deep"}));
}

TEST(Publish, MakesACloudEventInBinaryMode) {
  Origin hub(Ok);
  SidecarProcess sidecar(Policy(hub, Subscription("hub", "user.*")));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://shop/signup", R"({"name":"Ann"})",
                                         {{"Content-Type", "application/json"},
                                          {"X-User", "ann \"1\"%"},
                                          {"traceparent", kTraceparent}});
  ASSERT_TRUE(IsFinal(sidecar.AwaitFinal(accepted)));
  const Request event = Only(hub, "/hub");
  EXPECT_EQ(event.method, "POST");
  EXPECT_EQ(event.body, R"({"name":"Ann"})");
  EXPECT_EQ(event.Header("content-type"), "application/json");
  EXPECT_EQ(event.Header("ce-specversion"), "1.0");
  EXPECT_EQ(event.Header("ce-id"), ParseJson(accepted).value("id", ""));
  EXPECT_EQ(event.Header("ce-source"), "/services/web");
  EXPECT_EQ(event.Header("ce-type"), "user.signed-up");
  EXPECT_EQ(event.Header("ce-subject"), "/signup");
  EXPECT_EQ(event.Header("ce-partitionkey"), "ann%20%221%22%25");
  EXPECT_EQ(event.Header("ce-traceparent"), kTraceparent);
  EXPECT_NE(event.Header("ce-time").value_or(""), "");
  EXPECT_EQ(event.Header("pillion-attempt"), "1");
}

TEST(Publish, MakesACloudEventInStructuredMode) {
  Origin hub(Ok);
  SidecarProcess sidecar(Policy(hub, Subscription("hub", "user.*", ", content_mode: STRUCTURED")));
  ASSERT_TRUE(sidecar.Start().ok());
  const auto publish = [&](const std::string& body, const std::string& type) {
    const size_t before = hub.request_count();
    EXPECT_TRUE(IsFinal(sidecar.AwaitFinal(sidecar.Call(
        "POST", "http://shop/signup", body, {{"Content-Type", type}, {"X-User", "ann b"}}))));
    EXPECT_EQ(hub.request_count(), before + 1);
    const Request event = hub.requests().back();
    EXPECT_TRUE(absl::StartsWith(event.Header("content-type").value_or(""),
                                 "application/cloudevents+json"));
    const Json json = Json::parse(event.body, nullptr, false);
    EXPECT_EQ(json.value("specversion", ""), "1.0");
    EXPECT_EQ(json.value("type", ""), "user.signed-up");
    EXPECT_EQ(json.value("partitionkey", ""), "ann b");
    EXPECT_EQ(json.value("datacontenttype", ""), type);
    return json;
  };
  EXPECT_EQ(publish(R"({"name":"Ann"})", "application/json")["data"], Json({{"name", "Ann"}}));
  EXPECT_EQ(publish("plain", "text/plain")["data"], "plain");
  EXPECT_EQ(publish(std::string("\0\xff", 2), "application/octet-stream")["data_base64"], "AP8=");
}

TEST(Publish, KeepsTheAttributesOfABinaryCloudEvent) {
  Origin hub(Ok);
  SidecarProcess sidecar(Policy(hub, Subscription("hub", "user.*")));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://shop/signup", "<a/>",
                                         {{"ce-specversion", "1.0"},
                                          {"ce-id", "my-1"},
                                          {"ce-source", "/mine"},
                                          {"ce-type", "my.type"},
                                          {"ce-subject", "Euro %E2%82%AC"},
                                          {"ce-time", "2026-01-31T12:00:00Z"},
                                          {"ce-extra", "x"},
                                          {"Content-Type", "application/xml"}});
  ASSERT_TRUE(IsFinal(sidecar.AwaitFinal(accepted))) << accepted.body;
  const Request event = Only(hub, "/hub");
  EXPECT_EQ(event.Header("ce-id"), "my-1");
  EXPECT_EQ(event.Header("ce-source"), "/mine");
  EXPECT_EQ(event.Header("ce-type"), "my.type");
  EXPECT_EQ(event.Header("ce-subject"), "Euro%20%E2%82%AC");
  EXPECT_EQ(event.Header("ce-time"), "2026-01-31T12:00:00Z");
  EXPECT_EQ(event.Header("ce-extra"), "x");
  EXPECT_EQ(event.Header("content-type"), "application/xml");
  EXPECT_EQ(event.body, "<a/>");
}

TEST(Publish, UnpacksAStructuredCloudEvent) {
  Origin hub(Ok);
  SidecarProcess sidecar(Policy(hub, Subscription("hub", "user.*")));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call(
      "POST", "http://shop/signup",
      R"({"specversion":"1.0","id":"my-2","source":"/mine","type":"my.type","n":7,"data":{"a":[1]}})",
      {{"Content-Type", "application/cloudevents+json; charset=utf-8"}});
  ASSERT_TRUE(IsFinal(sidecar.AwaitFinal(accepted))) << accepted.body;
  const Request event = Only(hub, "/hub");
  EXPECT_EQ(event.Header("ce-id"), "my-2");
  EXPECT_EQ(event.Header("ce-n"), "7");
  EXPECT_EQ(event.Header("content-type"), "application/json");
  EXPECT_EQ(event.body, R"({"a":[1]})");
}

TEST(Publish, GivesAnEventWithoutDataNoTypeOfIt) {
  Origin hub(Ok);
  SidecarProcess sidecar(Policy(hub, Subscription("hub", "user.*")));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted =
      sidecar.Call("POST", "http://shop/signup",
                   R"({"specversion":"1.0","id":"my-3","source":"/mine","type":"my.type"})",
                   {{"Content-Type", "application/cloudevents+json"}});
  ASSERT_TRUE(IsFinal(sidecar.AwaitFinal(accepted))) << accepted.body;
  const Request event = Only(hub, "/hub");
  EXPECT_EQ(event.Header("ce-id"), "my-3");
  EXPECT_EQ(event.Header("content-type"), std::nullopt);
  EXPECT_EQ(event.body, "");
}

TEST(Publish, RefusesWhatIsNoCloudEventAndStoresNothing) {
  Origin hub(Ok);
  SidecarProcess sidecar(Policy(hub, Subscription("hub", "user.*")));
  ASSERT_TRUE(sidecar.Start().ok());
  const auto publish = [&](const std::string& body, Headers headers) {
    return sidecar.Call("POST", "http://shop/signup", body, std::move(headers));
  };
  const Response incomplete = publish("{}", {{"ce-specversion", "1.0"}, {"ce-id", "1"}});
  EXPECT_EQ(incomplete.status, 400);
  EXPECT_TRUE(absl::StrContains(incomplete.body, "source")) << incomplete.body;
  EXPECT_EQ(publish("[1", {{"Content-Type", "application/cloudevents+json"}}).status, 400);
  const Response coded = publish("\x1f\x8b", {{"Content-Encoding", "gzip"}});
  EXPECT_EQ(coded.status, 415);
  EXPECT_TRUE(absl::StrContains(coded.body, "content-encoding 'gzip'")) << coded.body;
  // The key becomes an attribute, too.
  const Response large = publish("{}", {{"X-User", std::string(5000, 'x')}});
  EXPECT_EQ(large.status, 400);
  EXPECT_TRUE(absl::StrContains(large.body, "'partitionkey'")) << large.body;
  EXPECT_EQ(ParseJson(sidecar.Admin("GET", "/.pillion/deliveries"))["deliveries"].size(), 0u);
  EXPECT_EQ(publish("{}", {{"Content-Encoding", "identity"}}).status, 202);
}

const Headers kBatch = {{"Content-Type", "application/cloudevents-batch+json; charset=utf-8"},
                        {"X-User", "ann"}};

std::string Event(const std::string& id, const std::string& more = "") {
  return absl::Substitute(R"({"specversion":"1.0","id":"$0","source":"/mine","type":"my.$0"$1})",
                          id, more);
}

TEST(PublishBatch, MakesAMessageOfEachEventWithItsOwnAttributes) {
  Origin hub(Ok);
  SidecarProcess sidecar(Policy(hub, Subscription("hub", "user.*")));
  ASSERT_TRUE(sidecar.Start().ok());
  const std::string body =
      absl::StrCat("[", Event("a", R"(,"partitionkey":"own","data":{"n":1})"), ",",
                   Event("b", R"(,"datacontenttype":"text/plain","data":"two","myext":"x")"), ",",
                   Event("c"), "]");
  const Response accepted = sidecar.Call("POST", "http://shop/signup", body, kBatch);
  ASSERT_EQ(accepted.status, 202) << accepted.body;
  EXPECT_EQ(accepted.Header("location"), std::nullopt);
  const Json messages = ParseJson(accepted)["messages"];
  ASSERT_EQ(messages.size(), 3u) << accepted.body;
  std::set<std::string> ids;
  for (const Json& message : messages) {
    const std::string id = message.value("id", "");
    ids.insert(id);
    EXPECT_EQ(message.value("status", ""), "pending");
    EXPECT_EQ(message.value("statusUrl", ""), "http://shop/.pillion/messages/" + id);
    Response one;
    one.headers = {{"Location", "/.pillion/messages/" + id}};
    EXPECT_EQ(sidecar.AwaitFinal(one).value("status", ""), "succeeded");
  }
  EXPECT_EQ(ids.size(), 3u);
  std::map<std::string, Request> events;
  for (const Request& request : hub.requests()) {
    events[request.Header("ce-id").value_or("")] = request;
  }
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events["a"].body, R"({"n":1})");
  EXPECT_EQ(events["a"].Header("ce-partitionkey"), "own");
  EXPECT_EQ(events["a"].Header("content-type"), "application/json");
  EXPECT_EQ(events["b"].body, "two");
  EXPECT_EQ(events["b"].Header("ce-partitionkey"), "ann");
  EXPECT_EQ(events["b"].Header("ce-myext"), "x");
  EXPECT_EQ(events["b"].Header("ce-type"), "my.b");
  EXPECT_EQ(events["c"].body, "");
  EXPECT_EQ(events["c"].Header("content-type"), std::nullopt);
}

TEST(PublishBatch, IsRefusedAsAWholeForOneBadEventAndSaysWhich) {
  Origin hub(Ok);
  SidecarProcess sidecar(Policy(hub, Subscription("hub", "user.*")));
  ASSERT_TRUE(sidecar.Start().ok());
  std::string many = absl::StrCat("[", Event("0"));
  for (int i = 1; i <= 1000; ++i) absl::StrAppend(&many, ",", Event(std::to_string(i)));
  struct Case {
    std::string body;
    int status;
    const char* detail;
  };
  const Case cases[] = {
      {absl::StrCat("[", Event("a"), R"(,{"specversion":"1.0","id":"b","type":"t"}])"), 400,
       "event 1 of the batch (the first is 0): the CloudEvent has no attribute 'source'"},
      {absl::StrCat("[", Event("a"), ",", Event("b", R"(,"id":"c")"), "]"), 400,
       "event 1 of the batch (the first is 0): a name stands twice"},
      {absl::StrCat("[", Event("a"), ",7]"), 400,
       "event 1 of the batch (the first is 0): it is not the JSON object of a CloudEvent"},
      {absl::StrCat("[", Event("a"), ",",
                    Event("b", absl::StrCat(R"(,"myext":")", std::string(5000, 'x'), "\"")), "]"),
       400, "event 1 of the batch (the first is 0): the attribute 'myext' has more than 4096"},
      {absl::StrCat("[", Event("a"), ",", Event("b").substr(0, 20)), 400,
       "event 1 of the batch (the first is 0): here the body stops being JSON"},
      {Event("a"), 400, "a single event has the content type application/cloudevents+json"},
      {absl::StrCat(many, "]"), 413, "the batch has 1001 events, and at most 1000 are accepted"},
  };
  for (const Case& bad : cases) {
    const Response refused = sidecar.Call("POST", "http://shop/signup", bad.body, kBatch);
    EXPECT_EQ(refused.status, bad.status) << bad.detail;
    EXPECT_TRUE(absl::StrContains(refused.body, bad.detail)) << refused.body;
  }
  EXPECT_EQ(ParseJson(sidecar.Admin("GET", "/.pillion/deliveries"))["deliveries"].size(), 0u);
  const Response empty = sidecar.Call("POST", "http://shop/signup", "[]", kBatch);
  EXPECT_EQ(empty.status, 202);
  EXPECT_EQ(ParseJson(empty)["messages"], Json::array());
  EXPECT_EQ(hub.request_count(), 0u);
}

TEST(PublishBatch, IsRefusedAsAWholeIfThereIsNoRoomForAllOfIt) {
  Origin hub(Ok);
  SidecarProcess sidecar(Policy(hub, Subscription("hub", "user.*", ", max_pending: 3")));
  ASSERT_TRUE(sidecar.Start().ok());
  const std::string three = absl::StrCat(Event("a"), ",", Event("b"), ",", Event("c"));
  const Response refused = sidecar.Call("POST", "http://shop/signup",
                                        absl::StrCat("[", three, ",", Event("d"), "]"), kBatch);
  EXPECT_EQ(refused.status, 413) << refused.body;
  EXPECT_TRUE(absl::StrContains(refused.body, "send smaller batches")) << refused.body;
  EXPECT_EQ(ParseJson(sidecar.Admin("GET", "/.pillion/deliveries"))["deliveries"].size(), 0u);
  const Response accepted =
      sidecar.Call("POST", "http://shop/signup", absl::StrCat("[", three, "]"), kBatch);
  EXPECT_EQ(accepted.status, 202) << accepted.body;
}

TEST(PublishBatch, IsDurableWhenItIsAnswered) {
  Origin hub([](const Request&) { return Response{.status = 503}; });
  SidecarProcess sidecar(Policy(hub, Subscription("hub", "user.*")));
  ASSERT_TRUE(sidecar.Start().ok());
  std::string body = "[";
  for (int i = 0; i < 500; ++i) {
    absl::StrAppend(&body, i == 0 ? "" : ",", Event(std::to_string(i)));
  }
  const Response accepted =
      sidecar.Call("POST", "http://shop/signup", absl::StrCat(body, "]"), kBatch);
  sidecar.Kill();
  ASSERT_EQ(accepted.status, 202) << accepted.body;
  ASSERT_TRUE(sidecar.Start().ok());
  const Json listed = ParseJson(sidecar.Admin("GET", "/.pillion/deliveries?page_size=1000"));
  ASSERT_EQ(listed["deliveries"].size(), 500u);
  const Json messages = ParseJson(accepted)["messages"];
  for (size_t i = 0; i < 500; ++i) {
    EXPECT_EQ(listed["deliveries"][i].value("messageId", ""), messages[i].value("id", ""));
  }
}

TEST(Publish, CanLeaveThePayloadOut) {
  Origin hub(Ok);
  SidecarProcess sidecar(Policy(
      hub, Subscription("full", "user.*") + Subscription("none", "user.*", ", payload: NONE") +
               Subscription("text", "user.*", ", payload: NONE, content_mode: STRUCTURED")));
  ASSERT_TRUE(sidecar.Start().ok());
  for (const char* path : {"/silent", "/signup"}) {
    ASSERT_TRUE(IsFinal(sidecar.AwaitFinal(sidecar.Call(
        "POST", std::string("http://shop") + path, "secret", {{"Content-Type", "text/plain"}}))));
  }
  std::map<std::string, int> with_payload;
  for (const Request& request : hub.requests()) {
    const bool carries = absl::StrContains(request.body, "secret");
    with_payload[request.target] += carries;
    if (carries) {
      EXPECT_EQ(request.Header("ce-type"), "user.signed-up");
    } else if (request.target == "/text") {
      EXPECT_FALSE(absl::StrContains(request.body, "datacontenttype")) << request.body;
    } else {
      EXPECT_EQ(request.body, "");
      EXPECT_EQ(request.Header("content-type"), std::nullopt);
    }
  }
  EXPECT_EQ(with_payload, (std::map<std::string, int>{{"/full", 1}, {"/none", 0}, {"/text", 0}}));
}

TEST(Publish, IsDoneAtOnceIfNobodySubscribes) {
  Origin hub(Ok);
  SidecarProcess sidecar(Policy(hub, Subscription("hub", "user.*")));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response accepted = sidecar.Call("POST", "http://shop/lonely", "x");
  EXPECT_EQ(accepted.status, 202);
  const Json status = sidecar.Status(accepted);
  EXPECT_EQ(status.value("status", ""), "succeeded") << status;
  EXPECT_EQ(status["deliveries"], Json::array());
  EXPECT_EQ(hub.request_count(), 0u);
}

TEST(Publish, AnswersWithWhatAnUnmodifiedCallerExpects) {
  Origin hub(Ok);
  SidecarProcess sidecar(Policy(hub, Subscription("hub", "user.*")));
  ASSERT_TRUE(sidecar.Start().ok());
  const Response answer = sidecar.Call("POST", "http://shop/own", "x");
  EXPECT_EQ(answer.status, 200);
  const std::string location = answer.Header("location").value_or("");
  ASSERT_TRUE(absl::StartsWith(location, "/.pillion/messages/"));
  EXPECT_EQ(answer.body, "ok " + location.substr(19) + " http://shop" + location);
}

}  // namespace
}  // namespace pillion::harness
