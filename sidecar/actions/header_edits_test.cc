#include "sidecar/actions/header_edits.h"

#include <string>

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "pillion/config/v1/policy.pb.h"

namespace pillion::sidecar {
namespace {

config::v1::RouteAction Route(const char* text) {
  config::v1::RouteAction route;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &route));
  return route;
}

std::string Edited(const config::v1::RouteAction& route,
                   std::initializer_list<std::pair<const char*, const char*>> before) {
  const HeaderEdits edits(route.request_headers_to_add(), route.request_headers_to_remove());
  http::HeaderList headers;
  for (const auto& [name, value] : before) headers.Add(name, value);
  edits.Apply(headers);
  std::string after;
  for (const http::Header& header : headers) {
    after += std::string(header.name) + "=" + std::string(header.value) + ";";
  }
  return after;
}

TEST(HeaderEdits, AppendUnlessTheyAreToldOtherwise) {
  const auto route = Route(R"(
    request_headers_to_add { name: "x-a" value: "2" }
    request_headers_to_add { name: "x-b" value: "2" append_action: ADD_IF_ABSENT }
    request_headers_to_add { name: "x-c" value: "2" append_action: OVERWRITE_IF_EXISTS_OR_ADD })");
  EXPECT_EQ(Edited(route, {{"X-A", "1"}, {"X-B", "1"}, {"X-C", "1"}, {"x-c", "0"}}),
            "X-A=1;X-B=1;X-C=2;x-a=2;");
  EXPECT_EQ(Edited(route, {}), "x-a=2;x-b=2;x-c=2;");
}

TEST(HeaderEdits, RemoveEveryLineInAnyLetterCaseBeforeTheyAdd) {
  const auto route = Route(R"(
    request_headers_to_remove: "x-a"
    request_headers_to_remove: "authorization"
    request_headers_to_add { name: "x-a" value: "new" append_action: ADD_IF_ABSENT })");
  EXPECT_EQ(Edited(route, {{"X-A", "1"}, {"Authorization", "secret"}, {"x-A", "2"}, {"x-b", "3"}}),
            "x-b=3;x-a=new;");
}

TEST(HeaderEdits, AreEmptyWhenThePolicySaysNothing) {
  EXPECT_TRUE(HeaderEdits().empty());
  const auto route = Route(R"(request_headers_to_remove: "x-a")");
  EXPECT_FALSE(
      HeaderEdits(route.request_headers_to_add(), route.request_headers_to_remove()).empty());
}

}  // namespace
}  // namespace pillion::sidecar
