// The client side of HTTP/1.1: one connection to an upstream.
//
// For each exchange: SendHead, SendBody until the end (both may run beside reading), ReadHead,
// ReadBody until it is empty. Afterwards reusable() says whether another exchange can follow.
// Belongs to the loop of its socket; at most one exchange at a time.

#ifndef PILLION_CORE_HTTP_CLIENT_H_
#define PILLION_CORE_HTTP_CLIENT_H_

#include <memory>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/http/head.h"
#include "core/http/message_io.h"
#include "core/http/parser.h"
#include "core/net/socket.h"
#include "core/net/task.h"

namespace pillion::http {

class ClientConnection {
 public:
  // co_await -> absl::Status: bytes of the answer have come.
  class Arrival;

  // Errors: as net::Socket::Connect.
  static net::Task<absl::StatusOr<std::unique_ptr<ClientConnection>>> Open(net::Loop& loop,
                                                                           net::Address address,
                                                                           net::CancelScope& scope);

  explicit ClientConnection(net::Socket socket);

  // Begins an exchange. `head.headers` must say what `framing` says (SetFraming in header_rules.h).
  // Errors: the scope's, the socket's.
  MessageSend SendHead(const RequestHead& head, BodyFraming framing, std::string_view first,
                       bool end, net::CancelScope& scope);
  MessageSend SendBody(std::string_view piece, bool end, net::CancelScope& scope) {
    return writer_->SendBody(piece, end, scope);
  }
  bool request_done() const { return writer_ && writer_->done(); }
  uint64_t request_bytes() const { return writer_ ? writer_->bytes() : 0; }

  // Reads the next head into `*head`, whose views stay valid until the next call of ReadHead() or
  // SendHead(). After a 1xx (but 101) call it again. Errors: the scope's, the socket's; Unavailable
  // when the upstream closed before any byte of this answer; DataLoss when it closed within the
  // head; InvalidArgument when the head is malformed.
  net::Task<absl::Status> ReadHead(const HeadLimits& limits, ResponseHead* head,
                                   net::CancelScope& scope);
  // The same in two steps, for who wants to wait without a coroutine. AwaitMore() waits for the
  // next bytes of the head; TakeHead() takes it. True when it was there as a whole.
  Arrival AwaitMore(net::CancelScope& scope);
  absl::StatusOr<bool> TakeHead(const HeadLimits& limits, ResponseHead* head);
  // True once a byte of the answer to the current request has arrived.
  bool answer_begun() const { return answer_begun_; }

  // As BodyReader. REQUIRES: ReadHead() gave a final head.
  net::Task<absl::StatusOr<std::string_view>> ReadBody(net::CancelScope& scope) {
    return reader_.Read(scope);
  }
  absl::StatusOr<std::string_view> ReadBufferedBody() { return reader_.ReadBuffered(); }
  bool body_done() const { return reader_.done(); }
  uint64_t body_bytes() const { return reader_.bytes(); }

  // Ends the exchange: gives the memory back. True when the connection can serve another one.
  bool Finish();
  // True while nothing has come on an unused connection: what came unasked, or its end, spoils it.
  bool idle_and_clean() const { return !socket_.readable() && in_.empty(); }

  // For a protocol that was switched to: what arrived behind the head is in unread().
  net::Socket& socket() { return socket_; }
  net::Buffer& unread() { return in_; }

 private:
  absl::Status OnArrival(const absl::StatusOr<size_t>& received);

  net::Socket socket_;
  net::Buffer in_;
  net::Buffer head_bytes_;
  HeadScanner scanner_{HeadScanner::Kind::kResponse};
  BodyReader reader_;
  std::optional<MessageWriter> writer_;
  std::string_view method_;  // static text: only whether it is HEAD matters
  bool answer_begun_ = false;
  bool keep_alive_ = false;
};

class ClientConnection::Arrival : public net::ReceiveAwaiter {
 public:
  Arrival(ClientConnection& connection, net::CancelScope& scope)
      : ReceiveAwaiter(connection.socket_, scope, connection.in_), connection_(connection) {}
  absl::Status await_resume() { return connection_.OnArrival(net::ReceiveAwaiter::await_resume()); }

 private:
  ClientConnection& connection_;
};

inline ClientConnection::Arrival ClientConnection::AwaitMore(net::CancelScope& scope) {
  return Arrival(*this, scope);
}

}  // namespace pillion::http

#endif  // PILLION_CORE_HTTP_CLIENT_H_
