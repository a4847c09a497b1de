#include "tests/integration/harness/connection.h"

#include <gtest/gtest.h>

#include <latch>
#include <string>
#include <thread>

#include "tests/integration/harness/origin.h"

namespace pillion::harness {
namespace {

using std::chrono::milliseconds;

// Sends back what it gets, and closes after "bye".
void Echo(Connection& connection) {
  std::string all;
  while (!all.ends_with("bye")) {
    const auto piece = connection.ReadSome();
    if (!piece.ok() || piece->empty() || !connection.Send(*piece).ok()) return;
    all += *piece;
  }
}

TEST(Connection, ReadsThroughAMarkerExactlyAndToTheEnd) {
  Origin echo(Echo);
  auto connection = Connection::Connect(echo.port());
  ASSERT_TRUE(connection.ok()) << connection.status();
  ASSERT_TRUE(connection->Send("one\r\ntwo\r\n12345bye").ok());
  EXPECT_EQ(connection->ReadThrough("\r\n").value(), "one\r\n");
  EXPECT_EQ(connection->ReadThrough("\r\n").value(), "two\r\n");
  EXPECT_EQ(connection->ReadExactly(5).value(), "12345");
  EXPECT_EQ(connection->ReadToEnd().value(), "bye");
  EXPECT_EQ(connection->ReadSome().value(), "");
}

TEST(Connection, FindsAMarkerThatArrivesInTwoPieces) {
  Origin echo(Echo);
  auto connection = Connection::Connect(echo.port());
  ASSERT_TRUE(connection.ok()) << connection.status();
  ASSERT_TRUE(connection->Send("one\r").ok());
  ASSERT_EQ(connection->Peek().value().substr(0, 1), "o");
  ASSERT_TRUE(connection->Send("\ntwo").ok());
  EXPECT_EQ(connection->ReadThrough("\r\n").value(), "one\r\n");
  EXPECT_EQ(connection->ReadSome(2).value().substr(0, 1), "t");
}

TEST(Connection, TellsWhatCameBeforeThePeerClosedTooEarly) {
  Origin echo(Echo);
  auto connection = Connection::Connect(echo.port());
  ASSERT_TRUE(connection.ok()) << connection.status();
  ASSERT_TRUE(connection->Send("bye").ok());
  const auto read = connection->ReadThrough("\r\n");
  EXPECT_EQ(read.status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(read.status().message(), "the peer closed after: bye");
}

TEST(Connection, StopsWaitingAtTheDeadline) {
  Origin silent(origin::Hang());
  auto connection = Connection::Connect(silent.port());
  ASSERT_TRUE(connection.ok()) << connection.status();
  EXPECT_FALSE(connection->Readable());
  EXPECT_EQ(connection->ReadSome(1, milliseconds(10)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(connection->ReadToEnd(milliseconds(10)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST(Connection, StopsSendingAtTheDeadlineWhenThePeerDoesNotRead) {
  std::latch sent(1);
  Origin blocked([&](Connection&) { sent.wait(); });
  auto connection = Connection::Connect(blocked.port());
  ASSERT_TRUE(connection.ok()) << connection.status();
  EXPECT_EQ(connection->Send(std::string(16 << 20, 'x'), milliseconds(100)).code(),
            absl::StatusCode::kDeadlineExceeded);
  sent.count_down();
}

TEST(Connection, IsRefusedByAFreePort) {
  const auto connection = Connection::Connect(FreePort());
  EXPECT_EQ(connection.status().code(), absl::StatusCode::kUnavailable);
}

TEST(Connection, HalfClosesAndStillReads) {
  Origin counter([](Connection& connection) {
    const auto all = connection.ReadToEnd();
    if (all.ok()) (void)connection.Send(std::to_string(all->size()));
  });
  auto connection = Connection::Connect(counter.port());
  ASSERT_TRUE(connection.ok()) << connection.status();
  ASSERT_TRUE(connection->Send("12345").ok());
  connection->ShutdownWrite();
  EXPECT_EQ(connection->ReadToEnd().value(), "5");
}

TEST(Connection, CanEndWithAReset) {
  Origin resets([](Connection& connection) {
    (void)connection.ReadSome();
    connection.ResetOnClose();
  });
  auto connection = Connection::Connect(resets.port());
  ASSERT_TRUE(connection.ok()) << connection.status();
  ASSERT_TRUE(connection->Send("x").ok());
  EXPECT_EQ(connection->ReadToEnd().status().code(), absl::StatusCode::kUnavailable);
}

TEST(Connection, EndsInAnotherThreadByAbort) {
  Origin silent(origin::Hang());
  auto connection = Connection::Connect(silent.port());
  ASSERT_TRUE(connection.ok()) << connection.status();
  std::thread other([&] { connection->Abort(); });
  EXPECT_EQ(connection->ReadToEnd().value(), "");
  other.join();
}

}  // namespace
}  // namespace pillion::harness
