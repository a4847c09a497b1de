#include "tests/integration/harness/origin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace pillion::harness {
namespace {

// A test cannot go on without its upstream.
void Require(bool condition, const char* what) {
  if (condition) return;
  std::perror(what);
  std::abort();
}

UniqueFd ListenOnLoopback(int port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // The last one to listen there may have been killed in the middle of its connections.
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Require(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "bind");
  return fd;
}

UniqueFd ListenOnPath(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  Require(path.size() < sizeof(address.sun_path), "path too long for a socket");
  std::memcpy(address.sun_path, path.data(), path.size());
  Require(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0,
          path.c_str());
  return fd;
}

int PortOf(const UniqueFd& fd) {
  sockaddr_in address = {};
  socklen_t size = sizeof(address);
  getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return address.sin_family == AF_INET ? ntohs(address.sin_port) : 0;
}

}  // namespace

Origin::Origin(Handler handler, RequestBodySink sink)
    : handler_(std::move(handler)), sink_(std::move(sink)) {
  Listen(ListenOnLoopback(0));
}

Origin::Origin(RawHandler handler, int port) : raw_handler_(std::move(handler)) {
  Listen(ListenOnLoopback(port));
}

Origin::Origin(const std::string& unix_path, Handler handler) : handler_(std::move(handler)) {
  Listen(ListenOnPath(unix_path));
}

void Origin::Listen(UniqueFd listener) {
  Require(listen(listener.get(), SOMAXCONN) == 0, "listen");
  port_ = PortOf(listener);
  listener_ = std::move(listener);
  acceptor_ = std::thread(&Origin::Accept, this);
}

Origin::~Origin() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const Served& served : served_) served.connection.Abort();
  }
  shutdown(listener_.get(), SHUT_RDWR);  // Wakes accept.
  acceptor_.join();
  for (Served& served : served_) served.thread.join();
}

void Origin::Accept() {
  while (true) {
    UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    if (!fd) continue;  // The peer has gone again.
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    served_.remove_if([](Served& served) {
      if (served.finished) served.thread.join();
      return served.finished;
    });
    Served& served = served_.emplace_back(Connection(std::move(fd)));
    served.thread = std::thread([this, &served] { Serve(served); });
    ++connection_count_;
  }
}

void Origin::Serve(Served& served) {
  if (raw_handler_) {
    raw_handler_(served.connection);
  } else {
    while (ServeOne(served.connection)) {
    }
  }
  // The destructor may look at the connection at any time.
  std::lock_guard lock(mutex_);
  served.connection.Close();
  served.finished = true;
}

bool Origin::ServeOne(Connection& connection) {
  // However long the peer keeps an idle connection, it ends with the peer or with this object.
  constexpr std::chrono::milliseconds kIdle = std::chrono::hours(1);
  auto request = ReadRequestHead(connection, kIdle);
  if (!request.ok()) return false;
  BodySink sink;
  if (sink_) {
    sink = [this, &request](std::string_view piece) {
      sink_(*request, piece);
      return true;
    };
  }
  if (request->Header("expect") && !connection.Send("HTTP/1.1 100 Continue\r\n\r\n").ok())
    return false;
  if (!ReadRequestBody(connection, *request, sink, kIdle).ok()) return false;
  {
    std::lock_guard lock(mutex_);
    requests_.push_back(*request);
    changed_.notify_all();
  }
  const Response response = handler_(*request);
  if (!WriteResponse(connection, response, request->method, kIdle).ok()) return false;
  return !SaysClose(response.headers) && !SaysClose(request->headers);
}

std::vector<Request> Origin::requests() const {
  std::lock_guard lock(mutex_);
  return requests_;
}

size_t Origin::request_count() const {
  std::lock_guard lock(mutex_);
  return requests_.size();
}

bool Origin::WaitForRequests(size_t count, Deadline deadline) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline.at(), [&] { return requests_.size() >= count; });
}

size_t Origin::connection_count() const {
  std::lock_guard lock(mutex_);
  return connection_count_;
}

namespace origin {
namespace {

// Reads a whole request, so that closing afterwards does not reset the connection by itself.
bool ReadRequest(Connection& connection) {
  auto request = ReadRequestHead(connection);
  return request.ok() && ReadRequestBody(connection, *request, nullptr).ok();
}

}  // namespace

Origin::RawHandler Hang() {
  return [](Connection& connection) { (void)connection.ReadToEnd(std::chrono::hours(1)); };
}

Origin::RawHandler CloseMidAnswer(size_t announced, size_t sent) {
  return [=](Connection& connection) {
    if (!ReadRequest(connection)) return;
    (void)connection.Send(absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", announced, "\r\n\r\n",
                                       std::string(sent, 'x')));
  };
}

Origin::RawHandler CloseWithoutAnswer() {
  return [](Connection& connection) { (void)ReadRequest(connection); };
}

Origin::RawHandler ResetWithoutAnswer() {
  return [](Connection& connection) {
    if (ReadRequest(connection)) connection.ResetOnClose();
  };
}

Origin::RawHandler Garbage() {
  return [](Connection& connection) {
    if (!ReadRequest(connection)) return;
    (void)connection.Send(std::string_view("\x16\x03\x01 not HTTP \x00\xff\r\n\r\n", 20));
  };
}

Origin::RawHandler EndlessHeader() {
  return [](Connection& connection) {
    if (!ReadRequest(connection) || !connection.Send("HTTP/1.1 200 OK\r\n").ok()) return;
    for (int i = 0;
         connection.Send(absl::StrCat("X-Endless-", i, ": ", std::string(100, 'e'), "\r\n")).ok();
         ++i) {
    }
  };
}

}  // namespace origin
}  // namespace pillion::harness
