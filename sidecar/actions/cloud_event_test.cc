#include "sidecar/actions/cloud_event.h"

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace pillion::sidecar {
namespace {

http::HeaderList Headers(std::initializer_list<std::pair<const char*, const char*>> lines) {
  http::HeaderList headers;
  for (const auto& [name, value] : lines) headers.Add(name, value);
  return headers;
}

CloudEventMode ModeOfType(const char* type) { return ModeOf(Headers({{"Content-Type", type}})); }

constexpr char kEvent[] =
    R"({"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":)";

CloudEvent Structured(const std::string& json) {
  auto event = ParseCloudEvent(CloudEventMode::kStructured, http::HeaderList(), json);
  EXPECT_TRUE(event.ok()) << event.status() << " " << json;
  return event.ok() ? *std::move(event) : CloudEvent();
}

TEST(CloudEvents, AreToldApartByTheirHeaders) {
  EXPECT_EQ(ModeOfType("application/cloudevents+json; charset=utf-8"), CloudEventMode::kStructured);
  EXPECT_EQ(ModeOfType("Application/CloudEvents+JSON"), CloudEventMode::kStructured);
  EXPECT_EQ(ModeOfType("application/cloudevents-batch+json"), CloudEventMode::kBatch);
  EXPECT_EQ(ModeOfType("application/json"), CloudEventMode::kNone);
  EXPECT_EQ(ModeOf(Headers({{"CE-SpecVersion", "1.0"}})), CloudEventMode::kBinary);
  EXPECT_EQ(ModeOf(Headers({{"ce-id", "1"}})), CloudEventMode::kNone);
}

TEST(CloudEvents, OfABatchAreReadInOrder) {
  const auto events = ParseCloudEventBatch(
      R"([{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"a":1}},)"
      R"({"specversion":"1.0","id":"2","source":"/s","type":"t","data_base64":"AQI="}])");
  ASSERT_TRUE(events.ok()) << events.status();
  ASSERT_EQ(events->size(), 2u);
  EXPECT_EQ((*events)[0].Get("id"), "1");
  EXPECT_EQ((*events)[0].data, R"({"a":1})");
  EXPECT_EQ((*events)[1].data, "\x01\x02");
  EXPECT_TRUE(ParseCloudEventBatch(" [ ] ")->empty());
}

TEST(CloudEvents, OfABatchAreCountedInItsErrors) {
  const auto error_of = [](const std::string& body) {
    return std::string(ParseCloudEventBatch(body).status().message());
  };
  const std::string good = absl::StrCat(kEvent, R"("text/plain"})");
  const std::string prefix = "event 2 of the batch (the first is 0): ";
  const auto third = [&](const std::string& event) {
    return absl::StrCat("[", good, ",", good, ",", event, "]");
  };
  EXPECT_EQ(error_of(third("{}")), prefix + "the CloudEvent has no attribute 'specversion'");
  EXPECT_EQ(error_of(third("[]")), prefix + "it is not the JSON object of a CloudEvent");
  EXPECT_EQ(error_of(third(R"({"id":"1","id":"2"})")),
            prefix + "a name stands twice in the JSON of the CloudEvent");
  EXPECT_EQ(error_of(third("{")), prefix + "here the body stops being JSON");
  EXPECT_EQ(error_of(third(absl::StrCat(kEvent, R"("text/plain","data":)", std::string(101, '['),
                                        std::string(101, ']'), "}"))),
            prefix + "the JSON is nested more than 100 deep");
  // What stands inside of data is the publisher's own affair.
  EXPECT_TRUE(
      ParseCloudEventBatch(third(absl::StrCat(kEvent, R"("a/b","data":{"a":1,"a":2}})"))).ok());
}

TEST(CloudEvents, AreReadFromBinaryMode) {
  const auto event = ParseCloudEvent(CloudEventMode::kBinary,
                                     Headers({{"ce-specversion", "1.0"},
                                              {"CE-Id", "7"},
                                              {"ce-source", "/caf%C3%A9"},
                                              {"ce-type", "order.made"},
                                              {"ce-myext", "100%25 %zz %4"},
                                              {"ce-quoted", "\"a \\\"b%22 \\\\\""},
                                              {"ce-quote", "\""},
                                              {"Content-Type", "text/xml"},
                                              {"ce-datacontenttype", "ignored"},
                                              {"x-other", "1"}}),
                                     "<a/>");
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(event->Get("id"), "7");
  EXPECT_EQ(event->Get("source"), "/caf\xC3\xA9");
  EXPECT_EQ(event->Get("myext"), "100% %zz %4") << "what is no escape stays";
  EXPECT_EQ(event->Get("quoted"), "a \"b\" \\");
  EXPECT_EQ(event->Get("quote"), "\"");
  EXPECT_EQ(event->Get("datacontenttype"), "text/xml");
  EXPECT_EQ(event->data, "<a/>");
  EXPECT_EQ(event->attributes.size(), 8u);
}

TEST(CloudEvents, AreReadFromStructuredMode) {
  const CloudEvent json =
      Structured(std::string(kEvent) + R"("application/json","data":{"a":[1]},"n":5,"b":true})");
  EXPECT_EQ(json.data, R"({"a":[1]})");
  EXPECT_EQ(json.Get("n"), "5");
  EXPECT_EQ(json.Get("b"), "true");
  EXPECT_EQ(Structured(std::string(kEvent) + R"("text/plain","data":"hi \"you\""})").data,
            "hi \"you\"");
  EXPECT_EQ(Structured(std::string(kEvent) + R"("application/json","data":"hi"})").data, "\"hi\"");
  EXPECT_EQ(Structured(std::string(kEvent) + R"("image/png","data_base64":"AAEC"})").data,
            std::string("\0\1\2", 3));
}

TEST(CloudEvents, SayWhatIsWrongWithThem) {
  auto message = [](CloudEventMode mode, http::HeaderList headers, const char* body) {
    return std::string(ParseCloudEvent(mode, headers, body).status().message());
  };
  EXPECT_EQ(
      message(CloudEventMode::kBinary, Headers({{"ce-specversion", "1.0"}, {"ce-id", "1"}}), ""),
      "the CloudEvent has no attribute 'source'");
  EXPECT_EQ(
      message(
          CloudEventMode::kBinary,
          Headers(
              {{"ce-specversion", "0.3"}, {"ce-id", "1"}, {"ce-source", "s"}, {"ce-type", "t"}}),
          ""),
      "CloudEvents specversion '0.3' is not 1.0");
  EXPECT_EQ(message(CloudEventMode::kBinary, Headers({{"ce-my_ext", "1"}}), ""),
            "'my_ext' is not a CloudEvents attribute name (a-z and 0-9 only)");
  for (const char* body : {"", "[]", "{", "null", "\"x\""}) {
    EXPECT_EQ(message(CloudEventMode::kStructured, http::HeaderList(), body),
              "the body is not the JSON object of a CloudEvent")
        << body;
  }
  EXPECT_EQ(message(CloudEventMode::kStructured, http::HeaderList(),
                    R"({"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":"*"})"),
            "data_base64 is not base64");
}

TEST(CloudEvents, HaveEachAttributeOnce) {
  const auto binary = ParseCloudEvent(CloudEventMode::kBinary,
                                      Headers({{"ce-specversion", "1.0"},
                                               {"ce-id", "1"},
                                               {"CE-ID", "2"},
                                               {"ce-source", "/s"},
                                               {"ce-type", "t"}}),
                                      "");
  EXPECT_EQ(binary.status().message(), "the attribute 'id' is there twice");
  for (const char* twice :
       {R"("a","id":"2"})", R"("a","x":1,"x":1})", R"("a","data":1,"data":2})"}) {
    const auto structured = ParseCloudEvent(CloudEventMode::kStructured, http::HeaderList(),
                                            std::string(kEvent) + twice);
    EXPECT_EQ(structured.status().message(), "a name stands twice in the JSON of the CloudEvent");
  }
  EXPECT_EQ(Structured(std::string(kEvent) + R"("a","data":{"id":1,"b":[{"id":2}]}})").Get("id"),
            "1");
}

TEST(CloudEvents, HaveAttributesThatEverySubscriberCanTake) {
  CloudEvent event;
  event.attributes = {{"x", std::string(4095, 'x')}};
  EXPECT_TRUE(CheckAttributeSizes(event).ok());
  event.attributes[0].second += 'x';
  EXPECT_EQ(CheckAttributeSizes(event).message(),
            "the attribute 'x' has more than 4096 bytes; put such things into the data");
  event.attributes.clear();
  for (const char* name : {"a", "b", "c", "d"}) {
    event.attributes.emplace_back(name, std::string(4095, 'x'));
  }
  EXPECT_TRUE(CheckAttributeSizes(event).ok());
  event.attributes.emplace_back("e", "");
  EXPECT_EQ(CheckAttributeSizes(event).message(),
            "the attributes have more than 16384 bytes together");
}

TEST(CloudEvents, AreTheSameAfterTheStore) {
  CloudEvent event;
  event.attributes = {{"id", "1"}, {"source", "/s"}, {"type", "t"}, {"x", "a\r\nb=%"}};
  delivery::Message message;
  message.attributes = EncodeAttributes(event);
  message.body = "data";
  const CloudEvent back = CloudEventOf(message);
  EXPECT_EQ(back.Get("specversion"), "1.0");
  EXPECT_EQ(back.Get("id"), "1");
  EXPECT_EQ(back.Get("x"), "a\r\nb=%");
  EXPECT_EQ(back.data, "") << "a copy that binary mode has no use for";
}

TEST(CloudEvents, TakeIdTopicAndTimeFromTheMessageWhereTheyHaveNone) {
  delivery::Message message;
  message.id = "01ABC";
  message.topic = "order.made";
  message.created_at = absl::FromUnixMillis(1234);
  const CloudEvent event = CloudEventOf(message);
  EXPECT_EQ(event.Get("id"), "01ABC");
  EXPECT_EQ(event.Get("type"), "order.made");
  EXPECT_EQ(event.Get("time"), "1970-01-01T00:00:01.234Z");
}

TEST(CloudEvents, AreWrittenInBinaryModeWithoutAByteThatCouldBreakAHeader) {
  CloudEvent event;
  event.attributes = {
      {"id", "a\r\nb: \"c\" 100%"}, {"source", "/caf\xC3\xA9"}, {"datacontenttype", "text/plain"}};
  http::HeaderList headers;
  AddBinaryHeaders(event, true, &headers);
  EXPECT_EQ(headers.Value("ce-id"), "a%0D%0Ab:%20%22c%22%20100%25");
  EXPECT_EQ(headers.Value("ce-source"), "/caf%C3%A9");
  EXPECT_EQ(headers.Value("content-type"), "text/plain");
  EXPECT_EQ(headers.Find("ce-datacontenttype"), nullptr);
  http::HeaderList without;
  AddBinaryHeaders(event, false, &without);
  EXPECT_EQ(without.Find("content-type"), nullptr) << "no payload, no type of it";
}

TEST(CloudEvents, AreWrittenInStructuredModeByTheirType) {
  auto written = [](const char* type, std::string data, bool payload = true) {
    CloudEvent event;
    event.attributes = {{"id", "1"}, {"datacontenttype", type}};
    return ToStructured(event, data, payload);
  };
  EXPECT_EQ(written("application/json", R"({"a": 1})"),
            R"({"id":"1","datacontenttype":"application/json","data":{"a": 1}})");
  EXPECT_EQ(written("", "123456789012345678901234567890.10"),
            R"({"id":"1","datacontenttype":"","data":123456789012345678901234567890.10})");
  EXPECT_EQ(written("application/problem+json; x=y", "[1]"),
            R"({"id":"1","datacontenttype":"application/problem+json; x=y","data":[1]})");
  EXPECT_EQ(written("text/plain", "hi"),
            R"({"id":"1","datacontenttype":"text/plain","data":"hi"})");
  EXPECT_EQ(written("text/plain", "caf\xe9"),
            R"({"id":"1","datacontenttype":"text/plain","data_base64":"Y2Fm6Q=="})");
  EXPECT_EQ(written("image/png", std::string("\0\1\2", 3)),
            R"({"id":"1","datacontenttype":"image/png","data_base64":"AAEC"})");
  EXPECT_EQ(written("application/json", "{broken"),
            R"({"id":"1","datacontenttype":"application/json","data_base64":"e2Jyb2tlbg=="})");
  EXPECT_EQ(written("application/json", R"({"a": 1})", false), R"({"id":"1"})");
}

TEST(CloudEvents, SurviveStructuredModeThereAndBack) {
  for (const char* type : {"application/json", "text/plain", "application/octet-stream"}) {
    for (const char* data : {"{\"a\":1}", "\"quoted\"", "plain", "1", "\xff\xfe"}) {
      CloudEvent event;
      event.attributes = {{"specversion", "1.0"},
                          {"id", "1"},
                          {"source", "/s"},
                          {"type", "t"},
                          {"datacontenttype", type}};
      EXPECT_EQ(Structured(ToStructured(event, data, true)).data, data) << type;
    }
  }
}

}  // namespace
}  // namespace pillion::sidecar
