#include <string>
#include <string_view>

#include "core/http/parser.h"
#include "gtest/gtest.h"

namespace pillion::http {
namespace {

ParseResult Parse(std::string_view bytes, ResponseHead* head, std::string_view method = "GET") {
  return ParseResponseHead(bytes, {}, method, head);
}

struct ValidResponse {
  std::string_view bytes;
  std::string_view method;
  int status;
  std::string_view reason;
  BodyFraming body;
  bool keep_alive;
};

constexpr BodyFraming kNone = {BodyFraming::kNone, 0};
constexpr BodyFraming kFive = {BodyFraming::kLength, 5};
constexpr BodyFraming kChunked = {BodyFraming::kChunked, 0};
constexpr BodyFraming kUntilClose = {BodyFraming::kUntilClose, 0};

const ValidResponse kValid[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "GET", 200, "OK", kFive, true},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", "GET", 200, "OK", kFive, true},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", 200, "OK", kChunked, true},
    {"HTTP/1.1 200 OK\r\n\r\n", "GET", 200, "OK", kUntilClose, false},
    {"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n", "GET", 200, "", kFive, true},
    {"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n", "GET", 200, "", kFive, true},
    {"HTTP/1.1 404 Not  Found \r\nContent-Length: 5\r\n\r\n", "GET", 404, "Not  Found ", kFive,
     true},
    {"HTTP/1.1 200 \xc3\xa4\t\r\nContent-Length: 5\r\n\r\n", "GET", 200, "\xc3\xa4\t", kFive, true},
    {"HTTP/1.1 999 ?\r\nContent-Length: 5\r\n\r\n", "GET", 999, "?", kFive, true},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", "GET", 200, "OK", kFive,
     false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", "GET", 200, "OK", kFive, false},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n", "GET", 200, "OK",
     kFive, false},
    {"HTTP/1.0 200 OK\r\n\r\n", "GET", 200, "OK", kUntilClose, false},
    {"HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\n", "GET", 200, "OK", kFive, true},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD", 200, "OK", kNone, true},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD", 200, "OK", kNone, true},
    {"HTTP/1.1 200 OK\r\n\r\n", "HEAD", 200, "OK", kNone, true},
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "head", 200, "OK", kFive, true},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "GET", 304, "Not Modified", kNone,
     true},
    {"HTTP/1.1 204 No Content\r\n\r\n", "GET", 204, "No Content", kNone, true},
    {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "GET", 204, "No Content", kNone, true},
    {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "GET", 204, "No Content", kNone,
     false},
    {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", 204, "No Content",
     kNone, false},
    {"HTTP/1.1 100 Continue\r\n\r\n", "POST", 100, "Continue", kNone, true},
    {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", "GET", 103, "Early Hints", kNone, true},
};

// The result where the first `cut` bytes come first, and all others at once.
ParseResult ParseInTwo(std::string_view bytes, size_t cut, std::string_view method,
                       ResponseHead* head) {
  HeadScanner scanner(HeadScanner::Kind::kResponse);
  const ParseResult first = ParseResponseHead(&scanner, bytes.substr(0, cut), {}, method, head);
  if (first.state != ParseResult::kNeedMore) return first;
  return ParseResponseHead(&scanner, bytes, {}, method, head);
}

TEST(ResponseParser, ReadsTheSameWhereverAResponseIsCutInTwo) {
  for (const ValidResponse& valid : kValid) {
    for (size_t cut = 0; cut < valid.bytes.size(); ++cut) {
      ResponseHead head;
      const ParseResult result = ParseInTwo(valid.bytes, cut, valid.method, &head);
      ASSERT_EQ(result.state, ParseResult::kDone) << valid.bytes << " cut at " << cut;
      EXPECT_EQ(result.consumed, valid.bytes.size());
      EXPECT_EQ(head.status, valid.status);
      EXPECT_EQ(head.reason, valid.reason);
      EXPECT_EQ(head.body, valid.body);
      EXPECT_EQ(head.keep_alive, valid.keep_alive);
    }
  }
}

TEST(ResponseParser, ReadsValidResponses) {
  for (const ValidResponse& valid : kValid) {
    ResponseHead head;
    const ParseResult result = Parse(valid.bytes, &head, valid.method);
    ASSERT_EQ(result.state, ParseResult::kDone) << valid.bytes << result.error.reason;
    EXPECT_EQ(result.consumed, valid.bytes.size());
    EXPECT_EQ(head.status, valid.status) << valid.bytes;
    EXPECT_EQ(head.reason, valid.reason) << valid.bytes;
    EXPECT_EQ(head.body, valid.body) << valid.bytes;
    EXPECT_EQ(head.keep_alive, valid.keep_alive) << valid.bytes;
  }
}

