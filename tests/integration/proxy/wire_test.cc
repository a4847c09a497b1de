// HTTP/1.1 on the wire, as callers and upstreams see it.

#include <atomic>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/integration/harness/http_client.h"
#include "tests/integration/harness/origin.h"
#include "tests/integration/proxy/test_sidecar.h"

namespace pillion::proxy_test {
namespace {

using harness::Connection;
using harness::HttpClient;
using harness::Origin;
using harness::Request;
using harness::Response;

constexpr char kEnd[] = "\r\n\r\n";

Connection ConnectTo(const TestSidecar& sidecar) {
  auto connection = Connection::Connect(sidecar.port());
  EXPECT_TRUE(connection.ok()) << connection.status();
  return *std::move(connection);
}

// Sends a request and returns everything up to the end of the connection.
std::string Exchange(const TestSidecar& sidecar, std::string_view bytes) {
  Connection connection = ConnectTo(sidecar);
  EXPECT_TRUE(connection.Send(bytes).ok());
  auto all = connection.ReadToEnd();
  EXPECT_TRUE(all.ok()) << all.status();
  return all.value_or("");
}

Origin::RawHandler Answer(std::string bytes) {
  return [=](Connection& connection) {
    if (connection.ReadThrough(kEnd).ok()) (void)connection.Send(bytes);
  };
}

TEST(Connections, AreKeptOnBothSides) {
  Origin orders([](const Request& request) { return Response{.body = request.target}; });
  TestSidecar sidecar(ForwardTo(orders.port()));
  HttpClient client(sidecar.port());
  for (int i = 0; i < 20; ++i) {
    const std::string target = absl::StrCat("/", i);
    EXPECT_EQ(client.Get("http://orders" + target)->body, target);
  }
  EXPECT_EQ(client.connections_made(), 1);
  EXPECT_EQ(orders.connection_count(), 1u);
}

TEST(Connections, CloseWhenTheCallerSaysSo) {
  Origin orders([](const Request&) { return Response{.body = "x"}; });
  TestSidecar sidecar(ForwardTo(orders.port()));
  const std::string answer =
      Exchange(sidecar, "GET / HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(absl::StrContains(answer, "connection: close")) << answer;
  EXPECT_FALSE(orders.requests().at(0).Header("connection")) << "hop-by-hop";
}

TEST(Connections, GoOnAfterAnUpstreamThatClosesEachTime) {
  Origin orders([](const Request&) {
    return Response{.headers = {{"Connection", "close"}}, .body = "x"};
  });
  TestSidecar sidecar(ForwardTo(orders.port()));
  HttpClient client(sidecar.port());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(client.Get("http://orders/")->body, "x");
  EXPECT_EQ(client.connections_made(), 1);
  EXPECT_EQ(orders.connection_count(), 5u);
}

TEST(UnixSockets, WorkOnBothSides) {
  harness::TempDir sockets = harness::TempDir::ForSockets();
  Origin orders(sockets / "up",
                [](const Request& request) { return Response{.body = request.body}; });
  TestSidecar sidecar(
      "clusters:\n- { name: orders, endpoints: [\"unix:" + (sockets / "up") +
          "\"] }\nvirtual_hosts:\n- { name: orders, domains: [orders], routes: [ { match: { "
          "prefix: / "
          "}, route: { cluster: orders } } ] }\n",
      {.listeners = "- { name: outbound, address: \"unix:" + (sockets / "down") + "\" }"});
  // Both workers take from the one socket.
  for (int i = 0; i < 8; ++i) {
    HttpClient client(sockets / "down");
    const auto response = client.Post("http://orders/", absl::StrCat("body ", i));
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->body, absl::StrCat("body ", i));
  }
  EXPECT_EQ(sidecar.Stop(), harness::ExitStatus::Code(0));
}

TEST(Pipelining, AnswersInOrder) {
  Origin orders(
      [](const Request& request) { return Response{.body = request.target + request.body}; });
  TestSidecar sidecar(ForwardTo(orders.port()));
  Connection connection = ConnectTo(sidecar);
  ASSERT_TRUE(connection
                  .Send("GET /1 HTTP/1.1\r\nHost: orders\r\n\r\n"
                        "POST /2 HTTP/1.1\r\nHost: orders\r\nContent-Length: 3\r\n\r\nabc"
                        "POST /3 HTTP/1.1\r\nHost: orders\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "3\r\ndef\r\n0\r\n\r\n"
                        "HEAD /4 HTTP/1.1\r\nHost: orders\r\n\r\n"
                        "GET /5 HTTP/1.1\r\nHost: orders\r\n\r\n")
                  .ok());
  EXPECT_EQ(ReadResponse(connection, "GET")->body, "/1");
  EXPECT_EQ(ReadResponse(connection, "POST")->body, "/2abc");
  EXPECT_EQ(ReadResponse(connection, "POST")->body, "/3def");
  EXPECT_EQ(ReadResponse(connection, "HEAD")->status, 200);
  EXPECT_EQ(ReadResponse(connection, "GET")->body, "/5");
}

TEST(Bodies, PassChunkedBothWays) {
  Origin orders([](const Request& request) {
    return Response{.headers = {{"Transfer-Encoding", "chunked"}}, .body = request.body};
  });
  TestSidecar sidecar(ForwardTo(orders.port()));
  HttpClient client(sidecar.port());
  int pieces = 0;
  auto source = [&pieces] { return pieces++ < 100 ? std::string(1000, 'p') : std::string(); };
  const auto response =
      client.Send({.method = "POST", .target = "http://orders/", .body_source = source});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body, std::string(100000, 'p'));
  EXPECT_EQ(response->Header("transfer-encoding").value_or(""), "chunked");
  EXPECT_EQ(orders.requests().at(0).Header("transfer-encoding").value_or(""), "chunked");
}

TEST(Bodies, AreDelimitedForTheCallerWhenTheUpstreamJustCloses) {
  Origin orders(Answer("HTTP/1.1 200 OK\r\n\r\nuntil the end"));
  TestSidecar sidecar(ForwardTo(orders.port()));
  HttpClient client(sidecar.port());
  const auto response = client.Get("http://orders/");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body, "until the end");
  EXPECT_EQ(response->Header("transfer-encoding").value_or(""), "chunked");
  EXPECT_EQ(client.Get("http://orders/")->body, "until the end");
  EXPECT_EQ(client.connections_made(), 1);
}

