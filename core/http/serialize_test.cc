#include "core/http/serialize.h"

#include <string>
#include <utility>

#include "core/http/parser.h"
#include "gtest/gtest.h"

namespace pillion::http {
namespace {

template <typename Head>
std::string Serialize(const Head& head) {
  std::string out = "before ";
  AppendTo(&out, head);
  EXPECT_EQ(out.size(), 7 + SerializedSize(head));
  return out.substr(7);
}

TEST(Serialize, WritesARequestInOriginForm) {
  RequestHead head;
  head.method = "POST";
  head.path = "/a";
  head.headers.Add("Host", "orders");
  head.headers.Add("X-Empty", "");
  EXPECT_EQ(Serialize(head), "POST /a HTTP/1.1\r\nHost: orders\r\nX-Empty: \r\n\r\n");
  head.has_query = true;
  EXPECT_EQ(Serialize(head), "POST /a? HTTP/1.1\r\nHost: orders\r\nX-Empty: \r\n\r\n");
  head.query = "b=c";
  EXPECT_EQ(Serialize(head), "POST /a?b=c HTTP/1.1\r\nHost: orders\r\nX-Empty: \r\n\r\n");
}

TEST(Serialize, WritesAResponse) {
  ResponseHead head;
  head.status = 404;
  EXPECT_EQ(Serialize(head), "HTTP/1.1 404 Not Found\r\n\r\n");
  head.reason = "Nothing here";
  head.headers.Add("A", "b");
  EXPECT_EQ(Serialize(head), "HTTP/1.1 404 Nothing here\r\nA: b\r\n\r\n");
  head.status = 999;
  head.reason = "";
  EXPECT_EQ(Serialize(head), "HTTP/1.1 999 Unknown\r\nA: b\r\n\r\n");
}

TEST(Serialize, WritesWhatTheParserReadFromHttp10AsHttp11) {
  RequestHead head;
  ASSERT_EQ(ParseRequestHead("GET http://orders?a HTTP/1.0\r\nX: y\r\n\r\n", {}, &head).state,
            ParseResult::kDone);
  EXPECT_EQ(Serialize(head), "GET /?a HTTP/1.1\r\nX: y\r\nhost: orders\r\n\r\n");
}

TEST(Serialize, WritesReceivedLinesInOneFormHoweverTheyCame) {
  RequestHead head;
  ASSERT_EQ(ParseRequestHead("GET / HTTP/1.1\r\nHost: orders\r\nA:b\r\nC: d\r\nE:  f\r\nG: h \r\n"
                             "I: \r\nJ:\r\nK:\tl\r\nM: n\t\r\nO: p q\r\n\r\nX: body\r\n",
                             {}, &head)
                .state,
            ParseResult::kDone);
  EXPECT_EQ(Serialize(head),
            "GET / HTTP/1.1\r\nHost: orders\r\nA: b\r\nC: d\r\nE: f\r\nG: h\r\n"
            "I: \r\nJ: \r\nK: l\r\nM: n\r\nO: p q\r\n\r\n");
}

TEST(Serialize, WritesWhatBecameOfReceivedLines) {
  RequestHead head;
  ASSERT_EQ(
      ParseRequestHead("GET http://orders/ HTTP/1.1\r\nHost: other\r\nA: 1\r\nB: 2\r\nC: 3\r\n"
                       "Via: 1.1 d\r\nE: 5\r\nX-Forwarded-For: \r\nContent-Length: 6, 6\r\n\r\n",
                       {}, &head)
          .state,
      ParseResult::kDone);
  head.headers.Remove("b");
  head.headers.Set("c", "4");
  head.headers.AppendElement(HeaderId::kVia, "1.1 e");
  head.headers.AppendElement(HeaderId::kXForwardedFor, "f");
  head.headers.Add("G", "7");
  constexpr char kWritten[] =
      "GET / HTTP/1.1\r\nHost: orders\r\nA: 1\r\nC: 4\r\nVia: 1.1 d, 1.1 e\r\nE: 5\r\n"
      "X-Forwarded-For: f\r\nContent-Length: 6\r\nG: 7\r\n\r\n";
  EXPECT_EQ(Serialize(head), kWritten);
  HeaderList moved = std::move(head.headers);
  head.headers.CopyFrom(moved);
  EXPECT_EQ(Serialize(head), kWritten);
  head.headers = std::move(moved);
  EXPECT_EQ(Serialize(head), kWritten);
}

TEST(ReasonPhrases, AreTheRegisteredOnes) {
  EXPECT_EQ(ReasonPhrase(200), "OK");
  EXPECT_EQ(ReasonPhrase(202), "Accepted");
  EXPECT_EQ(ReasonPhrase(431), "Request Header Fields Too Large");
  EXPECT_EQ(ReasonPhrase(508), "Loop Detected");
  for (int status : {-1, 0, 99, 299, 599, 600, 999, 100000})
    EXPECT_EQ(ReasonPhrase(status), "Unknown");
}

}  // namespace
}  // namespace pillion::http
