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
  while (true) {
    absl::StatusOr<bool> taken = TakeHead(limits, head);
    if (!taken.ok()) co_return taken.status();
    if (*taken) co_return absl::OkStatus();
    absl::Status arrived = co_await AwaitMore(scope);
    if (!arrived.ok()) co_return arrived;
  }
}

absl::Status ClientConnection::OnArrival(const absl::StatusOr<size_t>& received) {
  if (!received.ok()) return received.status();
  if (*received > 0) {
    answer_begun_ = true;
    return absl::OkStatus();
  }
  return answer_begun_
             ? absl::DataLossError("the upstream closed the connection within the answer's head")
             : absl::UnavailableError("the upstream closed the connection before answering");
}

absl::StatusOr<bool> ClientConnection::TakeHead(const HeadLimits& limits, ResponseHead* head) {
  if (in_.empty()) return false;
  const ParseResult result = ParseResponseHead(&scanner_, in_.view(), limits, method_, head);
  if (result.state == ParseResult::kNeedMore) return false;
  if (result.state == ParseResult::kError) return absl::InvalidArgumentError(result.error.reason);
  head_bytes_ = in_.TakeFront(result.consumed);
  if (head->status >= 200 || head->status == 101) {
    reader_.Start(head->body);
    keep_alive_ = head->keep_alive && head->status != 101;
  }
  return true;
}

bool ClientConnection::Finish() {
  const bool reusable = keep_alive_ && reader_.done() && request_done();
  if (reusable) reader_.Release();
  const bool clean = reusable && in_.empty();
  if (clean) socket_.Watch();
  head_bytes_.Release();
  in_.Release();
  writer_.reset();
  return clean && !socket_.readable();
}

}  // namespace pillion::http
