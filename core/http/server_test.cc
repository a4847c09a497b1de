// Wire transcripts: bytes in, bytes expected, against a real connection.
#include "core/http/server.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <future>
#include <string>
#include <thread>

#include "core/http/client.h"
#include "core/http/header_rules.h"
#include "core/net/loop.h"
#include "core/net/task_group.h"
#include "core/net/test_io.h"
#include "core/strings.h"

namespace pillion::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// More than the kernel keeps for a connection whose other end does not read.
const std::string& Large() {
  static const std::string* const large = new std::string(64 << 20, 'x');
  return *large;
}

// Answers /echo with the request's body, /chunked with two pieces of unknown length, /early without
// reading the body, /half with a part of the promised body, /large with Large(), and everything
// else with the path.
class TestHandler : public RequestHandler {
 public:
  net::Task<void> Handle(ServerExchange& exchange) override {
    net::CancelScope& scope = exchange.scope();
    if (exchange.parse_error()) {
      Problem problem;
      problem.status = exchange.parse_error()->status;
      problem.detail = exchange.parse_error()->reason;
      (void)co_await exchange.SendProblem(problem, scope);
      co_return;
    }
    const std::string_view path = exchange.request().path;
    if (path == "/echo") {
      std::string body;
      while (!exchange.body_done()) {
        absl::StatusOr<std::string_view> piece = co_await exchange.ReadBody(scope);
        if (!piece.ok()) co_return;
        body.append(*piece);
      }
      (void)co_await exchange.SendWhole(200, "text/plain", body, scope);
    } else if (path == "/chunked" || path == "/half") {
      ResponseHead head;
      head.status = 200;
      head.body.kind = BodyFraming::kChunked;
      if (path == "/half") head.body = {BodyFraming::kLength, 100};
      (void)co_await exchange.SendHead(head, "one", false, scope);
      if (path == "/half") co_return;
      (void)co_await exchange.SendBody("two", false, scope);
      (void)co_await exchange.SendBody("", true, scope);
    } else if (path == "/large") {
      sent = co_await exchange.SendWhole(200, "text/plain", Large(), scope);
    } else {
      (void)co_await exchange.SendWhole(200, "text/plain", path, scope);
    }
  }

  absl::Status sent;  // what became of /large
};

struct Fixture {
  std::unique_ptr<net::Loop> loop = *net::Loop::Create(net::TestIo());
  TestHandler handler;
  net::CancelScope server_scope{*loop};
  ServerContext context{*loop, &server_scope, handler, Options()};
  net::TaskGroup connections{*loop, &server_scope};

  static ServerOptions Options() {
    ServerOptions options;
    options.request_headers_timeout = milliseconds(200);
    options.send_timeout = milliseconds(300);
    options.head.max_header_bytes = 2048;
    return options;
  }
};

net::Task<void> Converse(Fixture& fixture, std::string sent, std::string& received) {
  net::CancelScope scope(*fixture.loop);
  scope.SetDeadline(fixture.loop->now() + seconds(20), "test");
  absl::StatusOr<net::Listener> listener =
      net::Listener::Bind(*fixture.loop, *net::Address::Parse("127.0.0.1:0"), {});
  absl::StatusOr<net::Socket> client =
      co_await net::Socket::Connect(*fixture.loop, listener->address(), scope);
  absl::StatusOr<net::Socket> server = co_await listener->Accept(scope);
  fixture.connections.Spawn(
      ServeConnection(std::move(*server), fixture.context, fixture.connections.scope()));
  (void)co_await client->Send(scope, sent);
  net::Buffer buffer;
  while (true) {
    absl::StatusOr<size_t> n = co_await client->Receive(buffer, scope);
    if (!n.ok()) received = StrCat("(", n.status().message(), ")");
    if (!n.ok() || *n == 0) break;
  }
  received.insert(0, buffer.view());
  client->Close();
  co_await fixture.connections.Join();
  fixture.loop->Stop();
}

// What the server answers to `sent`, up to its closing of the connection.
std::string Answer(std::string sent) {
  Fixture fixture;
  std::string received;
  {
    net::TaskGroup group(*fixture.loop);
    group.Spawn(Converse(fixture, std::move(sent), received));
    fixture.loop->Run();
  }
  return received;
}

