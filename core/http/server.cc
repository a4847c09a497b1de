#include "core/http/server.h"

#include <optional>
#include <string>
#include <utility>

#include "core/check.h"
#include "core/http/header_rules.h"
#include "core/net/loop.h"
#include "core/net/wait_queue.h"

namespace pillion::http {
namespace {

// What a handler left unread of a request is skipped up to this much, so that the connection can go
// on.
constexpr uint64_t kMaxSkippedBytes = 64 * 1024;
// How long a connection that closes early still takes, and drops, what the caller sends: closing
// with unread bytes would reset the connection and could destroy the answer on its way.
constexpr auto kLinger = std::chrono::seconds(1);
constexpr uint64_t kMaxLingerBytes = 1024 * 1024;

// The most that is sent at a time, and has to be taken within the send timeout.
constexpr size_t kMaxSend = net::Buffer::kBulkBlockSize;

constexpr char kBroken[] = "an informational answer was cut off";

bool MayHaveBody(std::string_view method, int status) {
  return method != "HEAD" && status >= 200 && status != 204 && status != 304;
}

}  // namespace

void ServerContext::Drain() {
  draining = true;
  idle_scope.Cancel(absl::CancelledError("draining"));
}

ServerExchange::ServerExchange(net::Socket& socket, net::Buffer& in, std::string_view caller,
                               const bool& draining, net::Duration send_timeout,
                               net::CancelScope& connection_scope)
    : socket_(socket),
      in_(in),
      caller_(caller),
      draining_(draining),
      connection_scope_(connection_scope),
      scope_(connection_scope.loop(), &connection_scope),
      body_(socket, in),
      writer_(socket),
      start_time_(connection_scope.loop().now()) {
  LimitSends(send_timeout);
}

void ServerExchange::LimitSends(net::Duration timeout) {
  writer_.LimitSends(timeout, "the caller does not take its answer");
}

net::Task<absl::Status> ServerExchange::SendContinue(net::CancelScope& scope) {
  if (!continue_due_) co_return absl::OkStatus();
  // A caller that sent its body without waiting needs no permission any more.
  if (!in_.empty() || writer_.started()) {
    continue_due_ = false;
    co_return absl::OkStatus();
  }
  ResponseHead head;
  head.status = 100;
  absl::Status sent = co_await SendInformational(head, scope);
  co_return sent;
}

net::Task<absl::StatusOr<std::string_view>> ServerExchange::ReadBody(net::CancelScope& scope) {
  absl::Status told = co_await SendContinue(scope);
  if (!told.ok()) co_return told;
  absl::StatusOr<std::string_view> piece = co_await body_.Read(scope);
  if (!piece.ok() && !scope.canceled()) keep_alive_ = false;  // its end will never be found
  co_return piece;
}

absl::StatusOr<std::string_view> ServerExchange::ReadBufferedBody() {
  absl::StatusOr<std::string_view> piece = body_.ReadBuffered();
  if (!piece.ok()) keep_alive_ = false;
  return piece;
}

net::Task<absl::Status> ServerExchange::SendHead(ResponseHead& head, std::string_view first,
                                                 bool end, net::CancelScope& scope) {
  const std::string_view piece = first.substr(0, kMaxSend);
  first.remove_prefix(piece.size());
  absl::Status status = co_await BeginAnswer(head, piece, end && first.empty(), scope);
  if (status.ok() && !first.empty()) status = co_await SendBody(first, end, scope);
  co_return status;
}

MessageSend ServerExchange::BeginAnswer(ResponseHead& head, std::string_view first, bool end,
                                        net::CancelScope& scope) {
  PILLION_CHECK(!writer_.started());
  if (broken_) return writer_.Refuse(absl::AbortedError(kBroken), scope);
  response_status_ = head.status;
  upgraded_ = head.status == 101;
  BodyFraming framing = head.body;
  if (framing.kind == BodyFraming::kChunked || framing.kind == BodyFraming::kUntilClose) {
    framing.kind = BodyFraming::kChunked;
    if (request_.version == Version::kHttp10) {
      framing.kind = BodyFraming::kUntilClose;
      keep_alive_ = false;
    }
  }
  drop_body_ = !MayHaveBody(request_.method, head.status);
  if (drop_body_) {
    if (request_.method == "HEAD" && framing.kind == BodyFraming::kLength) {
      SetFraming(&head.headers, framing);  // the length that a GET would have had
    } else {
      SetFraming(&head.headers, BodyFraming{});
    }
    framing = BodyFraming{};
    if (head.status == 204 || head.status < 200) head.headers.Remove(HeaderId::kContentLength);
    first = {};
    end = true;
  } else {
    if (framing.kind == BodyFraming::kNone) framing = {BodyFraming::kLength, 0};
    SetFraming(&head.headers, framing);
    if (framing.kind == BodyFraming::kLength && framing.length == 0) end = true;
  }
  // A caller that still waits for its 100-continue may or may not send the body now.
  if (continue_due_ || draining_) keep_alive_ = false;
  if (!upgraded_) {
    head.headers.Remove(HeaderId::kConnection);
    if (!keep_alive_) head.headers.Add(HeaderId::kConnection, "close");
  }
  return writer_.SendHead(head, framing, first, end, scope);
}

net::Task<absl::Status> ServerExchange::SendBody(std::string_view piece, bool end,
                                                 net::CancelScope& scope) {
  if (drop_body_ || writer_.done()) co_return absl::OkStatus();
  absl::Status status;
  do {
    const std::string_view next = piece.substr(0, kMaxSend);
    piece.remove_prefix(next.size());
    status = co_await writer_.SendBody(next, end && piece.empty(), scope);
  } while (status.ok() && !piece.empty());
  co_return status;
}

net::Task<absl::Status> ServerExchange::SendInformational(const ResponseHead& head,
                                                          net::CancelScope& scope) {
  if (request_.version == Version::kHttp10 || writer_.started()) co_return absl::OkStatus();
  if (broken_) co_return absl::AbortedError(kBroken);
  if (head.status == 100) {
    if (!continue_due_) co_return absl::OkStatus();
    continue_due_ = false;
  }
  MessageWriter writer = writer_;  // not begun, and with its limit
  absl::Status status = co_await writer.SendHead(head, BodyFraming{}, {}, true, scope);
  if (!status.ok()) broken_ = true;
  co_return status;
}

net::Task<absl::Status> ServerExchange::SendWhole(int status, std::string_view content_type,
                                                  std::string_view body, net::CancelScope& scope) {
  ResponseHead head;
  head.status = status;
  head.headers.Add(HeaderId::kContentType, content_type);
  head.body = {BodyFraming::kLength, body.size()};
  absl::Status sent = co_await SendHead(head, body, true, scope);
  co_return sent;
}

net::Task<absl::Status> ServerExchange::SendProblem(const Problem& problem,
                                                    net::CancelScope& scope) {
  const std::string body = ToJson(problem) + "\n";
  ResponseHead head;
  head.status = problem.status;
  head.headers.Add(HeaderId::kContentType, kProblemContentType);
  if (!problem.flag.empty()) head.headers.AddCopy("pillion-flag", problem.flag);
  for (const auto& [name, value] : problem.headers) head.headers.AddCopy(name, value);
  head.body = {BodyFraming::kLength, body.size()};
  absl::Status sent = co_await SendHead(head, body, true, scope);
  co_return sent;
}

// Serves one connection; the friend that drives exchanges.
class ServerConnection {
 public:
  ServerConnection(net::Socket socket, ServerContext& context, net::CancelScope& scope)
      : socket_(std::move(socket)),
        caller_(socket_.peer().host()),
        context_(context),
        scope_(scope) {
    idle_.emplace(scope.loop(), &context.idle_scope);
  }

