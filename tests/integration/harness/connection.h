// A blocking byte stream to or from the program under test, over which a test can send anything.
//
//   auto connection = Connection::Connect(port);
//   ASSERT_TRUE(connection->Send("GET / HTTP/1.1\r\n\r\n").ok());
//   EXPECT_EQ(connection->ReadToEnd().value(), "HTTP/1.1 400 Bad Request\r\n...");

#ifndef PILLION_TESTS_INTEGRATION_HARNESS_CONNECTION_H_
#define PILLION_TESTS_INTEGRATION_HARNESS_CONNECTION_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/integration/harness/deadline.h"
#include "tests/integration/harness/unique_fd.h"

namespace pillion::harness {

// A TCP port of 127.0.0.1 that nothing listens on: for a program that must be told its port, or as
// an upstream that refuses. Another program may take it later; prefer port 0 where the program can
// say which it took.
int FreePort();

// Not thread-safe, but for Abort. The functions that wait fail with DeadlineExceeded.
class Connection {
 public:
  static absl::StatusOr<Connection> Connect(int port, Deadline deadline = {});  // To 127.0.0.1.
  static absl::StatusOr<Connection> ConnectUnix(const std::string& path);

  explicit Connection(UniqueFd fd);  // A connected stream socket.

  // Sends all of `bytes`. Fails with Unavailable if the peer has gone.
  absl::Status Send(std::string_view bytes, Deadline deadline = {});

  // Reads up to and including `marker`; what came after it is kept for the next read. Fails with
  // OutOfRange if the peer closes before, and the message has what did come.
  absl::StatusOr<std::string> ReadThrough(std::string_view marker, Deadline deadline = {});
  absl::StatusOr<std::string> ReadExactly(size_t size, Deadline deadline = {});
  // At least one byte, at most `limit`; empty if the peer has closed.
  absl::StatusOr<std::string> ReadSome(size_t limit = 64 * 1024, Deadline deadline = {});
  // What the next ReadSome would return, left in place.
  absl::StatusOr<std::string_view> Peek(Deadline deadline = {});
  // Until the peer closes. Fails with Unavailable if it resets the connection instead.
  absl::StatusOr<std::string> ReadToEnd(Deadline deadline = {});

  // Whether the peer has closed or sent something that was not read yet; does not wait.
  bool Readable() const;

  void ShutdownWrite();  // The peer reads the end, and can still answer.
  void Close();
  void ResetOnClose();  // Close, whenever it is, sends a TCP reset.
  void Abort() const;   // From any thread: what waits on this connection ends.

  int fd() const { return fd_.get(); }

 private:
  // Appends to buffer_; false at the end.
  absl::StatusOr<bool> Fill(Deadline deadline);
  std::string Take(size_t size);

  UniqueFd fd_;
  std::string buffer_;  // Received, not yet read.
};

}  // namespace pillion::harness

#endif  // PILLION_TESTS_INTEGRATION_HARNESS_CONNECTION_H_