TEST(ServerConnection, AnswersAndClosesWhenAsked) {
  EXPECT_EQ(Answer("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n"
            "connection: close\r\n\r\n/a");
}

TEST(ServerConnection, AnswersPipelinedRequestsInOrder) {
  EXPECT_EQ(Answer("GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
                   "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                   "GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\n/a"
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\nabc"
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n"
            "connection: close\r\n\r\n/c");
}

TEST(ServerConnection, ReadsAChunkedBody) {
  EXPECT_EQ(Answer("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                   "Connection: close\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nT: v\r\n\r\n"),
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 7\r\n"
            "connection: close\r\n\r\nabcdefg");
}

TEST(ServerConnection, SkipsASmallBodyThatTheHandlerLeftUnread) {
  EXPECT_EQ(Answer("POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
                   "GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 6\r\n\r\n/early"
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n"
            "connection: close\r\n\r\n/b");
}

TEST(ServerConnection, ChunksABodyOfUnknownLength) {
  EXPECT_EQ(Answer("GET /chunked HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
            "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
}

TEST(ServerConnection, EndsABodyOfUnknownLengthWithTheConnectionForHttp10) {
  EXPECT_EQ(Answer("GET /chunked HTTP/1.0\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nonetwo");
}

TEST(ServerConnection, SendsNoBodyToHead) {
  EXPECT_EQ(Answer("HEAD /abc HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n"
            "connection: close\r\n\r\n");
}

TEST(ServerConnection, TellsACallerThatExpectsItToContinue) {
  EXPECT_EQ(Answer("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
                   "Expect: 100-continue\r\nConnection: close\r\n\r\n")
                .find("100 Continue"),
            std::string::npos);
  // The body never comes: the caller waits for the permission, which is all it gets.
  const std::string answer = Answer(
      "POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(answer,
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 6\r\n"
            "connection: close\r\n\r\n/early");
}

TEST(ServerConnection, RefusesAMalformedRequestAndCloses) {
  const std::string answer = Answer(
      "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 Bad Request\r\n")) << answer;
  EXPECT_NE(answer.find("connection: close\r\n"), std::string::npos);
}

TEST(ServerConnection, RefusesAHeadThatDoesNotArriveInTime) {
  EXPECT_TRUE(Answer("GET / HT").starts_with("HTTP/1.1 408 "));
}

TEST(ServerConnection, RefusesAHeadThatIsTooLarge) {
  const std::string answer = Answer("GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(4000, 'a'));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 431 ")) << answer;
}

TEST(ServerConnection, ResetsTheConnectionWhenAnAnswerIsCutOff) {
  const std::string answer = Answer("GET /half HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(answer.find("reset"), std::string::npos) << answer;
}

TEST(ServerConnection, SendsALargeAnswerWhole) {
  const size_t size = Large().size();  // made now: it takes longer than a send may
  const std::string answer = Answer("GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(answer.size() - answer.find("\r\n\r\n") - 4, size);
}

net::Task<void> AskAndTakeNothing(Fixture& fixture) {
  net::CancelScope scope(*fixture.loop);
  scope.SetDeadline(fixture.loop->now() + seconds(20), "test");
  absl::StatusOr<net::Listener> listener =
      net::Listener::Bind(*fixture.loop, *net::Address::Parse("127.0.0.1:0"), {});
  absl::StatusOr<net::Socket> client =
      co_await net::Socket::Connect(*fixture.loop, listener->address(), scope);
  absl::StatusOr<net::Socket> server = co_await listener->Accept(scope);
  fixture.connections.Spawn(
      ServeConnection(std::move(*server), fixture.context, fixture.connections.scope()));
  (void)co_await client->Send(scope, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  absl::Status ended = co_await fixture.connections.Join(scope);
  EXPECT_TRUE(ended.ok()) << ended;
  client->Close();
  co_await fixture.connections.Join();
  fixture.loop->Stop();
}

TEST(ServerConnection, GivesUpACallerThatDoesNotTakeItsAnswer) {
  Fixture fixture;
  {
    net::TaskGroup group(*fixture.loop);
    group.Spawn(AskAndTakeNothing(fixture));
    fixture.loop->Run();
  }
  EXPECT_TRUE(absl::IsDeadlineExceeded(fixture.handler.sent)) << fixture.handler.sent;
}

net::Task<void> ClientRoundTrips(Fixture& fixture, std::vector<std::string>& bodies) {
  net::CancelScope scope(*fixture.loop);
  scope.SetDeadline(fixture.loop->now() + seconds(20), "test");
  absl::StatusOr<net::Listener> listener =
      net::Listener::Bind(*fixture.loop, *net::Address::Parse("127.0.0.1:0"), {});
  absl::StatusOr<std::unique_ptr<ClientConnection>> client =
      co_await ClientConnection::Open(*fixture.loop, listener->address(), scope);
  absl::StatusOr<net::Socket> server = co_await listener->Accept(scope);
  fixture.connections.Spawn(
      ServeConnection(std::move(*server), fixture.context, fixture.connections.scope()));
  for (const char* path : {"/echo", "/chunked", "/echo"}) {
    RequestHead request;
    request.method = "POST";
    request.path = path;
    request.headers.Add(HeaderId::kHost, "x");
    const BodyFraming framing{BodyFraming::kLength, 5};
    SetFraming(&request.headers, framing);
    absl::Status sent = co_await (*client)->SendHead(request, framing, "hello", true, scope);
    EXPECT_TRUE(sent.ok()) << sent;
    ResponseHead head;
    absl::Status read = co_await (*client)->ReadHead(HeadLimits(), &head, scope);
    EXPECT_TRUE(read.ok()) << read;
    EXPECT_EQ(head.status, 200);
    std::string body;
    while (!(*client)->body_done()) {
      absl::StatusOr<std::string_view> piece = co_await (*client)->ReadBody(scope);
      if (!piece.ok()) break;
      body.append(*piece);
    }
    bodies.push_back(body);
    EXPECT_TRUE((*client)->Finish());
  }
  fixture.context.Drain();
  co_await fixture.connections.Join();
  fixture.loop->Stop();
}

class SaysHi : public RequestHandler {
 public:
  net::Task<void> Handle(ServerExchange& exchange) override {
    absl::Status sent = co_await exchange.SendWhole(200, "text/plain", "hi", exchange.scope());
    EXPECT_TRUE(sent.ok()) << sent;
  }
};

// Sends a request and receives as much as an answer to it has; "" if the connection is closed.
std::string CallOn(int fd) {
  constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  if (write(fd, kRequest.data(), kRequest.size()) < 0) return "";
  char answer[1000];
  ssize_t size = 0;
  do {
    size = recv(fd, answer, sizeof(answer), 0);
  } while (size < 0 && errno == EINTR);
  return std::string(answer, size < 0 ? 0 : static_cast<size_t>(size));
}

TEST(ServerConnection, GoesOnAfterARequestThatCameInTheTurnInWhichItsIdleTimeEnded) {
  std::unique_ptr<net::Loop> loop = *net::Loop::Create(net::TestIo());
  net::CancelScope scope(*loop);
  SaysHi handler;
  ServerOptions options;
  options.idle_timeout = std::chrono::milliseconds(100);
  ServerContext context(*loop, &scope, handler, options);
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  ASSERT_EQ(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
  timeval patience = {20, 0};
  setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  net::TaskGroup connections(*loop, &scope);
  loop->Post([&] {
    connections.Spawn(
        ServeConnection(*net::Socket::Adopt(*loop, ends[0]), context, connections.scope()));
  });
  std::thread thread([&] { loop->Run(); });
  EXPECT_THAT(CallOn(ends[1]), testing::HasSubstr("hi"));
  // This turn is as long as the idle time, and the request comes in it.
  std::promise<void> turn_begun;
  loop->Post([&] {
    turn_begun.set_value();
    std::this_thread::sleep_for(options.idle_timeout + std::chrono::milliseconds(50));
  });
  turn_begun.get_future().wait();
  // io_uring may learn of the time first, and close. But who was answered is served again.
  if (!CallOn(ends[1]).empty()) {
    EXPECT_THAT(CallOn(ends[1]), testing::HasSubstr("hi"));
  }
  loop->Post([&] { scope.Cancel(absl::CancelledError("the end")); });
  auto stop = [](net::TaskGroup& group, net::Loop& loop) -> net::Task<void> {
    co_await group.Join();
    loop.Stop();
  };
  net::TaskGroup last(*loop);
  loop->Post([&] { last.Spawn(stop(connections, *loop)); });
  thread.join();
  close(ends[1]);
}

TEST(ClientConnection, ServesSeveralExchangesAndADrainClosesItWhenIdle) {
  Fixture fixture;
  std::vector<std::string> bodies;
  net::TaskGroup group(*fixture.loop);
  group.Spawn(ClientRoundTrips(fixture, bodies));
  fixture.loop->Run();
  EXPECT_EQ(bodies, (std::vector<std::string>{"hello", "onetwo", "hello"}));
}

}  // namespace
}  // namespace pillion::http