TEST(Bodies, EndWithTheConnectionForOldCallers) {
  Origin orders([](const Request&) {
    return Response{.headers = {{"Transfer-Encoding", "chunked"}}, .body = "chunked upstream"};
  });
  TestSidecar sidecar(ForwardTo(orders.port()));
  const std::string answer = Exchange(sidecar, "GET / HTTP/1.0\r\nHost: orders\r\n\r\n");
  EXPECT_TRUE(absl::EndsWith(answer, "\r\n\r\nchunked upstream")) << answer;
  EXPECT_FALSE(absl::StrContains(answer, "chunked\r\n")) << answer;
  EXPECT_EQ(sidecar.AccessLine("/")["protocol"], "HTTP/1.0");
}

TEST(Bodies, AreLeftOutWhereTheAnswerHasNone) {
  Origin orders([](const Request& request) {
    if (request.target == "/204") return Response{.status = 204};
    if (request.target == "/304") return Response{.status = 304, .headers = {{"ETag", "\"1\""}}};
    return Response{.headers = {{"Content-Length", "1234"}}, .body = std::string(1234, 'x')};
  });
  TestSidecar sidecar(ForwardTo(orders.port()));
  HttpClient client(sidecar.port());
  EXPECT_EQ(client.Get("http://orders/204")->status, 204);
  const auto not_modified = client.Get("http://orders/304");
  EXPECT_EQ(not_modified->status, 304);
  EXPECT_EQ(not_modified->Header("etag").value_or(""), "\"1\"");
  const auto head = client.Send({.method = "HEAD", .target = "http://orders/"});
  EXPECT_EQ(head->Header("content-length").value_or(""), "1234");
  EXPECT_EQ(client.Get("http://orders/")->body.size(), 1234u);
  EXPECT_EQ(client.connections_made(), 1) << "something was taken for a body";
  EXPECT_EQ(orders.connection_count(), 1u);
}

