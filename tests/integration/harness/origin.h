// An upstream that does what the test says: answers by a function, or misbehaves on the wire.
//
//   Origin origin([](const Request& request) { return Response{.body = "hello " + request.target};
//   });
//   ... endpoints: [127.0.0.1:<origin.port()>] ...
//   EXPECT_EQ(origin.requests().at(0).target, "/user/?user_id=1");
//
//   Origin broken{origin::Garbage()};  // see the end of this file

#ifndef PILLION_TESTS_INTEGRATION_HARNESS_ORIGIN_H_
#define PILLION_TESTS_INTEGRATION_HARNESS_ORIGIN_H_

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/integration/harness/connection.h"
#include "tests/integration/harness/deadline.h"
#include "tests/integration/harness/http.h"
#include "tests/integration/harness/unique_fd.h"

namespace pillion::harness {

// Listens on a free port of 127.0.0.1 from construction to destruction, with a thread for each
// connection. Thread-safe.
class Origin {
 public:
  // Called on the connection's thread, for several connections at once. It may block, but must
  // return before the origin is destroyed.
  using Handler = std::function<Response(const Request& request)>;
  // Whatever it sends goes out as it is; the connection is closed when it returns, and not before.
  // The destructor of Origin makes everything that waits on the connection fail.
  using RawHandler = std::function<void(Connection& connection)>;
  // Gets request bodies piece by piece; requests() then have none.
  using RequestBodySink = std::function<void(const Request& head, std::string_view piece)>;

  // "Connection: close" in a response closes the connection after it.
  explicit Origin(Handler handler, RequestBodySink sink = nullptr);
  // On `port` if it is not 0: one that comes back where another one was.
  explicit Origin(RawHandler handler, int port = 0);
  // The same on a Unix domain socket.
  Origin(const std::string& unix_path, Handler handler);

  ~Origin();
  Origin(const Origin&) = delete;
  Origin& operator=(const Origin&) = delete;

  int port() const { return port_; }

  // Requests received so far, complete with their bodies, in the order in which their bodies ended.
  std::vector<Request> requests() const;
  size_t request_count() const;
  // False if there are fewer than `count` by the deadline.
  bool WaitForRequests(size_t count, Deadline deadline = {}) const;
  size_t connection_count() const;  // Accepted so far.

 private:
  // A connection and its thread.
  struct Served {
    explicit Served(Connection c) : connection(std::move(c)) {}
    Connection connection;
    std::thread thread;
    bool finished = false;  // The thread touches nothing any more.
  };

  void Listen(UniqueFd listener);
  void Accept();
  void Serve(Served& served);
  // False when the connection has ended.
  bool ServeOne(Connection& connection);

  const Handler handler_;
  const RequestBodySink sink_;
  const RawHandler raw_handler_;
  UniqueFd listener_;
  int port_ = 0;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool stopping_ = false;
  std::list<Served> served_;
  size_t connection_count_ = 0;
  std::vector<Request> requests_;

  std::thread acceptor_;
};

// Upstreams that break the rules. One that refuses is FreePort().
namespace origin {

// Accepts, and never says anything.
Origin::RawHandler Hang();
// Reads a request, announces a body of `announced` bytes, sends `sent` of them and closes.
Origin::RawHandler CloseMidAnswer(size_t announced, size_t sent);
// Reads a request, closes without a word.
Origin::RawHandler CloseWithoutAnswer();
// Reads a request, resets the connection.
Origin::RawHandler ResetWithoutAnswer();
// Reads a request, answers with bytes that are not HTTP.
Origin::RawHandler Garbage();
// Reads a request, answers with header fields until the peer has enough.
Origin::RawHandler EndlessHeader();

}  // namespace origin
}  // namespace pillion::harness

#endif  // PILLION_TESTS_INTEGRATION_HARNESS_ORIGIN_H_