  net::Task<void> Run() {
    bool open = true;
    while (open) {
      if (in_.empty()) {  // else a request is there already: pipelined
        in_.Release();
        socket_.Watch();
        // The request came in the turn in which the time was over: it was served all the same.
        if (idle_->canceled()) idle_.emplace(scope_.loop(), &context_.idle_scope);
        idle_->SetDeadline(scope_.loop().now() + context_.options.idle_timeout, "idle");
        absl::StatusOr<size_t> received = co_await socket_.Receive(in_, *idle_);
        idle_->ClearDeadline();
        const bool drained = !received.ok() && context_.draining && !scope_.canceled();
        if (drained && !served_) received = co_await AwaitLateRequest();
        open = received.ok() && *received > 0;
      }
      if (open) open = co_await ServeOne();
    }
  }

 private:
  // While draining, a call may be on its way on a connection that has just been opened.
  net::Task<absl::StatusOr<size_t>> AwaitLateRequest() {
    net::CancelScope grace(scope_.loop(), &scope_);
    grace.SetDeadline(scope_.loop().now() + kLinger, "draining");
    absl::StatusOr<size_t> received = co_await socket_.Receive(in_, grace);
    co_return received;
  }

  net::Task<bool> ServeOne() {
    served_ = true;
    ServerExchange exchange(socket_, in_, caller_, context_.draining, context_.options.send_timeout,
                            scope_);
    HeadScanner scanner;
    if (!TakeHead(exchange, scanner)) {
      const bool begun = co_await ReadHead(exchange, scanner);
      if (!begun) co_return false;
    }
    co_await context_.handler.Handle(exchange);
    socket_.CancelOnClose(nullptr);
    if (!exchange.writer_.done()) {
      // The caller must not take a part for the whole.
      socket_.Close(/*reset=*/true);
      co_return false;
    }
    if (exchange.upgraded_) co_return false;
    bool whole = exchange.body_.done() && !exchange.parse_error_;
    if (whole) {
      exchange.body_.Release();
    } else if (exchange.keep_alive_ && !exchange.parse_error_) {
      whole = co_await SkipBody(exchange);
    }
    if (exchange.keep_alive_ && whole && !context_.draining) co_return true;
    co_await LingeringClose();
    co_return false;
  }

