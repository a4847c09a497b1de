#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "core/http/body.h"
#include "core/http/malformed_requests.h"
#include "core/http/parser.h"
#include "gtest/gtest.h"

namespace pillion::http {
namespace {

// What became of a request: the parser's result, then the body decoder's if there are chunks.
struct Outcome {
  int status = 0;  // 0: complete
  std::string reason;
  bool need_more = false;
  size_t consumed = 0;
  std::string body;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// Feeds `bytes` in pieces of `step` bytes, as a connection would.
Outcome Feed(std::string_view bytes, size_t step) {
  Outcome outcome;
  HeadScanner scanner;
  RequestHead head;
  ParseResult result;
  size_t received = 0;
  while (result.state == ParseResult::kNeedMore && received < bytes.size()) {
    received = std::min(bytes.size(), received + step);
    result = ParseRequestHead(&scanner, bytes.substr(0, received), {}, &head);
  }
  outcome.need_more = result.state == ParseResult::kNeedMore;
  outcome.consumed = result.consumed;
  outcome.status = result.error.status;
  outcome.reason = result.error.reason;
  if (result.state != ParseResult::kDone || head.body.kind != BodyFraming::kChunked) return outcome;

  ChunkedDecoder decoder;
  size_t at = result.consumed;
  outcome.need_more = true;
  while (at < bytes.size()) {
    received = std::max(received, std::min(bytes.size(), at + step));
    const ChunkedDecoder::Result chunk = decoder.Decode(bytes.substr(at, received - at));
    at += chunk.consumed;
    outcome.consumed = at;
    outcome.body += chunk.data;
    if (chunk.failed) {
      outcome.status = chunk.error.status;
      outcome.reason = chunk.error.reason;
    }
    if (chunk.failed || chunk.done) {
      outcome.need_more = false;
      break;
    }
  }
  return outcome;
}

ParseResult Parse(std::string_view bytes, RequestHead* head, const HeadLimits& limits = {}) {
  return ParseRequestHead(bytes, limits, head);
}

TEST(MalformedRequests, AreMoreThanThreeHundredWithUniqueNames) {
  std::set<std::string> names;
  for (const MalformedRequest& request : MalformedRequests()) {
    EXPECT_TRUE(names.insert(request.name).second) << request.name;
  }
  EXPECT_GT(names.size(), 300u);
}

TEST(MalformedRequests, AreAllRefusedWithTheExpectedStatus) {
  for (const MalformedRequest& request : MalformedRequests()) {
    const Outcome outcome = Feed(request.bytes, request.bytes.size());
    EXPECT_EQ(outcome.status, request.status) << request.name << ": " << outcome.reason;
    EXPECT_FALSE(outcome.need_more) << request.name;
    EXPECT_NE(outcome.status == 0, !outcome.reason.empty()) << request.name;
  }
}

TEST(MalformedRequests, AreRefusedAlikeHoweverTheyAreCut) {
  for (const MalformedRequest& request : MalformedRequests()) {
    const Outcome whole = Feed(request.bytes, request.bytes.size());
    for (size_t step : {1, 2, 3, 7, 64}) {
      EXPECT_EQ(Feed(request.bytes, step), whole) << request.name << " in pieces of " << step;
    }
  }
}

// The outcome where the first `cut` bytes come first, and all others at once.
Outcome FeedInTwo(std::string_view bytes, size_t cut) {
  HeadScanner scanner;
  RequestHead head;
  ParseResult result = ParseRequestHead(&scanner, bytes.substr(0, cut), {}, &head);
  if (result.state == ParseResult::kNeedMore) {
    result = ParseRequestHead(&scanner, bytes, {}, &head);
  }
  return {.status = result.error.status,
          .reason = result.error.reason,
          .need_more = result.state == ParseResult::kNeedMore,
          .consumed = result.consumed,
          .body = ""};
}

TEST(MalformedRequests, AreRefusedAlikeWhereverTheyAreCutInTwo) {
  for (const MalformedRequest& request : MalformedRequests()) {
    if (request.bytes.size() > 1000) continue;
    const Outcome whole = FeedInTwo(request.bytes, request.bytes.size());
    for (size_t cut = 0; cut < request.bytes.size(); ++cut) {
      EXPECT_EQ(FeedInTwo(request.bytes, cut), whole) << request.name << " cut at " << cut;
    }
  }
}

struct ValidRequest {
  std::string_view bytes;
  std::string_view method, authority, path;
  std::optional<std::string_view> query;
  BodyFraming body = {};
  bool keep_alive = true;
};

const ValidRequest kValid[] = {
    {"GET / HTTP/1.1\r\nHost: orders\r\n\r\n", "GET", "orders", "/", {}},
    {"\r\nGET / HTTP/1.1\r\nHost: orders\r\n\r\n", "GET", "orders", "/", {}},
    {"\r\n\r\nGET / HTTP/1.1\r\nHost: orders\r\n\r\n", "GET", "orders", "/", {}},
    {"GET /a/b?c=d&e HTTP/1.1\r\nHost: orders:80\r\n\r\n", "GET", "orders:80", "/a/b", "c=d&e"},
    {"GET /? HTTP/1.1\r\nHost: orders\r\n\r\n", "GET", "orders", "/", ""},
    {"GET /a?b?c HTTP/1.1\r\nHost: orders\r\n\r\n", "GET", "orders", "/a", "b?c"},
    {"GET //evil/a HTTP/1.1\r\nHost: orders\r\n\r\n", "GET", "orders", "//evil/a", {}},
    {"GET /a%2Fb HTTP/1.1\r\nHost: orders\r\n\r\n", "GET", "orders", "/a%2Fb", {}},
    {"GET /a[b]{c}|^`?d[e]=\\f HTTP/1.1\r\nHost: o\r\n\r\n", "GET", "o", "/a[b]{c}|^`", "d[e]=\\f"},
    {"get / HTTP/1.1\r\nHost: orders\r\n\r\n", "get", "orders", "/", {}},
    {"M-SEARCH / HTTP/1.1\r\nHost: orders\r\n\r\n", "M-SEARCH", "orders", "/", {}},
    {"!#$%&'*+-.^_`|~ / HTTP/1.1\r\nHost: orders\r\n\r\n", "!#$%&'*+-.^_`|~", "orders", "/", {}},
    {"OPTIONS * HTTP/1.1\r\nHost: orders\r\n\r\n", "OPTIONS", "orders", "*", {}},
    {"OPTIONS http://orders HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS", "orders", "*", {}},
    {"OPTIONS http://orders/ HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS", "orders", "/", {}},
    {"GET http://orders/a?b HTTP/1.1\r\nHost: other\r\n\r\n", "GET", "orders", "/a", "b"},
    {"GET HTTP://orders:8080 HTTP/1.1\r\nHost: other\r\n\r\n", "GET", "orders:8080", "/", {}},
    {"GET http://orders?b HTTP/1.1\r\nHost: other\r\n\r\n", "GET", "orders", "/", "b"},
    {"GET http://[::1]:80/ HTTP/1.1\r\nHost: other\r\n\r\n", "GET", "[::1]:80", "/", {}},
    {"GET http://orders/a HTTP/1.0\r\n\r\n", "GET", "orders", "/a", {}, {}, false},
    {"GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n", "GET", "[2001:db8::1]", "/", {}},
    {"GET / HTTP/1.1\r\nHost: 127.0.0.1:65535\r\n\r\n", "GET", "127.0.0.1:65535", "/", {}},
    {"GET / HTTP/1.1\r\nhOsT:a-b_c.d~e\r\n\r\n", "GET", "a-b_c.d~e", "/", {}},
    {"GET / HTTP/1.1\r\nHost: \t orders \t \r\n\r\n", "GET", "orders", "/", {}},
    {"GET / HTTP/1.0\r\n\r\n", "GET", "", "/", {}, {}, false},
    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET", "", "/", {}, {}, false},
    {"GET / HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n", "GET", "o", "/", {}, {}, false},
    {"GET / HTTP/1.1\r\nHost: o\r\nConnection: x, CLOSE\r\n\r\n", "GET", "o", "/", {}, {}, false},
    {"GET / HTTP/1.1\r\nHost: o\r\nConnection: x\r\nConnection: close\r\n\r\n",
     "GET",
     "o",
     "/",
     {},
     {},
     false},
    {"GET / HTTP/1.1\r\nHost: o\r\nConnection: xclose\r\n\r\n", "GET", "o", "/", {}},
    {"GET / HTTP/1.7\r\nHost: o\r\n\r\n", "GET", "o", "/", {}},
    {"POST / HTTP/1.1\r\nHost: o\r\nContent-Length: 0\r\n\r\n",
     "POST",
     "o",
     "/",
     {},
     {BodyFraming::kLength, 0}},
    {"POST / HTTP/1.1\r\nHost: o\r\nContent-Length: 5\r\n\r\n",
     "POST",
     "o",
     "/",
     {},
     {BodyFraming::kLength, 5}},
    {"GET / HTTP/1.1\r\nHost: o\r\nContent-Length: 005\r\n\r\n",
     "GET",
     "o",
     "/",
     {},
     {BodyFraming::kLength, 5}},
    {"POST / HTTP/1.1\r\nHost: o\r\nContent-Length: 5, 5\r\n\r\n",
     "POST",
     "o",
     "/",
     {},
     {BodyFraming::kLength, 5}},
    {"POST / HTTP/1.1\r\nHost: o\r\ncontent-length: 5\r\nContent-Length: 05\r\n\r\n",
     "POST",
     "o",
     "/",
     {},
     {BodyFraming::kLength, 5}},
    {"POST / HTTP/1.1\r\nHost: o\r\nContent-Length: 9223372036854775807\r\n\r\n",
     "POST",
     "o",
     "/",
     {},
     {BodyFraming::kLength, 9223372036854775807u}},
    {"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\n",
     "POST",
     "",
     "/",
     {},
     {BodyFraming::kLength, 5},
     false},
    {"POST / HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\n",
     "POST",
     "o",
     "/",
     {},
     {BodyFraming::kChunked, 0}},
    {"POST / HTTP/1.1\r\nHost: o\r\ntransfer-encoding:\tChUnKeD \t\r\n\r\n",
     "POST",
     "o",
     "/",
     {},
     {BodyFraming::kChunked, 0}},
};

TEST(RequestParser, ReadsValidRequests) {
  for (const ValidRequest& valid : kValid) {
    RequestHead head;
    const ParseResult result = Parse(valid.bytes, &head);
    ASSERT_EQ(result.state, ParseResult::kDone) << valid.bytes << result.error.reason;
    EXPECT_EQ(result.consumed, valid.bytes.size());
    EXPECT_EQ(head.method, valid.method) << valid.bytes;
    EXPECT_EQ(head.authority, valid.authority) << valid.bytes;
    EXPECT_EQ(head.path, valid.path) << valid.bytes;
    EXPECT_EQ(head.has_query, valid.query.has_value()) << valid.bytes;
    EXPECT_EQ(head.query, valid.query.value_or("")) << valid.bytes;
    EXPECT_EQ(head.body, valid.body) << valid.bytes;
    EXPECT_EQ(head.keep_alive, valid.keep_alive) << valid.bytes;
    EXPECT_EQ(head.headers.Value(HeaderId::kHost), valid.authority) << valid.bytes;
  }
}

TEST(RequestParser, WantsMoreAtEveryCutOfAValidRequest) {
  for (const ValidRequest& valid : kValid) {
    HeadScanner scanner;
    RequestHead head;
    for (size_t size = 0; size < valid.bytes.size(); ++size) {
      const std::string_view prefix = valid.bytes.substr(0, size);
      EXPECT_EQ(Parse(prefix, &head).state, ParseResult::kNeedMore) << prefix;
      EXPECT_EQ(ParseRequestHead(&scanner, prefix, {}, &head).state, ParseResult::kNeedMore)
          << prefix;
    }
    EXPECT_EQ(ParseRequestHead(&scanner, valid.bytes, {}, &head).state, ParseResult::kDone)
        << valid.bytes;
    EXPECT_EQ(head.path, valid.path);
  }
}

TEST(RequestParser, ReadsTheSameWhereverARequestIsCutInTwo) {
  for (const ValidRequest& valid : kValid) {
    RequestHead whole;
    const size_t consumed = Parse(valid.bytes, &whole).consumed;
    for (size_t cut = 0; cut < valid.bytes.size(); ++cut) {
      HeadScanner scanner;
      RequestHead head;
      ParseRequestHead(&scanner, valid.bytes.substr(0, cut), {}, &head);
      const ParseResult result = ParseRequestHead(&scanner, valid.bytes, {}, &head);
      ASSERT_EQ(result.state, ParseResult::kDone) << valid.bytes << " cut at " << cut;
      EXPECT_EQ(result.consumed, consumed);
      EXPECT_EQ(head.method, whole.method);
      EXPECT_EQ(head.authority, whole.authority);
      EXPECT_EQ(head.path, whole.path);
      EXPECT_EQ(head.query, whole.query);
      EXPECT_EQ(head.body, whole.body);
      ASSERT_EQ(head.headers.size(), whole.headers.size());
      for (size_t i = 0; i < head.headers.size(); ++i) {
        EXPECT_EQ(head.headers.begin()[i].name, whole.headers.begin()[i].name);
        EXPECT_EQ(head.headers.begin()[i].value, whole.headers.begin()[i].value);
      }
    }
  }
}

// Names, values and paths of every length up to a few blocks of those that are looked at at once,
// with a character that cannot stand there at every place of them.
TEST(RequestParser, LooksAtEveryByteOfNamesValuesAndPaths) {
  for (size_t size = 1; size <= 40; ++size) {
    for (size_t at = 0; at <= size; ++at) {
      for (char bad : {'\x01', '\r', '\n', '\x7f'}) {
        std::string text(size, 'a');
        if (at < size) text[at] = bad;
        for (const std::string& head : {"GET /" + text + " HTTP/1.1\r\nHost: o\r\n\r\n",
                                        "GET / HTTP/1.1\r\nHost: o\r\n" + text + ": y\r\n\r\n",
                                        "GET / HTTP/1.1\r\nHost: o\r\nX:" + text + "\r\n\r\n"}) {
          RequestHead out;
          EXPECT_EQ(Parse(head, &out).state, at < size ? ParseResult::kError : ParseResult::kDone)
              << testing::PrintToString(head);
        }
      }
    }
  }
}

TEST(RequestParser, LeavesPipelinedRequestsForTheNextCall) {
  const std::string_view bytes =
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: b\r\n\r\n\r\nGET /3 "
      "HTTP/1.1\r\nHost: c\r\n\r\nGET";
  HeadScanner scanner;
  RequestHead head;
  size_t at = 0;
  for (std::string_view path : {"/1", "/2", "/3"}) {
    const ParseResult result = ParseRequestHead(&scanner, bytes.substr(at), {}, &head);
    ASSERT_EQ(result.state, ParseResult::kDone) << result.error.reason;
    EXPECT_EQ(head.path, path);
    EXPECT_EQ(head.headers.size(), 1u);
    at += result.consumed;
  }
  EXPECT_EQ(ParseRequestHead(&scanner, bytes.substr(at), {}, &head).state, ParseResult::kNeedMore);
}

TEST(RequestParser, KeepsHeadersInOrderWithTrimmedValues) {
  RequestHead head;
  const std::string_view bytes =
      "GET / HTTP/1.1\r\nHost: o\r\nA:1\r\nX-Empty:\r\nX-Blank: \t \r\na: \t2 3\t\r\nX: "
      "caf\xc3\xa9 \x80\xff\r\n\r\n";
  ASSERT_EQ(Parse(bytes, &head).state, ParseResult::kDone);
  ASSERT_EQ(head.headers.size(), 6u);
  const Header* header = head.headers.begin();
  EXPECT_EQ(header[0].id, HeaderId::kHost);
  EXPECT_EQ(header[1].name, "A");
  EXPECT_EQ(header[1].value, "1");
  EXPECT_EQ(header[2].value, "");
  EXPECT_EQ(header[3].value, "");
  EXPECT_EQ(header[4].name, "a");
  EXPECT_EQ(header[4].value, "2 3");
  EXPECT_EQ(header[5].value, "caf\xc3\xa9 \x80\xff");
}

TEST(RequestParser, PointsIntoTheGivenBytes) {
  const std::string bytes = "GET /a HTTP/1.1\r\nHost: o\r\nX: y\r\n\r\n";
  RequestHead head;
  ASSERT_EQ(Parse(bytes, &head).state, ParseResult::kDone);
  const auto inside = [&](std::string_view view) {
    return view.data() >= bytes.data() && view.data() + view.size() <= bytes.data() + bytes.size();
  };
  EXPECT_TRUE(inside(head.method) && inside(head.path) && inside(head.headers.Value("x")));
}

TEST(RequestParser, ReplacesHostByTheAuthorityOfAnAbsoluteTarget) {
  RequestHead head;
  ASSERT_EQ(Parse("GET http://orders:80/a HTTP/1.1\r\nX: y\r\nHost: evil\r\n\r\n", &head).state,
            ParseResult::kDone);
  EXPECT_EQ(head.headers.Value(HeaderId::kHost), "orders:80");
  EXPECT_EQ(head.headers.Count(HeaderId::kHost), 1u);
  ASSERT_EQ(Parse("GET http://orders/a HTTP/1.0\r\nX: y\r\n\r\n", &head).state, ParseResult::kDone);
  EXPECT_EQ(head.headers.Value(HeaderId::kHost), "orders");
}

TEST(RequestParser, MakesRepeatedContentLengthsOne) {
  for (std::string_view lines : {"Content-Length: 05\r\n", "Content-Length: 5,5 , 005\r\n",
                                 "Content-Length: 5\r\nX: y\r\ncontent-length: 5\r\n"}) {
    RequestHead head;
    const std::string bytes = "POST / HTTP/1.1\r\nHost: o\r\n" + std::string(lines) + "\r\n";
    ASSERT_EQ(Parse(bytes, &head).state, ParseResult::kDone) << lines;
    EXPECT_EQ(head.headers.Count(HeaderId::kContentLength), 1u) << lines;
    EXPECT_EQ(head.headers.Value(HeaderId::kContentLength), "5") << lines;
  }
}

TEST(RequestParser, ExpectsContinueOnlyWhereABodyCanWaitForIt) {
  const auto parse = [](std::string_view version, std::string_view lines, RequestHead* head) {
    const std::string bytes =
        "POST / HTTP/" + std::string(version) + "\r\nHost: o\r\n" + std::string(lines) + "\r\n";
    EXPECT_EQ(Parse(bytes, head).state, ParseResult::kDone) << bytes;
    return head->expect_continue;
  };
  RequestHead head;
  EXPECT_TRUE(parse("1.1", "Expect: 100-Continue\r\nContent-Length: 1\r\n", &head));
  EXPECT_TRUE(head.headers.Has(HeaderId::kExpect));
  EXPECT_TRUE(parse("1.1", "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", &head));
  EXPECT_FALSE(parse("1.1", "Expect: 100-continue\r\nContent-Length: 0\r\n", &head));
  EXPECT_FALSE(head.headers.Has(HeaderId::kExpect));
  EXPECT_FALSE(parse("1.1", "Expect: 100-continue\r\n", &head));
  EXPECT_FALSE(parse("1.0", "Expect: 100-continue\r\nContent-Length: 1\r\n", &head));
  EXPECT_FALSE(head.headers.Has(HeaderId::kExpect));
  EXPECT_FALSE(parse("1.1", "Content-Length: 1\r\n", &head));
}

TEST(RequestParser, SeesUpgradesExceptThoseToHttpItself) {
  const auto upgrade = [](std::string_view version, std::string_view lines) {
    RequestHead head;
    const std::string bytes =
        "GET / HTTP/" + std::string(version) + "\r\nHost: o\r\n" + std::string(lines) + "\r\n";
    EXPECT_EQ(Parse(bytes, &head).state, ParseResult::kDone) << bytes;
    return head.upgrade;
  };
  EXPECT_TRUE(upgrade("1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
  EXPECT_TRUE(upgrade("1.1", "Connection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n"));
  EXPECT_FALSE(upgrade("1.1", "Upgrade: websocket\r\n"));
  EXPECT_FALSE(upgrade("1.1", "Connection: upgrade\r\n"));
  EXPECT_FALSE(upgrade("1.0", "Connection: upgrade\r\nUpgrade: websocket\r\n"));
  for (std::string_view protocol :
       {"h2c", "H2C", "websocket, h2c", "HTTP/2.0", "TLS/1.2", "h2", "", "websocket,"}) {
    EXPECT_FALSE(
        upgrade("1.1", "Connection: upgrade\r\nUpgrade: " + std::string(protocol) + "\r\n"))
        << protocol;
  }
  EXPECT_FALSE(upgrade("1.1", "Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n"));
}

TEST(RequestParser, HoldsToItsLimitsExactly) {
  HeadLimits limits;
  limits.max_request_line = 30;
  RequestHead head;
  const std::string_view rest = "\r\nHost: o\r\n\r\n";
  const std::string fits = "GET /" + std::string(30 - 14, 'a') + " HTTP/1.1";
  ASSERT_EQ(fits.size(), 30u);
  EXPECT_EQ(Parse(fits + std::string(rest), &head, limits).state, ParseResult::kDone);
  EXPECT_EQ(Parse("\r\n" + fits + std::string(rest), &head, limits).state, ParseResult::kDone);
  EXPECT_EQ(Parse("GET /" + std::string(17, 'a') + " HTTP/1.1" + std::string(rest), &head, limits)
                .error.status,
            414);

  const std::string whole = "GET / HTTP/1.1\r\nHost: o\r\nX: y\r\n\r\n";
  limits.max_header_bytes = whole.size();
  EXPECT_EQ(Parse(whole, &head, limits).state, ParseResult::kDone);
  EXPECT_EQ(Parse(whole + "more", &head, limits).state, ParseResult::kDone);
  limits.max_header_bytes = whole.size() - 1;
  EXPECT_EQ(Parse(whole, &head, limits).error.status, 431);
  limits.max_header_bytes = 10;
  EXPECT_EQ(Parse(whole, &head, limits).error.status, 414);

  limits = {};
  limits.max_headers = 2;
  EXPECT_EQ(Parse(whole, &head, limits).state, ParseResult::kDone);
  limits.max_headers = 1;
  EXPECT_EQ(Parse(whole, &head, limits).error.status, 431);
}

TEST(RequestParser, GivesTheSameResultHoweverLimitsAndCutsFall) {
  const std::string bytes =
      "\r\nPOST /path?query HTTP/1.1\r\nHost: orders\r\nContent-Length: 5\r\n\r\nhello";
  for (size_t limit = 0; limit <= bytes.size() + 1; ++limit) {
    for (bool line : {false, true}) {
      HeadLimits limits;
      (line ? limits.max_request_line : limits.max_header_bytes) = limit;
      RequestHead head;
      const ParseResult whole = Parse(bytes, &head, limits);
      HeadScanner scanner;
      ParseResult trickled;
      for (size_t size = 0; size <= bytes.size() && trickled.state == ParseResult::kNeedMore;
           ++size) {
        trickled =
            ParseRequestHead(&scanner, std::string_view(bytes).substr(0, size), limits, &head);
      }
      EXPECT_EQ(trickled.state, whole.state) << limit;
      EXPECT_EQ(trickled.consumed, whole.consumed) << limit;
      EXPECT_EQ(trickled.error.status, whole.error.status) << limit;
      EXPECT_STREQ(trickled.error.reason, whole.error.reason) << limit;
    }
  }
}

}  // namespace
}  // namespace pillion::http