TEST(Expect, IsAnsweredBeforeTheBodyIsRead) {
  Origin orders([](const Request& request) { return Response{.body = request.body}; });
  TestSidecar sidecar(ForwardTo(orders.port()));
  Connection connection = ConnectTo(sidecar);
  ASSERT_TRUE(connection
                  .Send("POST / HTTP/1.1\r\nHost: orders\r\nContent-Length: 5\r\n"
                        "Expect: 100-continue\r\n\r\n")
                  .ok());
  EXPECT_EQ(connection.ReadThrough(kEnd).value_or(""), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(connection.Send("hello").ok());
  EXPECT_EQ(ReadResponse(connection, "POST")->body, "hello");
}

TEST(Informational, AnswersArePassedOn) {
  Origin orders(
      Answer("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
             "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"));
  TestSidecar sidecar(ForwardTo(orders.port()));
  const std::string answer =
      Exchange(sidecar, "GET / HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 103 ")) << answer;
  EXPECT_TRUE(absl::StrContains(answer, "</a.css>\r\n\r\nHTTP/1.1 200 ")) << answer;
  EXPECT_TRUE(absl::EndsWith(answer, "\r\n\r\nok")) << answer;
  // HTTP/1.0 knows of none.
  const std::string old = Exchange(sidecar, "GET / HTTP/1.0\r\nHost: orders\r\n\r\n");
  EXPECT_TRUE(absl::StartsWith(old, "HTTP/1.1 200 ")) << old;
}

constexpr char kUpgrade[] =
    "GET /ws HTTP/1.1\r\nHost: orders\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: abc\r\n\r\n";

TEST(Upgrades, PassBytesBothWaysOnceTheUpstreamSwitches) {
  Origin orders([](Connection& connection) {
    const auto head = connection.ReadThrough(kEnd);
    if (!head.ok()) return;
    EXPECT_TRUE(absl::StrContains(absl::AsciiStrToLower(*head), "upgrade: websocket\r\n")) << *head;
    EXPECT_TRUE(absl::StrContains(absl::AsciiStrToLower(*head), "connection: upgrade\r\n"))
        << *head;
    // The first frame comes along with the answer.
    (void)connection.Send(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: "
        "websocket\r\n\r\nfirst");
    auto message = connection.ReadExactly(5);
    while (message.ok()) {
      if (!connection.Send("echo " + *message).ok()) return;
      message = connection.ReadExactly(5);
    }
    (void)connection.Send("bye");  // the caller half-closed: it can still hear us
  });
  TestSidecar sidecar(ForwardTo(orders.port(), ", timeout: 300ms"));
  Connection connection = ConnectTo(sidecar);
  ASSERT_TRUE(connection.Send(kUpgrade).ok());
  const auto response = ReadResponse(connection, "GET");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 101);
  EXPECT_EQ(response->Header("upgrade").value_or(""), "websocket");
  EXPECT_EQ(connection.ReadExactly(5).value_or(""), "first");
  for (const char* message : {"hello", "GET /", "\r\n\r\n\n"}) {
    ASSERT_TRUE(connection.Send(message).ok());
    EXPECT_EQ(connection.ReadExactly(10).value_or(""), absl::StrCat("echo ", message));
  }
  // The route's timeout is not for what has been upgraded: nothing ends it while others wait
  // longer.
  EXPECT_EQ(HttpClient(sidecar.port()).Send({.target = "http://nobody/"})->status, 404);
  EXPECT_FALSE(connection.Peek(std::chrono::milliseconds(600)).ok()) << "ended by the timeout";
  connection.ShutdownWrite();
  EXPECT_EQ(connection.ReadToEnd().value_or("cut"), "bye");
  EXPECT_EQ(sidecar.AccessLine("/ws")["response_code"], 101);
}

TEST(Upgrades, CanBeRefusedByTheUpstream) {
  Origin orders([](const Request& request) {
    return Response{.status = request.Header("upgrade") ? 426 : 200, .body = "no"};
  });
  TestSidecar sidecar(ForwardTo(orders.port()));
  Connection connection = ConnectTo(sidecar);
  ASSERT_TRUE(connection.Send(kUpgrade).ok());
  EXPECT_EQ(ReadResponse(connection, "GET")->status, 426);
  // It is still HTTP.
  ASSERT_TRUE(connection.Send("GET / HTTP/1.1\r\nHost: orders\r\n\r\n").ok());
  EXPECT_EQ(ReadResponse(connection, "GET")->status, 200);
}

TEST(Callers, ThatLeaveFreeTheUpstream) {
  Origin orders([](Connection& connection) {
    (void)connection.ReadThrough(kEnd);
    (void)connection.ReadToEnd();  // until the sidecar gives up
  });
  TestSidecar sidecar(ForwardTo(orders.port()));
  {
    Connection connection = ConnectTo(sidecar);
    ASSERT_TRUE(connection.Send("GET /left HTTP/1.1\r\nHost: orders\r\n\r\n").ok());
    ASSERT_TRUE(harness::Eventually([&] { return orders.connection_count() == 1; }));
  }
  EXPECT_EQ(sidecar.AccessLine("/left")["response_flags"], "DC");
}

