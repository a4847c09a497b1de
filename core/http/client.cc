#include "core/http/client.h"

#include <utility>

#include "core/check.h"

namespace pillion::http {

net::Task<absl::StatusOr<std::unique_ptr<ClientConnection>>> ClientConnection::Open(
    net::Loop& loop, net::Address address, net::CancelScope& scope) {
  absl::StatusOr<net::Socket> socket = co_await net::Socket::Connect(loop, address, scope);
  if (!socket.ok()) co_return socket.status();
  co_return std::make_unique<ClientConnection>(std::move(*socket));
}

ClientConnection::ClientConnection(net::Socket socket)
    : socket_(std::move(socket)), reader_(socket_, in_) {}

MessageSend ClientConnection::SendHead(const RequestHead& head, BodyFraming framing,
                                       std::string_view first, bool end, net::CancelScope& scope) {
  writer_.emplace(socket_);
  method_ = head.method == "HEAD" ? "HEAD" : "GET";
  answer_begun_ = false;
  keep_alive_ = false;
  return writer_->SendHead(head, framing, first, end, scope);
}

net::Task<absl::Status> ClientConnection::ReadHead(const HeadLimits& limits, ResponseHead* head,
                                                   net::CancelScope& scope) {
  HeadScanner scanner(HeadScanner::Kind::kResponse);
  while (true) {
    if (!in_.empty()) {
      const ParseResult result = ParseResponseHead(&scanner, in_.view(), limits, method_, head);
      if (result.state == ParseResult::kError) {
        co_return absl::InvalidArgumentError(result.error.reason);
      }
      if (result.state == ParseResult::kDone) {
        TakeHead(*head, result.consumed);
        co_return absl::OkStatus();
      }
    }
    absl::StatusOr<size_t> received = co_await socket_.Receive(in_, scope);
    if (!received.ok()) co_return received.status();
    if (*received == 0) {
      if (answer_begun_) {
        co_return absl::DataLossError(
            "the upstream closed the connection within the answer's head");
      }
      co_return absl::UnavailableError("the upstream closed the connection before answering");
    }
    answer_begun_ = true;
  }
}

void ClientConnection::TakeHead(const ResponseHead& head, size_t head_size) {
  head_bytes_ = in_.TakeFront(head_size);
  if (head.status != 101 && head.status < 200) return;
  reader_.Start(head.body);
  keep_alive_ = head.keep_alive && head.status != 101;
}

bool ClientConnection::Finish() {
  const bool reusable = keep_alive_ && reader_.done() && request_done();
  if (reusable) (void)reader_.ReadBuffered();  // gives up the last piece
  const bool clean = reusable && in_.empty();
  if (clean) socket_.Watch();
  head_bytes_.Release();
  in_.Release();
  writer_.reset();
  return clean && !socket_.readable();
}

}  // namespace pillion::http