TEST(ResponseParser, WantsMoreAtEveryCutOfAValidResponse) {
  for (const ValidResponse& valid : kValid) {
    HeadScanner scanner(HeadScanner::Kind::kResponse);
    ResponseHead head;
    for (size_t size = 0; size <= valid.bytes.size(); ++size) {
      const ParseResult result =
          ParseResponseHead(&scanner, valid.bytes.substr(0, size), {}, valid.method, &head);
      EXPECT_EQ(result.state,
                size < valid.bytes.size() ? ParseResult::kNeedMore : ParseResult::kDone);
    }
    EXPECT_EQ(head.status, valid.status);
  }
}

constexpr std::string_view kMalformed[] = {
    "\r\nHTTP/1.1 200 OK\r\n\r\n",
    "\n",
    "200 OK\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "HTTP/1.1\r\n\r\n",
    "HTTP/1.1 \r\n\r\n",
    "HTTP/1.1 20\r\n\r\n",
    "HTTP/1.1 2000\r\n\r\n",
    "HTTP/1.1 2x0 OK\r\n\r\n",
    "HTTP/1.1 -200 OK\r\n\r\n",
    "HTTP/1.1 +20 OK\r\n\r\n",
    "HTTP/1.1 099 OK\r\n\r\n",
    "HTTP/1.1 000 OK\r\n\r\n",
    "HTTP/1.1  200 OK\r\n\r\n",
    "HTTP/1.1\t200 OK\r\n\r\n",
    "HTTP/1.1 200\tOK\r\n\r\n",
    "HTTP/1.1 200OK\r\n\r\n",
    " HTTP/1.1 200 OK\r\n\r\n",
    "http/1.1 200 OK\r\n\r\n",
    "HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/0.9 200 OK\r\n\r\n",
    "HTTP/11 200 OK\r\n\r\n",
    "HTTP/1.10 200 OK\r\n\r\n",
    "ICY 200 OK\r\n\r\n",
    "SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP/1.1 200 OK\n\n",
    "HTTP/1.1 200 O\rK\r\n\r\n",
    "HTTP/1.1 200 O\x01K\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\nb\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX\r\n\r\n",
    "HTTP/1.1 200 OK\r\n: y\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
    "HTTP/1.1 200 OK\r\n X: y\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5,6\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 204 No Content\r\nContent-Length: x\r\n\r\n",
};

TEST(ResponseParser, RefusesMalformedResponsesHoweverTheyAreCut) {
  for (std::string_view bytes : kMalformed) {
    ResponseHead head;
    const ParseResult whole = Parse(bytes, &head);
    EXPECT_EQ(whole.state, ParseResult::kError) << bytes;
    EXPECT_EQ(whole.error.status, 502) << bytes;
    EXPECT_STRNE(whole.error.reason, "") << bytes;

    HeadScanner scanner(HeadScanner::Kind::kResponse);
    ParseResult trickled;
    for (size_t size = 0; size <= bytes.size() && trickled.state == ParseResult::kNeedMore;
         ++size) {
      trickled = ParseResponseHead(&scanner, bytes.substr(0, size), {}, "GET", &head);
    }
    EXPECT_STREQ(trickled.error.reason, whole.error.reason) << bytes;
  }
}

TEST(ResponseParser, RefusesHeadsBeyondTheLimits) {
  const std::string endless(70000, 'a');
  ResponseHead head;
  EXPECT_EQ(Parse("HTTP/1.1 200 " + endless, &head).error.status, 502);
  EXPECT_EQ(Parse("HTTP/1.1 200 OK\r\nX: " + endless, &head).error.status, 502);
  std::string many = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 200; ++i) many += "X: y\r\n";
  EXPECT_EQ(Parse(many + "\r\n", &head).error.status, 502);
}

TEST(ResponseParser, KeepsTheLengthOfABodyThatIsNotSentOnlyWhereItMeansSomething) {
  ResponseHead head;
  ASSERT_EQ(Parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", &head, "HEAD").state,
            ParseResult::kDone);
  EXPECT_EQ(head.headers.Value(HeaderId::kContentLength), "5");
  ASSERT_EQ(Parse("HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n", &head).state, ParseResult::kDone);
  EXPECT_EQ(head.headers.Value(HeaderId::kContentLength), "5");
  ASSERT_EQ(Parse("HTTP/1.1 204 X\r\nContent-Length: 0\r\n\r\n", &head).state, ParseResult::kDone);
  EXPECT_FALSE(head.headers.Has(HeaderId::kContentLength));
}

TEST(ResponseParser, SeesAnUpgradeOnlyIn101) {
  const std::string lines = "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
  ResponseHead head;
  ASSERT_EQ(Parse("HTTP/1.1 101 Switching Protocols\r\n" + lines, &head).state, ParseResult::kDone);
  EXPECT_TRUE(head.upgrade);
  EXPECT_EQ(head.body, kNone);
  ASSERT_EQ(Parse("HTTP/1.1 426 Upgrade Required\r\n" + lines, &head).state, ParseResult::kDone);
  EXPECT_FALSE(head.upgrade);
  ASSERT_EQ(Parse("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", &head).state,
            ParseResult::kDone);
  EXPECT_FALSE(head.upgrade);
}

}  // namespace
}  // namespace pillion::http
