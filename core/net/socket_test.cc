#include "core/net/socket.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/net/loop.h"
#include "core/net/task_group.h"
#include "core/net/test_io.h"
#include "core/net/wait_queue.h"
#include "tests/integration/harness/files.h"

namespace pillion::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SocketTest : public testing::TestWithParam<const char*> {
 protected:
  // Runs `body` with both ends of a connection on a loop.
  void WithPair(std::function<Task<void>(Loop&, Socket, Socket)> body) {
    std::unique_ptr<Loop> loop = *Loop::Create(TestIo());
    TaskGroup group(*loop);
    group.Spawn(Main(*loop, address(), body));
    loop->Run();
  }

  Address address() const {
    std::string text = GetParam();
    if (text == "unix") text = "unix:" + (directory_ / "s");
    return *Address::Parse(text);
  }

 private:
  static Task<void> Main(Loop& loop, Address address,
                         const std::function<Task<void>(Loop&, Socket, Socket)>& body) {
    CancelScope scope(loop);
    scope.SetDeadline(loop.now() + seconds(20), "test");
    absl::StatusOr<Listener> listener = Listener::Bind(loop, address, {});
    EXPECT_TRUE(listener.ok()) << listener.status();
    absl::StatusOr<Socket> client = co_await Socket::Connect(loop, listener->address(), scope);
    EXPECT_TRUE(client.ok()) << client.status();
    absl::StatusOr<Socket> server = co_await listener->Accept(scope);
    EXPECT_TRUE(server.ok()) << server.status();
    co_await body(loop, std::move(*client), std::move(*server));
    loop.Stop();
  }

  // Bazel's own temporary directory may be too long a path for a socket.
  harness::TempDir directory_ = harness::TempDir::ForSockets();
};

TEST_P(SocketTest, CarriesBytesAndTheEndOfTheStream) {
  WithPair([](Loop& loop, Socket client, Socket server) -> Task<void> {
    CancelScope scope(loop);
    absl::Status sent = co_await client.Send(scope, "hello", ", ", "world");
    EXPECT_TRUE(sent.ok());
    Buffer buffer;
    while (buffer.size() < 12) {
      absl::StatusOr<size_t> n = co_await server.Receive(buffer, scope);
      EXPECT_TRUE(n.ok() && *n > 0);
    }
    EXPECT_EQ(buffer.view(), "hello, world");
    client.Close();
    absl::StatusOr<size_t> end = co_await server.Receive(buffer, scope);
    EXPECT_EQ(*end, 0u);
    absl::StatusOr<size_t> again = co_await server.Receive(buffer, scope);
    EXPECT_EQ(*again, 0u);
  });
}

Task<void> SendMuch(Socket& socket, size_t total, CancelScope& scope) {
  const std::string piece(100000, 'x');
  for (size_t sent = 0; sent < total; sent += piece.size()) {
    absl::Status status = co_await socket.Send(scope, piece);
    EXPECT_TRUE(status.ok()) << status;
  }
}

TEST_P(SocketTest, ASlowReaderHoldsTheSenderBackAndLosesNothing) {
  WithPair([](Loop& loop, Socket client, Socket server) -> Task<void> {
    constexpr size_t kTotal = 50'000'000;
    TaskGroup group(loop);
    group.Spawn(SendMuch(client, kTotal, group.scope()));
    size_t received = 0;
    CancelScope scope(loop);
    while (received < kTotal) {
      Buffer buffer;
      absl::StatusOr<size_t> n = co_await server.Receive(buffer, scope);
      EXPECT_TRUE(n.ok() && *n > 0);
      received += *n;
    }
    EXPECT_EQ(received, kTotal);
    co_await group.Join();
  });
}

