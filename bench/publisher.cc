// Load for servers that keep messages and do not speak HTTP: what wrk is for the others. A closed
// loop: each connection has one message on its way, and sends the next when the server has
// confirmed it.
//
//   publisher redis|amqp-classic|amqp-quorum --port PORT --connections N --seconds S --bytes B
//
// The load begins when all connections are open. After S seconds nothing more is published, and it
// ends when all of it is confirmed; then it is removed. The result has the form of wrk.lua's, on
// standard output. One thread, edge-triggered epoll.

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "bench/publisher_protocol.h"
#include "bench/sockets.h"

namespace pillion::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kReplyWithinMs = 20'000;

struct Options {
  std::string_view protocol;
  uint64_t port = 0;
  uint64_t connections = 0;
  uint64_t seconds = 0;
  uint64_t bytes = 0;
};

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "publisher: %s\n", what.c_str());
  std::exit(1);
}

struct Connection {
  int fd = -1;
  std::string received{};  // not looked at yet, or not complete
  size_t steps_done = 0;   // of the opening
  uint32_t awaited = 0;    // the kind of reply
  Clock::time_point asked{};
};

class Load {
 public:
  Load(Protocol protocol, const Options& options)
      : protocol_(std::move(protocol)),
        duration_(std::chrono::seconds(options.seconds)),
        epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_ < 0) Die("epoll_create1", errno);
    for (uint64_t i = 0; i < options.connections; ++i) Open(options.port);
  }

  void Run() {
    waited_for_ = connections_.size();
    phase_ = Phase::kOpening;
    for (Connection& connection : connections_) Advance(connection, Clock::now());
    Wait();

    waited_for_ = connections_.size();
    phase_ = Phase::kPublishing;
    begin_ = Clock::now();
    for (Connection& connection : connections_) Ask(connection, protocol_.publish, begin_);
    Wait();

    waited_for_ = 1;
    phase_ = Phase::kClosing;
    Ask(connections_.front(), protocol_.closing, Clock::now());
    Wait();
  }

  void Print() {
    const auto percentile = [this](double percent) {
      const size_t at = std::max<double>(0, latencies_us_.size() * percent / 100 - 1);
      std::nth_element(latencies_us_.begin(), latencies_us_.begin() + at, latencies_us_.end());
      return latencies_us_[at];
    };
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(end_ - begin_).count();
    std::printf(
        "result {\"requests\": %zu, \"duration_us\": %lld, \"p50_us\": %u, \"p99_us\": %u, "
        "\"refused\": 0, \"broken\": 0}\n",
        latencies_us_.size(), static_cast<long long>(us), percentile(50), percentile(99));
  }

 private:
  enum class Phase { kOpening, kPublishing, kClosing };

  void Open(uint16_t port) {
    Connection& connection = connections_.emplace_back();
    connection.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection.fd < 0) Die("socket", errno);
    const sockaddr_in address = Loopback(port);
    if (connect(connection.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      Die("connect", errno);
    }
    fcntl(connection.fd, F_SETFL, O_NONBLOCK);
    SendAtOnce(connection.fd);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
    event.data.ptr = &connection;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event) != 0) Die("epoll_ctl", errno);
  }

  // Until all connections that the phase waits for are done with it.
  void Wait() {
    std::array<epoll_event, 256> events;
    while (waited_for_ > 0) {
      const int count = epoll_wait(epoll_, events.data(), events.size(), kReplyWithinMs);
      if (count < 0 && errno != EINTR) Die("epoll_wait", errno);
      if (count == 0) Fail("no reply within " + std::to_string(kReplyWithinMs / 1000) + " s");
      for (int i = 0; i < count; ++i) Read(*static_cast<Connection*>(events[i].data.ptr));
    }
  }

  void Read(Connection& connection) {
    for (;;) {
      const ssize_t got = read(connection.fd, buffer_.data(), buffer_.size());
      if (got < 0 && errno == EAGAIN) return;
      if (got < 0) Die("read", errno);
      if (got == 0) Fail("the server closed a connection");
      connection.received.append(buffer_.data(), got);
      Take(connection);
      if (static_cast<size_t>(got) < buffer_.size()) return;
    }
  }

  void Take(Connection& connection) {
    std::string& received = connection.received;
    while (!received.empty()) {
      const Reply reply = protocol_.read(received);
      if (!reply.error.empty()) Fail("the server said: " + reply.error);
      if (reply.size == 0) return;
      received.erase(0, reply.size);
      if (reply.kind == 0) continue;
      if (reply.kind != connection.awaited) {
        Fail("the server replied " + std::to_string(reply.kind) + " where " +
             std::to_string(connection.awaited) + " was expected");
      }
      connection.awaited = std::numeric_limits<uint32_t>::max();
      Advance(connection, Clock::now());
    }
  }

  // The next step, if the phase has one for this connection.
  void Advance(Connection& connection, Clock::time_point now) {
    if (phase_ == Phase::kOpening && connection.steps_done < protocol_.opening.size()) {
      return Ask(connection, protocol_.opening[connection.steps_done++], now);
    }
    if (phase_ == Phase::kPublishing) {
      const auto took = now - connection.asked;
      latencies_us_.push_back(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
      if (now - begin_ < duration_) return Ask(connection, protocol_.publish, now);
      end_ = now;
    }
    --waited_for_;
  }

  void Ask(Connection& connection, const Step& step, Clock::time_point now) {
    connection.asked = now;
    connection.awaited = step.reply;
    const std::string& bytes = step.request;
    // The only bytes on their way: a socket takes them all.
    if (send(connection.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(bytes.size())) {
      Die("send", errno);
    }
  }

  const Protocol protocol_;
  const Clock::duration duration_;
  const int epoll_;
  std::array<char, 16 * 1024> buffer_;
  std::deque<Connection> connections_;  // they do not move
  Phase phase_ = Phase::kOpening;
  size_t waited_for_ = 0;               // connections that are not done with the phase
  Clock::time_point begin_;             // of the load,
  Clock::time_point end_;               // when its last message was confirmed
  std::vector<uint32_t> latencies_us_;  // of every message
};

[[noreturn]] void Usage() {
  std::fprintf(stderr,
               "usage: publisher redis|amqp-classic|amqp-quorum --port PORT --connections N "
               "--seconds S --bytes B (at most %zu)\n",
               kMaxAmqpBody);
  std::exit(2);
}

Options ParseOptions(int argc, char** argv) {
  Options options;
  if (argc != 10) Usage();
  options.protocol = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::string_view value = argv[i + 1];
    uint64_t* number = name == "--port"          ? &options.port
                       : name == "--connections" ? &options.connections
                       : name == "--seconds"     ? &options.seconds
                       : name == "--bytes"       ? &options.bytes
                                                 : nullptr;
    if (number == nullptr ||
        std::from_chars(value.data(), value.data() + value.size(), *number).ptr !=
            value.data() + value.size()) {
      Usage();
    }
  }
  if (options.port == 0 || options.port > 65535 || options.connections == 0 ||
      options.seconds == 0 || options.bytes == 0 || options.bytes > kMaxAmqpBody) {
    Usage();
  }
  return options;
}

Protocol ProtocolOf(const Options& options) {
  if (options.protocol == "redis") return RedisStream(options.bytes);
  if (options.protocol == "amqp-classic") return AmqpQueue("classic", options.bytes);
  if (options.protocol == "amqp-quorum") return AmqpQueue("quorum", options.bytes);
  Usage();
}

}  // namespace
}  // namespace pillion::bench

int main(int argc, char** argv) {
  using namespace pillion::bench;
  const Options options = ParseOptions(argc, argv);
  Load load(ProtocolOf(options), options);
  load.Run();
  load.Print();
}