TEST(Callers, ThatAreSlowWithTheirHeadersAreToldSo) {
  TestSidecar sidecar(ForwardTo(harness::FreePort()),
                      {.more = "limits: { request_headers_timeout: 200ms }"});
  const std::string answer = Exchange(sidecar, "GET / HTTP/1.1\r\nHost: ord");
  EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 408 ")) << answer;
}

TEST(Callers, ThatStayIdleAreDropped) {
  TestSidecar sidecar(ForwardTo(harness::FreePort()), {.more = "limits: { idle_timeout: 200ms }"});
  EXPECT_EQ(Exchange(sidecar, ""), "");
}

TEST(Callers, ThatTakeNothingOfTheirAnswerAreDropped) {
  std::atomic<bool> freed{false};
  Origin orders([&](Connection& connection) {
    if (!connection.ReadThrough(kEnd).ok()) return;
    if (!connection.Send("HTTP/1.1 200 OK\r\n\r\n").ok()) return;
    const std::string piece(64 * 1024, 'x');
    while (connection.Send(piece).ok()) {
    }
    freed = true;
  });
  TestSidecar sidecar(ForwardTo(orders.port(), ", timeout: 0s, idle_timeout: 300ms"));
  Connection connection = ConnectTo(sidecar);
  ASSERT_TRUE(connection.Send("GET /idle HTTP/1.1\r\nHost: orders\r\n\r\n").ok());
  EXPECT_EQ(sidecar.AccessLine("/idle")["response_flags"], "SI");
  EXPECT_TRUE(harness::Eventually([&] { return freed.load(); }));
  EXPECT_FALSE(connection.ReadToEnd().ok()) << "a part passed for the whole";
}

TEST(Limits, AreAnswered) {
  Origin orders([](const Request&) { return Response{.body = "x"}; });
  TestSidecar sidecar(ForwardTo(orders.port()),
                      {.more = "limits: { max_connections: 3, max_header_bytes: 2KiB, max_headers: "
                               "10, max_target_bytes: 500 }"});
  auto status_of = [&](const std::string& head) {
    return Exchange(sidecar, head + "Host: orders\r\nConnection: close\r\n\r\n").substr(9, 3);
  };
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n"), "200");
  EXPECT_EQ(status_of("GET /" + std::string(600, 'x') + " HTTP/1.1\r\n"), "414");
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nX: " + std::string(3000, 'x') + "\r\n"), "431");
  std::string many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 12; ++i) absl::StrAppend(&many, "x-", i, ": 1\r\n");
  EXPECT_EQ(status_of(many), "431");
  EXPECT_EQ(orders.request_count(), 1u);

  std::vector<Connection> open;
  std::vector<std::string> statuses;
  harness::Eventually([&] {  // those of above may not be gone yet
    open.clear();
    statuses.clear();
    for (int i = 0; i < 4; ++i) open.push_back(ConnectTo(sidecar));
    for (Connection& connection : open) {
      (void)connection.Send("GET / HTTP/1.1\r\nHost: orders\r\n\r\n");
      const auto response = ReadResponse(connection, "GET");
      statuses.push_back(response.ok() ? absl::StrCat(response->status) : "none");
    }
    return statuses == std::vector<std::string>{"200", "200", "200", "503"};
  });
  EXPECT_EQ(statuses, (std::vector<std::string>{"200", "200", "200", "503"}));
}

// Saying why costs a descriptor for up to a second, which must not become a way to use them all up.
TEST(Limits, AreToldToSomeOfManyCallersAtATime) {
  TestSidecar sidecar(ForwardTo(harness::FreePort()), {.more = "limits: { max_connections: 1 }"});
  std::vector<Connection> callers;
  int told = 0, closed = 0;
  EXPECT_TRUE(harness::Eventually([&] {
    callers.clear();
    told = closed = 0;
    for (int i = 0; i < 400; ++i) callers.push_back(ConnectTo(sidecar));
    for (Connection& caller : callers) {
      if (!harness::Eventually([&] { return caller.Readable(); }, std::chrono::seconds(1)))
        continue;
      const auto answer = caller.ReadSome();
      (answer.ok() && absl::StartsWith(*answer, "HTTP/1.1 503 ") ? told : closed) += 1;
    }
    return closed > 0;
  })) << told
      << " told, " << closed << " closed";
  EXPECT_GT(told, 0);
}

}  // namespace
}  // namespace pillion::proxy_test