  // False when the caller left before a request was there.
  net::Task<bool> ReadHead(ServerExchange& exchange, HeadScanner& scanner) {
    net::CancelScope scope(scope_.loop(), &scope_);
    scope.SetDeadline(scope_.loop().now() + context_.options.request_headers_timeout,
                      "request headers timeout");
    do {
      absl::StatusOr<size_t> received = co_await socket_.Receive(in_, scope);
      if (!received.ok() && absl::IsDeadlineExceeded(received.status()) && !scope_.canceled()) {
        Refuse(exchange, {408, "the request's head did not arrive in time"});
        co_return true;
      }
      if (!received.ok() || *received == 0) co_return false;
    } while (!TakeHead(exchange, scanner));
    co_return true;
  }

  // True when the request's head is there. A malformed one is told to the exchange.
  bool TakeHead(ServerExchange& exchange, HeadScanner& scanner) {
    const ParseResult result =
        ParseRequestHead(&scanner, in_.view(), context_.options.head, &exchange.request_);
    if (result.state == ParseResult::kNeedMore) return false;
    if (result.state == ParseResult::kError) {
      Refuse(exchange, result.error);
      return true;
    }
    exchange.head_bytes_ = in_.TakeFront(result.consumed);
    exchange.keep_alive_ = exchange.request_.keep_alive;
    exchange.continue_due_ = exchange.request_.expect_continue;
    exchange.body_.Start(exchange.request_.body);
    return true;
  }

  static void Refuse(ServerExchange& exchange, ParseError error) {
    exchange.request_ = RequestHead();
    exchange.parse_error_ = error;
    exchange.keep_alive_ = false;
  }

  // True when the request has been read to its end.
  net::Task<bool> SkipBody(ServerExchange& exchange) {
    const uint64_t limit = exchange.body_.bytes() + kMaxSkippedBytes;
    net::CancelScope scope(scope_.loop(), &context_.idle_scope);
    scope.SetDeadline(scope_.loop().now() + kLinger, "skipping the body");
    while (!exchange.body_.done()) {
      absl::StatusOr<std::string_view> piece = co_await exchange.body_.Read(scope);
      if (!piece.ok() || exchange.body_.bytes() > limit) co_return false;
    }
    exchange.body_.Release();
    co_return true;
  }

  net::Task<void> LingeringClose() {
    in_.Release();
    socket_.ShutdownSend();
    net::CancelScope scope(scope_.loop(), &scope_);
    scope.SetDeadline(scope_.loop().now() + kLinger, "closing");
    uint64_t dropped = 0;
    while (dropped < kMaxLingerBytes) {
      absl::StatusOr<size_t> received = co_await socket_.Receive(in_, scope);
      if (!received.ok() || *received == 0) break;
      dropped += *received;
      in_.Release();
    }
  }

  net::Socket socket_;
  const std::string caller_;
  net::Buffer in_;
  ServerContext& context_;
  net::CancelScope& scope_;
  std::optional<net::CancelScope> idle_;  // for the waits between requests; always there
  bool served_ = false;                   // a request has begun to arrive
};

net::Task<void> ServeConnection(net::Socket socket, ServerContext& context,
                                net::CancelScope& scope) {
  ServerConnection connection(std::move(socket), context, scope);
  co_await connection.Run();
}

}  // namespace pillion::http
