// The two halves of an HTTP/1.1 exchange on a socket: reading a body and writing a message. Both
// sides of a proxy use them, the server for requests in and answers out, the client the other way
// round.
//
// Nothing is collected: pieces come as they arrive, and the next one is read when the last was
// passed on, which is all the backpressure there is and all that is needed.

#ifndef PILLION_CORE_HTTP_MESSAGE_IO_H_
#define PILLION_CORE_HTTP_MESSAGE_IO_H_

#include <array>
#include <coroutine>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/http/body.h"
#include "core/http/head.h"
#include "core/net/buffer.h"
#include "core/net/socket.h"
#include "core/net/task.h"

namespace pillion::http {

// Reads one message's body. Lives as long as the message; socket and buffer outlive it.
class BodyReader {
 public:
  BodyReader(net::Socket& socket, net::Buffer& in) : socket_(socket), in_(in) {}

  // Begins a body framed so; its bytes start at the front of the buffer.
  void Start(BodyFraming framing);

  // True when the whole body has been handed out.
  bool done() const { return done_; }

  // The next piece, waiting for it if need be; empty at the end of the body. It is valid until the
  // next call on this reader. Errors: the scope's, the socket's; DataLoss when the stream ended
  // within the body; InvalidArgument when the chunked framing is broken.
  net::Task<absl::StatusOr<std::string_view>> Read(net::CancelScope& scope);

  // The next piece as far as it has arrived: empty when it has not. done() may turn true.
  // Errors: InvalidArgument as above.
  absl::StatusOr<std::string_view> ReadBuffered();

  // Gives up the piece handed out last, so that the buffer begins with what follows it.
  void Release() {
    in_.Consume(held_);
    held_ = 0;
  }

  // Body bytes handed out so far, without framing.
  uint64_t bytes() const { return bytes_; }

  // After an InvalidArgument: the status that a caller who sent this is to hear (400 or 431).
  int error_status() const { return error_status_; }

 private:
  net::Socket& socket_;
  net::Buffer& in_;
  BodyFraming framing_;
  ChunkedDecoder decoder_;
  uint64_t remaining_ = 0;
  uint64_t bytes_ = 0;
  size_t held_ = 0;  // bytes at the front of in_ that the last piece covers
  int error_status_ = 400;
  bool done_ = true;
};

class MessageWriter;

// co_await -> absl::Status: a part of a message on its way. It lives in the frame of who awaits it,
// so that sending needs no coroutine of its own.
class [[nodiscard]] MessageSend : public net::SendAwaiter {
 public:
  bool await_ready() {
    return !status_.ok() || piece_count == 0 || net::SendAwaiter::await_ready();
  }
  void await_suspend(std::coroutine_handle<> waiter);
  absl::Status await_resume();

 private:
  friend class MessageWriter;
  // Sends the head and the first piece.
  template <typename Head>
  MessageSend(MessageWriter& writer, const Head& head, std::string_view first, bool end,
              net::CancelScope& scope);
  // Sends a further piece.
  MessageSend(MessageWriter& writer, std::string_view piece, bool end, net::CancelScope& scope);
  // Sends nothing, and says why.
  MessageSend(MessageWriter& writer, absl::Status refused, net::CancelScope& scope);

  MessageWriter& writer_;
  const bool end_;
  net::Buffer head_;
  std::array<char, kMaxChunkHeader> chunk_header_;
  std::optional<net::CancelScope> limit_;
};

// Writes one message. Lives as long as the message; the socket outlives it.
class MessageWriter {
 public:
  explicit MessageWriter(net::Socket& socket) : socket_(socket) {}

  // From here on whatever takes longer than `timeout` to send fails with DeadlineExceeded and `why`
  // (static text). 0: nothing does.
  void LimitSends(net::Duration timeout, const char* why) {
    timeout_ = timeout;
    timeout_reason_ = why;
  }

  // Sends the head, whose headers must say what `framing` says, with the first piece of the body in
  // the same system call. `end`: nothing follows. With a kLength framing the pieces must add up to
  // it.
  MessageSend SendHead(const RequestHead& head, BodyFraming framing, std::string_view first,
                       bool end, net::CancelScope& scope);
  MessageSend SendHead(const ResponseHead& head, BodyFraming framing, std::string_view first,
                       bool end, net::CancelScope& scope);

  // Sends the next piece. An empty piece that is not the end sends nothing. Errors: the scope's,
  // the socket's; InvalidArgument when a kLength body gets more or less than its length (nothing
  // beyond the length is ever sent).
  MessageSend SendBody(std::string_view piece, bool end, net::CancelScope& scope);

  // Sends nothing, and fails with `why`.
  MessageSend Refuse(absl::Status why, net::CancelScope& scope);

  bool started() const { return started_; }
  // The message has been sent to its end.
  bool done() const { return done_; }
  // Bytes of the body sent so far, without framing.
  uint64_t bytes() const { return bytes_; }

 private:
  friend class MessageSend;
  absl::Status Account(std::string_view piece, bool end);

  net::Socket& socket_;
  net::Duration timeout_ = net::Duration::zero();
  const char* timeout_reason_ = "";
  BodyFraming framing_;
  uint64_t bytes_ = 0;
  bool started_ = false;
  bool done_ = false;
};

}  // namespace pillion::http

#endif  // PILLION_CORE_HTTP_MESSAGE_IO_H_
