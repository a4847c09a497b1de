// The client and the origin against each other, and each against raw bytes.

#include "tests/integration/harness/http.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/integration/harness/checksum.h"
#include "tests/integration/harness/files.h"
#include "tests/integration/harness/http_client.h"
#include "tests/integration/harness/origin.h"

namespace pillion::harness {
namespace {

Response EchoBody(const Request& request) { return {.body = request.method + " " + request.body}; }

// An origin that answers any one request with `bytes` and closes.
Origin::RawHandler Answer(std::string bytes) {
  return [bytes](Connection& connection) {
    if (connection.ReadThrough("\r\n\r\n").ok()) (void)connection.Send(bytes);
  };
}

TEST(HttpClient, SendsWhatItIsToldAndGetsTheAnswer) {
  Origin origin([](const Request&) {
    return Response{.status = 201, .reason = "Made", .headers = {{"X-Id", "7"}}, .body = "made"};
  });
  HttpClient client(origin.port());
  const auto response = client.Post("/things?x=1", "{}", {{"X-Tier", "gold"}});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->reason, "Made");
  EXPECT_EQ(response->Header("x-id"), "7");
  EXPECT_EQ(response->Header("x-none"), std::nullopt);
  EXPECT_EQ(response->body, "made");

  const Request request = origin.requests().at(0);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/things?x=1");
  EXPECT_EQ(request.body, "{}");
  EXPECT_EQ(request.Header("x-tier"), "gold");
  EXPECT_EQ(request.Header("host"), "127.0.0.1:" + std::to_string(origin.port()));
}

TEST(HttpClient, WritesTheExpectedBytes) {
  std::string received;
  {
    Origin origin([&](Connection& connection) {
      received = connection.ReadThrough("{}").value_or("");
      (void)connection.Send("HTTP/1.1 204 No Content\r\n\r\n");
    });
    HttpClient client(origin.port());
    EXPECT_EQ(client.Post("http://orders:80/reports?a", "{}", {{"A", "b"}})->status, 204);
  }
  EXPECT_EQ(received,
            "POST http://orders:80/reports?a HTTP/1.1\r\nHost: orders:80\r\nA: "
            "b\r\nContent-Length: 2\r\n\r\n{}");
}

TEST(HttpClient, KeepsItsConnection) {
  Origin origin(EchoBody);
  HttpClient client(origin.port());
  for (int i = 0; i < 10; ++i) {
    const auto response = client.Post("/", std::to_string(i));
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->body, "POST " + std::to_string(i));
  }
  EXPECT_EQ(client.connections_made(), 1);
  EXPECT_EQ(origin.connection_count(), 1u);
  EXPECT_EQ(origin.request_count(), 10u);
}

TEST(HttpClient, ConnectsAnewWhenEitherSideSaidClose) {
  Origin origin([](const Request& request) {
    if (request.target == "/close") return Response{.headers = {{"Connection", "close"}}};
    return Response{};
  });
  HttpClient client(origin.port());
  EXPECT_EQ(client.Get("/close")->status, 200);
  EXPECT_EQ(client.Get("/", {{"Connection", "close"}})->status, 200);
  EXPECT_EQ(client.Get("/")->status, 200);
  EXPECT_EQ(client.connections_made(), 3);
}

TEST(HttpClient, SpeaksOverAUnixSocket) {
  TempDir directory = TempDir::ForSockets();
  Origin origin(directory / "app.sock", EchoBody);
  HttpClient client(directory / "app.sock");
  const auto response = client.Post("/", "x");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body, "POST x");
  EXPECT_EQ(origin.requests().at(0).Header("host"), "localhost");
}

TEST(HttpClient, ReadsEveryWayToDelimitABody) {
  struct Case {
    std::string bytes;
    std::string body;
  };
  const std::vector<Case> cases = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc"},
      {"HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
       "chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
       "abc0123456789"},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "x"},
      {"HTTP/1.1 204 No Content\r\n\r\n", ""},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", ""},
  };
  for (const auto& [bytes, body] : cases) {
    Origin origin(Answer(bytes));
    HttpClient client(origin.port());
    const auto response = client.Get("/");
    ASSERT_TRUE(response.ok()) << response.status() << bytes;
    EXPECT_EQ(response->body, body) << bytes;
  }
}

