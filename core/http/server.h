// The server side of HTTP/1.1: connections in, exchanges to a handler.
//
// One task serves one connection; it reads a request's head, lets the handler answer, and goes on
// with the next request. An idle connection holds no buffer. Everything belongs to the loop of the
// connection.

#ifndef PILLION_CORE_HTTP_SERVER_H_
#define PILLION_CORE_HTTP_SERVER_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/http/head.h"
#include "core/http/message_io.h"
#include "core/http/parser.h"
#include "core/http/problem.h"
#include "core/net/cancel.h"
#include "core/net/socket.h"
#include "core/net/task.h"

namespace pillion::http {

struct ServerOptions {
  HeadLimits head;
  net::Duration request_headers_timeout = std::chrono::seconds(10);  // from a request's first byte
  net::Duration idle_timeout = std::chrono::seconds(300);            // between requests
  net::Duration send_timeout = std::chrono::seconds(60);  // see ServerExchange::LimitSends()
};

// One request and its answer. Made by the connection, lives until the handler returns.
class ServerExchange {
 public:
  // `caller` is the peer's address without its port. `draining`, true from any time on, makes an
  // answer that has not begun by then the connection's last.
  ServerExchange(net::Socket& socket, net::Buffer& in, std::string_view caller,
                 const bool& draining, net::Duration send_timeout,
                 net::CancelScope& connection_scope);

  // The request. The handler may edit its headers. Views point into memory that stays until the end
  // of the exchange.
  RequestHead& request() { return request_; }
  const RequestHead& request() const { return request_; }

  // Set when the request could not be read: request() is empty then. The handler answers with this
  // status; the connection closes.
  const std::optional<ParseError>& parse_error() const { return parse_error_; }

  // Tells a caller that expects 100-continue to go on, if that is still due. For who reads the body
  // while somebody else may send: one sends at a time.
  net::Task<absl::Status> SendContinue(net::CancelScope& scope);
  // The request's body. A caller that expects 100-continue is told to go on at the first read.
  net::Task<absl::StatusOr<std::string_view>> ReadBody(net::CancelScope& scope);
  absl::StatusOr<std::string_view> ReadBufferedBody();
  bool body_done() const { return body_.done(); }
  // After one of these failed with InvalidArgument: the status to answer with.
  int body_error_status() const { return body_.error_status(); }
  uint64_t body_bytes() const { return body_.bytes(); }

  // Sends the answer's head together with the first piece of its body. `head.body` says how the
  // body is framed: with kNone it is empty; kLength needs exactly that many bytes; with kChunked or
  // kUntilClose the length is unknown, and it is chunked, or ended with the connection for an
  // HTTP/1.0 caller. The framing and connection headers are set here; a body that must not be sent
  // (HEAD, 204, 304) is dropped. Errors, of all that send: the scope's, the socket's: the caller is
  // gone; DeadlineExceeded: it does not take what it is sent (LimitSends).
  net::Task<absl::Status> SendHead(ResponseHead& head, std::string_view first, bool end,
                                   net::CancelScope& scope);
  // The same without a coroutine, and all of `first` at a time: for what one buffer holds.
  MessageSend BeginAnswer(ResponseHead& head, std::string_view first, bool end,
                          net::CancelScope& scope);
  // Sends a piece of the body. After an error the connection closes, with a reset if the body is
  // not whole.
  net::Task<absl::Status> SendBody(std::string_view piece, bool end, net::CancelScope& scope);
  // Sends an informational answer (1xx but 101) that came from upstream. HTTP/1.0 callers get none.
  net::Task<absl::Status> SendInformational(const ResponseHead& head, net::CancelScope& scope);
  // Answers with a problem document, or a whole body of the given type.
  net::Task<absl::Status> SendProblem(const Problem& problem, net::CancelScope& scope);
  net::Task<absl::Status> SendWhole(int status, std::string_view content_type,
                                    std::string_view body, net::CancelScope& scope);

  bool head_sent() const { return writer_.started(); }
  bool response_done() const { return writer_.done(); }
  int response_status() const { return response_status_; }
  uint64_t response_bytes() const { return writer_.bytes(); }

  // From here on a caller that takes longer than `timeout` for a piece of the answer (of 68 KiB at
  // most, so that a slow one is not taken for one that has stopped) is given up. 0: never. At first
  // it is ServerOptions::send_timeout.
  void LimitSends(net::Duration timeout);

  // Makes this the connection's last exchange.
  void CloseAfter() { keep_alive_ = false; }

  // Canceled when the connection's owner ends it and, once CancelWhenCallerLeaves() was called,
  // when the caller closes its side. Every wait of the exchange should happen in it or in a scope
  // below it.
  net::CancelScope& scope() { return scope_; }
  // The one above it, which a caller who leaves does not cancel: for what has to be done anyway.
  net::CancelScope& connection_scope() { return connection_scope_; }
  // From here on a caller that closes its side cancels the exchange. REQUIRES: the body has been
  // read to its end, as a caller may leave after having sent it. (Half-closing callers count as
  // gone.)
  void CancelWhenCallerLeaves() { socket_.CancelOnClose(&scope_); }

  // Takes the connection for a protocol that was switched to (after a 101 was sent). What arrived
  // behind the request is in unread().
  net::Socket& socket() { return socket_; }
  net::Buffer& unread() { return in_; }

  // The address of the other end of the connection, without the port.
  std::string_view caller() const { return caller_; }
  // Time at which the request's first byte was seen.
  net::TimePoint start_time() const { return start_time_; }

 private:
  friend class ServerConnection;

  net::Socket& socket_;
  net::Buffer& in_;
  const std::string_view caller_;
  const bool& draining_;
  net::Buffer head_bytes_;
  net::CancelScope& connection_scope_;
  net::CancelScope scope_;
  RequestHead request_;
  std::optional<ParseError> parse_error_;
  BodyReader body_;
  MessageWriter writer_;
  net::TimePoint start_time_;
  int response_status_ = 0;
  bool keep_alive_ = true;
  bool continue_due_ = false;
  bool drop_body_ = false;  // the answer must not have the body that is given
  bool upgraded_ = false;
  bool broken_ = false;  // a part of an informational answer was sent: nothing can follow
};

// Answers requests. One per listener and loop; outlives its connections.
class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  // Must answer to the end unless the exchange's scope is canceled or sending failed. What it
  // leaves unread of the request's body is skipped when little, else the connection closes.
  virtual net::Task<void> Handle(ServerExchange& exchange) = 0;
};

// What the connections of a listener share.
struct ServerContext {
  ServerContext(net::Loop& loop, net::CancelScope* parent, RequestHandler& handler,
                ServerOptions options)
      : handler(handler), options(options), idle_scope(loop, parent) {}

  RequestHandler& handler;
  const ServerOptions options;
  // All idle connections wait in it. Drain() cancels it.
  net::CancelScope idle_scope;
  bool draining = false;

  // Closes idle connections; the others close with their current answer, which says so.
  void Drain();
};

// Serves `socket` until either side closes it. `context` outlives the task. Cancel `scope` to cut
// off running exchanges.
net::Task<void> ServeConnection(net::Socket socket, ServerContext& context,
                                net::CancelScope& scope);

}  // namespace pillion::http

#endif  // PILLION_CORE_HTTP_SERVER_H_
