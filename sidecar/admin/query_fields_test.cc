#include "sidecar/admin/query_fields.h"

#include <gtest/gtest.h>

#include <string>

#include "pillion/api/v1/deliveries.pb.h"

namespace pillion::sidecar::admin {
namespace {

using api::v1::Delivery;
using api::v1::DeliveryFilter;
using api::v1::ListDeliveriesRequest;

// The error's text, or "" and the messages filled.
std::string Set(std::string_view query, ListDeliveriesRequest& request, DeliveryFilter& filter) {
  return std::string(SetFieldsFromQuery(query, {&request, &filter}).message());
}

TEST(QueryFields, SetsTextNumbersEnumsAndTimesByTheNamesOfProtoAndJson) {
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

TEST(QueryFields, SaysWhatIsWrongAndWhatWouldBeRight) {
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
      {"page_size=many", "page_size 'many' is not a number"},
      {"page_size=-1", "page_size '-1' is not a number"},
      {"created_before=now", "created_before 'now' is not a time such as 2026-01-31T12:00:00Z"},
      {"topic=a&topic=b", "the parameter 'topic' is there twice"},
      {"topic=%ff", "topic '\xff' is not UTF-8"},
  };
  for (const Case& expected : kCases) {
    ListDeliveriesRequest request;
    DeliveryFilter filter;
    EXPECT_EQ(Set(expected.query, request, filter), expected.error) << expected.query;
  }
}

}  // namespace
}  // namespace pillion::sidecar::admin