TEST(HttpClient, ReadsTrailers) {
  Origin origin(
      Answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\nC: d\r\n\r\n"));
  HttpClient client(origin.port());
  EXPECT_EQ(client.Get("/")->trailers, (Headers{{"A", "b"}, {"C", "d"}}));
}

TEST(HttpClient, ReportsAnAnswerThatIsNone) {
  for (const char* bytes :
       {"", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "SSH-2.0-x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    Origin origin(Answer(bytes));
    HttpClient client(origin.port());
    EXPECT_FALSE(client.Get("/").ok()) << bytes;
  }
}

TEST(HttpClient, ReturnsAtTheDeadline) {
  Origin origin(origin::Hang());
  HttpClient client(origin.port());
  EXPECT_EQ(client.Send({}, std::chrono::milliseconds(20)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST(HttpClient, ReadsNoBodyAfterHead) {
  Origin origin(EchoBody);
  HttpClient client(origin.port());
  const auto head = client.Send({.method = "HEAD"});
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->body, "");
  EXPECT_EQ(client.Get("/")->body, "GET ");
  EXPECT_EQ(client.connections_made(), 1);
}

TEST(HttpClient, StreamsBodiesBothWaysWithoutHoldingThem) {
  constexpr uint64_t kSize = 3'000'001;
  Checksum up;
  Origin origin(
      [](const Request&) {
        return Response{.headers = {{"Content-Length", std::to_string(kSize)}},
                        .body_source = RandomBody(kSize, 2)};
      },
      [&](const Request&, std::string_view piece) { up.Add(piece); });
  HttpClient client(origin.port());
  Checksum down;
  const auto response = client.Send({.method = "PUT", .body_source = RandomBody(kSize, 1)},
                                    kPatience, [&](std::string_view piece) {
                                      down.Add(piece);
                                      return true;
                                    });
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body, "");
  EXPECT_EQ(origin.requests().at(0).body, "");

  Checksum sent, answered;
  const BodySource one = RandomBody(kSize, 1), two = RandomBody(kSize, 2);
  for (std::string piece = one(); !piece.empty(); piece = one()) sent.Add(piece);
  for (std::string piece = two(); !piece.empty(); piece = two()) answered.Add(piece);
  EXPECT_EQ(up.value(), sent.value());
  EXPECT_EQ(down.value(), answered.value());
}

TEST(HttpClient, StopsReadingAStreamThatDoesNotEnd) {
  Origin origin(
      [](const Request&) { return Response{.body_source = [] { return "data: tick\n\n"; }}; });
  HttpClient client(origin.port());
  std::string events;
  const auto response = client.Send({}, kPatience, [&](std::string_view piece) {
    events += piece;
    return events.size() < 100;
  });
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(events.starts_with("data: tick\n\ndata: tick"));
  EXPECT_EQ(client.connection(), nullptr);
}

TEST(HttpClient, LeavesTheConnectionAfterAnUpgrade) {
  Origin origin([](Connection& connection) {
    (void)connection.ReadThrough("\r\n\r\n");
    (void)connection.Send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n\r\nhello");
    const auto piece = connection.ReadExactly(3);
    if (piece.ok()) (void)connection.Send(*piece);
  });
  HttpClient client(origin.port());
  EXPECT_EQ(client.Get("/", {{"Connection", "upgrade"}, {"Upgrade", "echo"}})->status, 101);
  ASSERT_NE(client.connection(), nullptr);
  EXPECT_EQ(client.connection()->ReadExactly(5).value(), "hello");
  ASSERT_TRUE(client.connection()->Send("abc").ok());
  EXPECT_EQ(client.connection()->ReadToEnd().value(), "abc");
}

TEST(Origin, ReadsChunkedRequestsAndAnswersExpectations) {
  Origin origin(EchoBody);
  auto connection = Connection::Connect(origin.port());
  ASSERT_TRUE(connection.ok()) << connection.status();
  ASSERT_TRUE(
      connection
          ->Send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
          .ok());
  EXPECT_EQ(connection->ReadThrough("\r\n\r\n").value(), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(connection->Send("2\r\nab\r\n0\r\n\r\n").ok());
  EXPECT_EQ(connection->ReadThrough("POST ab").value(),
            "HTTP/1.1 200 Test\r\nContent-Length: 7\r\n\r\nPOST ab");
}

TEST(Origin, ServesManyConnectionsAtOnceAndCountsThem) {
  Origin origin(EchoBody);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 20; ++j) {
        HttpClient client(origin.port());
        EXPECT_EQ(client.Get("/")->body, "GET ");
      }
    });
  }
  EXPECT_TRUE(origin.WaitForRequests(160));
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(origin.connection_count(), 160u);
  EXPECT_FALSE(origin.WaitForRequests(161, std::chrono::milliseconds(1)));
}

TEST(Origin, EndsWithClientsStillConnected) {
  HttpClient client = [] {
    Origin origin(EchoBody);
    HttpClient connected(origin.port());
    EXPECT_EQ(connected.Get("/")->status, 200);
    return connected;
  }();
  EXPECT_FALSE(client.Get("/").ok());
}

TEST(Origin, MisbehavesAsAsked) {
  const auto raw_answer = [](Origin::RawHandler handler) {
    Origin origin(std::move(handler));
    auto connection = Connection::Connect(origin.port()).value();
    EXPECT_TRUE(connection.Send("GET / HTTP/1.1\r\n\r\n").ok());
    return connection.ReadToEnd();
  };
  EXPECT_EQ(raw_answer(origin::CloseWithoutAnswer()).value(), "");
  EXPECT_EQ(raw_answer(origin::ResetWithoutAnswer()).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(raw_answer(origin::CloseMidAnswer(5, 2)).value(),
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nxx");
  EXPECT_EQ(raw_answer(origin::Garbage()).value().substr(0, 3), "\x16\x03\x01");

  Origin endless(origin::EndlessHeader());
  auto connection = Connection::Connect(endless.port()).value();
  ASSERT_TRUE(connection.Send("GET / HTTP/1.1\r\n\r\n").ok());
  EXPECT_EQ(connection.ReadExactly(1 << 20).value().find("\r\n\r\n"), std::string::npos);
}

}  // namespace
}  // namespace pillion::harness
