#include "sidecar/admin/request_fields.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "pillion/api/v1/deliveries.pb.h"

namespace pillion::sidecar::admin {
namespace {

using api::v1::ChangeDeliveriesRequest;
using api::v1::Delivery;
using api::v1::DeliveryFilter;
using api::v1::ListDeliveriesRequest;

// The error's text, or "" and the messages filled.
std::string Set(std::string_view query, ListDeliveriesRequest& request, DeliveryFilter& filter) {
  return std::string(SetFieldsFromQuery(query, {&request, &filter}).message());
}

TEST(RequestFields, SetsWhatAQuerySaysByTheNamesOfProtoAndJson) {
  ListDeliveriesRequest request;
  DeliveryFilter filter;
  EXPECT_EQ(Set("state=failed&reason=RETRIES_EXHAUSTED&topic=a%2Eb+c%zz&pageSize=7&last_status=0"
                "&createdAfter=2026-01-31T12:00:00.5Z&page_token=",
                request, filter),
            "");
  EXPECT_EQ(filter.state(), Delivery::FAILED);
  EXPECT_EQ(filter.reason(), Delivery::RETRIES_EXHAUSTED);
  EXPECT_EQ(filter.topic(), "a.b c%zz");
  EXPECT_EQ(request.page_size(), 7u);
  EXPECT_TRUE(filter.has_last_status());
  EXPECT_EQ(filter.created_after().nanos(), 500'000'000);
}

TEST(RequestFields, SaysWhatIsWrongInAQueryAndWhatWouldBeRight) {
  struct Case {
    const char* query;
    const char* error;
  };
  static constexpr Case kCases[] = {
      {"state=odd",
       "state 'odd' is not one of pending, running, succeeded, failed, canceled, expired"},
      {"state=STATE_UNSPECIFIED",
       "state 'STATE_UNSPECIFIED' is not one of pending, running, succeeded, failed, canceled, "
       "expired"},
      {"colour=red",
       "there is no parameter 'colour'; there are page_size, page_token, view, state, kind, topic, "
       "route, subscription, cluster, key, created_after, created_before, reason, last_status"},
      {"rout=a",
       "there is no parameter 'rout'; did you mean 'route'? There are page_size, page_token, view, "
       "state, kind, topic, route, subscription, cluster, key, created_after, created_before, "
       "reason, last_status"},
      {"filter=x",
       "there is no parameter 'filter'; there are page_size, page_token, view, state, kind, topic, "
       "route, subscription, cluster, key, created_after, created_before, reason, last_status"},
      {"view=ful", "view 'ful' is not one of basic, full; did you mean 'full'?"},
      {"page_size=many", "page_size 'many' is not a whole number from 0"},
      {"page_size=-1", "page_size '-1' is not a whole number from 0"},
      {"created_before=now", "created_before 'now' is not a time such as 2026-01-31T12:00:00Z"},
      {"created_before=9999-12-31T23:59:59-23:59",
       "created_before '9999-12-31T23:59:59-23:59' is not a time such as 2026-01-31T12:00:00Z"},
      {"created_before=0000-12-31T23:59:59Z",
       "created_before '0000-12-31T23:59:59Z' is not a time such as 2026-01-31T12:00:00Z"},
      {"created_before=infinite-future",
       "created_before 'infinite-future' is not a time such as 2026-01-31T12:00:00Z"},
      {"topic=a&topic=b", "the parameter 'topic' is there twice"},
      {"topic=", "topic '' is not a filter; leave it out to match everything"},
      {"topic", "topic '' is not a filter; leave it out to match everything"},
      {"topic=%ff", "topic '\xff' is not UTF-8"},
  };
  for (const Case& expected : kCases) {
    ListDeliveriesRequest request;
    DeliveryFilter filter;
    EXPECT_EQ(Set(expected.query, request, filter), expected.error) << expected.query;
  }
}

TEST(RequestFields, SetsWhatJsonSaysByTheNamesOfProtoAndJson) {
  ChangeDeliveriesRequest request;
  EXPECT_TRUE(SetFieldsFromJson(R"({"ids": ["a", "b"], "all": true, "pageToken": "7",
      "filter": {"state": "failed", "kind": 2, "createdAfter": "0001-01-01T01:00:00.5+01:00",
                 "last_status": 422, "topic": "a\u00e4"}})",
                                request)
                  .ok());
  ASSERT_EQ(request.ids_size(), 2);
  EXPECT_EQ(request.ids(1), "b");
  EXPECT_TRUE(request.all());
  EXPECT_EQ(request.page_token(), "7");
  EXPECT_EQ(request.filter().state(), Delivery::FAILED);
  EXPECT_EQ(request.filter().kind(), Delivery::PUBLISH);
  EXPECT_EQ(request.filter().created_after().seconds(), -62'135'596'800);
  EXPECT_EQ(request.filter().created_after().nanos(), 500'000'000);
  EXPECT_EQ(request.filter().last_status(), 422u);
  EXPECT_EQ(request.filter().topic(), "a\u00e4");
}

TEST(RequestFields, SaysWhatIsWrongInJsonAndWhatWouldBeRight) {
  constexpr char kObject[] =
      R"(expected an object of JSON, such as {"ids": ["ID"]} or {"filter": {"state": "failed"}})";
  const std::pair<const char*, const char*> cases[] = {
      {"", kObject},
      {"{", kObject},
      {"[]", kObject},
      {"{\"ids\": [\"\xff\"]}", kObject},
      {R"({"id": ["a"]})",
       "there is no field 'id'; did you mean 'ids'? There are ids, filter, all, page_token"},
      {R"({"filter": {"odd": 1}})",
       "there is no field 'filter.odd'; there are state, kind, topic, route, subscription, "
       "cluster, key, created_after, created_before, reason, last_status"},
      {R"({"ids": "a"})", "ids: expected a list of texts"},
      {R"({"ids": [1]})", "ids: expected a list of texts"},
      {R"({"all": "yes"})", "all: expected true or false"},
      {R"({"filter": "failed"})", "filter: expected an object"},
      {R"({"filter": {"state": ["failed"]}})", "filter.state: expected a text or a number"},
      {R"({"filter": {"state": "faild"}})",
       "filter.state 'faild' is not one of pending, running, succeeded, failed, canceled, expired; "
       "did you mean 'failed'?"},
      {R"({"filter": {"state": 0}})",
       "filter.state '0' is not one of pending, running, succeeded, failed, canceled, expired"},
      {R"({"filter": {"createdBefore": "yesterday"}})",
       "filter.createdBefore 'yesterday' is not a time such as 2026-01-31T12:00:00Z"},
      {R"({"filter": {"subscription": ""}})",
       "filter.subscription '' is not a filter; leave it out to match everything"},
      {R"({"filter": {"subscription": null}})", "filter.subscription: expected a text or a number"},
      {R"({"filter": {"state": null}})", "filter.state: expected a text or a number"},
      {R"({"filter": {"last_status": -1}})",
       "filter.last_status '-1' is not a whole number from 0"},
  };
  for (const auto& [json, error] : cases) {
    ChangeDeliveriesRequest request;
    EXPECT_EQ(SetFieldsFromJson(json, request).message(), error) << json;
  }
}

}  // namespace
}  // namespace pillion::sidecar::admin