TEST_P(SocketTest, WhatComesBeforeItIsAskedForIsKeptInOrder) {
  // Many small pieces, and few large ones: more than is taken ahead, both in number and in size.
  constexpr std::pair<int, size_t> kPieces[] = {{20, 3}, {5, 30'000}};
  for (const auto& [count, size] : kPieces) {
    WithPair([count = count, size = size](Loop& loop, Socket client, Socket server) -> Task<void> {
      CancelScope scope(loop);
      server.Watch();
      std::string all;
      for (int i = 0; i < count; ++i) {
        const std::string piece(size, static_cast<char>('a' + i));
        all += piece;
        absl::Status sent = co_await client.Send(scope, piece);
        EXPECT_TRUE(sent.ok());
        absl::Status slept = co_await SleepUntil(loop.now() + milliseconds(1), scope);
        EXPECT_TRUE(slept.ok());
      }
      EXPECT_TRUE(server.readable());
      Buffer buffer;
      while (buffer.size() < all.size()) {
        absl::StatusOr<size_t> n = co_await server.Receive(buffer, scope);
        EXPECT_TRUE(n.ok() && *n > 0);
      }
      EXPECT_EQ(buffer.view(), all);
      // And it goes on as before.
      absl::Status sent = co_await client.Send(scope, "more");
      EXPECT_TRUE(sent.ok());
      buffer.Release();
      absl::StatusOr<size_t> n = co_await server.Receive(buffer, scope);
      EXPECT_TRUE(n.ok());
      EXPECT_EQ(buffer.view(), "more");
    });
  }
}

TEST_P(SocketTest, AWaitingReceiveEndsWhenItsScopeIsCanceled) {
  WithPair([](Loop& loop, Socket client, Socket server) -> Task<void> {
    CancelScope scope(loop);
    scope.SetDeadline(loop.now() + milliseconds(5), "idle");
    Buffer buffer;
    absl::StatusOr<size_t> n = co_await server.Receive(buffer, scope);
    EXPECT_EQ(n.status(), absl::DeadlineExceededError("idle"));
    // The socket itself is unharmed.
    CancelScope rest(loop);
    absl::Status sent = co_await client.Send(rest, "later");
    EXPECT_TRUE(sent.ok());
    n = co_await server.Receive(buffer, rest);
    EXPECT_EQ(buffer.view(), "later");
  });
}

TEST_P(SocketTest, AClosedPeerCancelsTheScopeThatWatchesIt) {
  WithPair([](Loop& loop, Socket client, Socket server) -> Task<void> {
    CancelScope scope(loop);
    server.CancelOnClose(&scope);
    client.Close();
    WaitQueue never;
    absl::Status status = co_await never.Wait(scope);
    EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
    server.CancelOnClose(nullptr);
    EXPECT_TRUE(server.peer_closed());
  });
}

TEST_P(SocketTest, AClosedPeerIsSeenBehindBytesThatNobodyReads) {
  WithPair([](Loop& loop, Socket client, Socket server) -> Task<void> {
    CancelScope rest(loop);
    CancelScope scope(loop);
    server.CancelOnClose(&scope);
    for (const char* unread : {"G", "ET"}) {
      absl::Status sent = co_await client.Send(rest, unread);
      EXPECT_TRUE(sent.ok());
      absl::Status slept = co_await SleepUntil(loop.now() + milliseconds(5), rest);
      EXPECT_TRUE(slept.ok());
    }
    EXPECT_TRUE(server.readable());
    EXPECT_FALSE(scope.canceled());
    client.Close();
    WaitQueue never;
    absl::Status status = co_await never.Wait(scope);
    EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
    server.CancelOnClose(nullptr);
  });
}

Task<void> SendBytes(Socket& socket, size_t size, CancelScope& scope) {
  const std::string bytes(size, 'x');
  absl::Status sent = co_await socket.Send(scope, bytes);
  EXPECT_TRUE(sent.ok()) << sent;
}

// Sends `size` bytes from one end and receives them at the other.
Task<void> Carry(Loop& loop, Socket& from, Socket& to, size_t size, CancelScope& scope) {
  TaskGroup group(loop);
  group.Spawn(SendBytes(from, size, group.scope()));
  size_t received = 0;
  while (received < size) {
    Buffer buffer;
    absl::StatusOr<size_t> n = co_await to.Receive(buffer, scope);
    EXPECT_TRUE(n.ok() && *n > 0) << n.status();
    if (!n.ok() || *n == 0) break;
    EXPECT_EQ(buffer.view().find_first_not_of('x'), std::string_view::npos);
    received += *n;
  }
  EXPECT_EQ(received, size);
  co_await group.Join();
}

// Receives `size` bytes and then watches; what comes later, and the end, are noticed.
Task<void> WatchAfter(Loop& loop, Socket client, Socket server, size_t size, std::string later) {
  CancelScope scope(loop);
  absl::Status sent;
  co_await Carry(loop, client, server, size, scope);
  server.Watch();
  absl::Status slept = co_await SleepUntil(loop.now() + milliseconds(5), scope);
  EXPECT_TRUE(slept.ok());
  EXPECT_FALSE(server.readable());
  if (later.empty()) {
    client.Close();
  } else {
    sent = co_await client.Send(scope, later);
    EXPECT_TRUE(sent.ok());
  }
  for (int i = 0; i < 1000 && !server.readable(); ++i) {
    slept = co_await SleepUntil(loop.now() + milliseconds(1), scope);
  }
  EXPECT_TRUE(server.readable());
  EXPECT_EQ(server.peer_closed(), later.empty());
}

TEST_P(SocketTest, WhatComesToAnIdleSocketIsNoticedWhateverCameBefore) {
  for (size_t size : {1, 4096, 6000, 20000, 40000, 69632, 400000}) {
    SCOPED_TRACE(size);
    for (const char* later : {"", "unasked"}) {
      WithPair([size, later](Loop& loop, Socket client, Socket server) {
        return WatchAfter(loop, std::move(client), std::move(server), size, later);
      });
    }
  }
}

TEST_P(SocketTest, MuchAndLittleTakeTurnsWithRestsAndWithout) {
  WithPair([](Loop& loop, Socket client, Socket server) -> Task<void> {
    CancelScope scope(loop);
    for (int round = 0; round < 3; ++round) {
      for (size_t size : {16384, 1, 69632, 2, 300000, 3, 65536, 100, 100, 100, 100, 100, 100, 100,
                          100, 100, 40000, 7}) {
        co_await Carry(loop, client, server, size, scope);
        co_await Carry(loop, server, client, size / 2 + 1, scope);
        if (round == 1) continue;
        server.Watch();
        client.Watch();
        if (round == 0) continue;
        absl::Status slept = co_await SleepUntil(loop.now() + milliseconds(1), scope);
        EXPECT_TRUE(slept.ok());
        EXPECT_FALSE(server.readable()) << size;
        EXPECT_FALSE(client.readable()) << size;
      }
    }
    // The end behind much.
    CancelScope closed(loop);
    server.CancelOnClose(&closed);
    TaskGroup group(loop);
    group.Spawn(SendBytes(client, 200000, group.scope()));
    size_t received = 0;
    while (received < 200000) {
      Buffer buffer;
      absl::StatusOr<size_t> n = co_await server.Receive(buffer, scope);
      EXPECT_TRUE(n.ok() && *n > 0) << n.status();
      if (!n.ok() || *n == 0) break;
      received += *n;
    }
    co_await group.Join();
    client.Close();
    Buffer buffer;
    absl::StatusOr<size_t> end = co_await server.Receive(buffer, scope);
    EXPECT_EQ(*end, 0u);
    EXPECT_TRUE(server.peer_closed());
    server.CancelOnClose(nullptr);
  });
}

TEST_P(SocketTest, BytesThatStandBeforeTheEndAreReadFirst) {
  WithPair([](Loop& loop, Socket client, Socket server) -> Task<void> {
    CancelScope scope(loop);
    absl::Status sent = co_await client.Send(scope, "last words");
    EXPECT_TRUE(sent.ok());
    client.Close();
    absl::Status slept = co_await SleepUntil(loop.now() + milliseconds(5), scope);
    EXPECT_TRUE(slept.ok());
    Buffer buffer;
    absl::StatusOr<size_t> n = co_await server.Receive(buffer, scope);
    EXPECT_EQ(buffer.view(), "last words");
    n = co_await server.Receive(buffer, scope);
    EXPECT_EQ(*n, 0u);
  });
}

// One of many connections that are busy at the same time: gives back what comes, until the end.
Task<void> Echo(Socket socket, CancelScope& scope) {
  while (true) {
    Buffer buffer;
    absl::StatusOr<size_t> n = co_await socket.Receive(buffer, scope);
    if (!n.ok() || *n == 0) co_return;
    absl::Status sent =
        co_await socket.Send(scope, buffer.view().substr(0, 1), buffer.view().substr(1));
    if (!sent.ok()) co_return;
  }
}

Task<void> Expect(Socket& socket, char byte, size_t size, CancelScope& scope) {
  size_t received = 0;
  while (received < size) {
    Buffer buffer;
    absl::StatusOr<size_t> n = co_await socket.Receive(buffer, scope);
    EXPECT_TRUE(n.ok() && *n > 0) << n.status();
    if (!n.ok() || *n == 0) break;
    EXPECT_EQ(buffer.view().find_first_not_of(byte), std::string_view::npos);
    received += *n;
  }
  EXPECT_EQ(received, size);
}

// Some callers go, or are given up, in the middle of it; the others notice nothing.
Task<void> ManyAtOnce(Loop& loop, Address address) {
  constexpr size_t kConnections = 100;  // more than one batch of sends holds
  CancelScope scope(loop);
  scope.SetDeadline(loop.now() + seconds(20), "test");
  TaskGroup servers(loop);
  TaskGroup given_up(loop);
  absl::StatusOr<Listener> listener = Listener::Bind(loop, address, {});
  EXPECT_TRUE(listener.ok()) << listener.status();
  std::vector<Socket> clients;
  for (size_t i = 0; i < kConnections; ++i) {
    absl::StatusOr<Socket> client = co_await Socket::Connect(loop, listener->address(), scope);
    EXPECT_TRUE(client.ok()) << client.status();
    absl::StatusOr<Socket> server = co_await listener->Accept(scope);
    EXPECT_TRUE(server.ok()) << server.status();
    clients.push_back(*std::move(client));
    TaskGroup& group = i % 10 == 3 ? given_up : servers;
    group.Spawn(Echo(*std::move(server), group.scope()));
  }
  for (const size_t size : {1, 300, 15000, 40000, 200}) {
    for (size_t i = 0; i < kConnections; ++i) {
      if (!clients[i].is_open()) continue;
      const std::string bytes(size, static_cast<char>('a' + i % 26));
      absl::Status sent = co_await clients[i].Send(scope, bytes);
      EXPECT_TRUE(sent.ok()) << sent;
      if (i % 10 == 7) clients[i].Close();
    }
    if (size == 300) {
      // Whatever they are doing: some receive, some send.
      given_up.scope().Cancel(absl::CancelledError("given up"));
      for (size_t i = 3; i < kConnections; i += 10) clients[i].Close();
    }
    for (size_t i = 0; i < kConnections; ++i) {
      if (!clients[i].is_open()) continue;
      co_await Expect(clients[i], static_cast<char>('a' + i % 26), size, scope);
    }
  }
  clients.clear();
  co_await servers.Join();
  co_await given_up.Join();
  loop.Stop();
}

TEST_P(SocketTest, ManyThatAreBusyAtOnceDoNotDisturbEachOther) {
  signal(SIGPIPE, SIG_IGN);  // as in the daemons; sends are batched only then
  std::unique_ptr<Loop> loop = *Loop::Create(TestIo());
  TaskGroup group(*loop);
  group.Spawn(ManyAtOnce(*loop, address()));
  loop->Run();
}

INSTANTIATE_TEST_SUITE_P(Families, SocketTest, testing::Values("127.0.0.1:0", "unix"),
                         [](const auto& info) {
                           return std::string(info.param) == "unix" ? "unix" : "ipv4";
                         });

Task<void> RefusedAndInUse(Loop& loop) {
  CancelScope scope(loop);
  Address address;
  {
    absl::StatusOr<Listener> listener = Listener::Bind(loop, *Address::Parse("127.0.0.1:0"), {});
    EXPECT_TRUE(listener.ok());
    address = listener->address();
    EXPECT_NE(address.port(), 0);
    absl::StatusOr<Listener> second = Listener::Bind(loop, address, {});
    EXPECT_FALSE(second.ok());
    EXPECT_NE(second.status().message().find("another process uses it"), std::string::npos);
  }
  absl::StatusOr<Socket> refused = co_await Socket::Connect(loop, address, scope);
  EXPECT_FALSE(refused.ok());
  EXPECT_NE(refused.status().message().find("refused"), std::string::npos) << refused.status();
  loop.Stop();
}

TEST(Listener, SaysWhatIsWrongWithAnAddressInUse) {
  std::unique_ptr<Loop> loop = *Loop::Create(TestIo());
  TaskGroup group(*loop);
  group.Spawn(RefusedAndInUse(*loop));
  loop->Run();
}

TEST(Listener, WaitsForAnAddressThatIsAboutToBeFree) {
  std::unique_ptr<Loop> loop = *Loop::Create(TestIo());
  const int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in name = {};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof name;
  ASSERT_EQ(bind(other, reinterpret_cast<sockaddr*>(&name), length), 0);
  ASSERT_EQ(listen(other, 1), 0);
  ASSERT_EQ(getsockname(other, reinterpret_cast<sockaddr*>(&name), &length), 0);
  std::thread leaves([other] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    close(other);
  });
  const absl::StatusOr<Listener> listener =
      Listener::Bind(*loop, Address::FromSockaddr(reinterpret_cast<sockaddr*>(&name), length), {});
  EXPECT_TRUE(listener.ok()) << listener.status();
  leaves.join();
}

TEST(Listener, TakesTheUnixSocketOfAProcessThatEndsMeanwhile) {
  std::unique_ptr<Loop> loop = *Loop::Create(TestIo());
  const harness::TempDir directory = harness::TempDir::ForSockets();
  const Address address = *Address::Parse("unix:" + (directory / "s"));
  const int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(bind(other, address.get(), address.length()), 0);
  ASSERT_EQ(listen(other, 1), 0);
  std::thread leaves([other] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    close(other);  // and the file stays
  });
  const absl::StatusOr<Listener> listener = Listener::Bind(*loop, address, {});
  EXPECT_TRUE(listener.ok()) << listener.status();
  leaves.join();
}

TEST(Address, ReadsAndWritesEveryForm) {
  for (const char* text : {"127.0.0.1:5001", "[::1]:5001", "unix:/run/orders.sock", "0.0.0.0:0"}) {
    absl::StatusOr<Address> address = Address::Parse(text);
    ASSERT_TRUE(address.ok()) << text;
    EXPECT_EQ(address->ToString(), text);
  }
}

TEST(Address, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"127.0.0.1", "the port is missing"},
      {"127.0.0.1:", "the port must be a number"},
      {"127.0.0.1:65536", "the port must be a number"},
      {"::1:80", "in brackets"},
      {"[::1:80", "']' is missing"},
      {"orders:80", "not a numeric"},
      {"unix:", "the path is missing"},
      {":80", "the host is missing"},
  };
  for (const auto& [text, why] : cases) {
    absl::StatusOr<Address> address = Address::Parse(text);
    ASSERT_FALSE(address.ok()) << text;
    EXPECT_NE(address.status().message().find(why), std::string::npos) << address.status();
  }
  EXPECT_TRUE(HostPort::Parse("orders.internal:80").ok());
  EXPECT_FALSE(HostPort::Parse("orders/x:80").ok());
}

}  // namespace
}  // namespace pillion::net
