// The service behind every contender: answers HTTP/1.1 with as little work as possible, so that the
// benchmark measures what stands before it.
//
//   /bytes/N        N bytes, up to 1 GiB
//   anything else   70 bytes of JSON
//
// Bodies of requests are read and dropped; connections are kept until the caller closes. It knows
// no more of HTTP than well-behaved proxies say: requests have a Content-Length or no body.
//
// One thread, edge-triggered epoll, each socket registered once. An edge says that something
// arrived; a read that did not fill the buffer has taken all of it.

#include <strings.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "bench/sockets.h"

namespace pillion::bench {
namespace {

constexpr std::string_view kSmallBody =
    R"({"user_id":1,"name":"Ada Lovelace","email":"ada@home.example","pro":1})";
static_assert(kSmallBody.size() == 70);

constexpr std::string_view kSmallAnswer =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 70\r\n\r\n";
constexpr std::string_view kBadRequest =
    "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

constexpr size_t kMaxHead = 64 * 1024;
constexpr uint64_t kMaxBytes = uint64_t{1} << 30;

char g_input[256 * 1024];
char g_filler[256 * 1024];

struct Request {
  std::string_view path;
  uint64_t content_length = 0;
  bool good = false;
};

bool ParseNumber(std::string_view text, uint64_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

bool NameIs(std::string_view line, std::string_view name) {
  return line.size() > name.size() && line[name.size()] == ':' &&
         strncasecmp(line.data(), name.data(), name.size()) == 0;
}

// `head` ends with the empty line.
Request ParseHead(std::string_view head) {
  Request request;
  size_t end = head.find("\r\n");
  const std::string_view start = head.substr(0, end);
  const size_t path = start.find(' ');
  const size_t version = start.rfind(' ');
  if (path == version || start.substr(version + 1) != "HTTP/1.1") return request;
  request.path = start.substr(path + 1, version - path - 1);
  for (size_t begin = end + 2; begin + 2 < head.size(); begin = end + 2) {
    end = head.find("\r\n", begin);
    const std::string_view line = head.substr(begin, end - begin);
    if (NameIs(line, "transfer-encoding")) return request;
    if (!NameIs(line, "content-length")) continue;
    std::string_view value = line.substr(line.find(':') + 1);
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    if (!ParseNumber(value, &request.content_length)) return request;
  }
  request.good = true;
  return request;
}

class Connection {
 public:
  explicit Connection(int fd) : fd_(fd) {}
  ~Connection() { close(fd_); }

  // Does what can be done now; false when the connection is over. `ended`: the peer sends no more.
  bool Run(bool ended) {
    ended_ |= ended;
    if (!Flush()) return false;
    if (!waits() && !input_.empty() && !Take(std::exchange(input_, {}))) return false;
    while (!waits() && !closing_) {
      const ssize_t got = read(fd_, g_input, sizeof g_input);
      if (got < 0) return errno == EAGAIN;
      if (got == 0) return false;
      const std::string_view bytes(g_input, got);
      if (!(input_.empty() ? Take(bytes) : Take(std::exchange(input_, {}).append(bytes)))) {
        return false;
      }
      // After the peer's last bytes there is no further edge: only reading on finds the end.
      if (bytes.size() < sizeof g_input && !ended_) break;
    }
    return waits() || !closing_;
  }

 private:
  // For the socket to take more; no request is looked at meanwhile.
  bool waits() const { return !output_.empty() || filler_left_ > 0; }

  // Answers the requests in `bytes`, and keeps what is left of them in input_.
  bool Take(std::string_view bytes) {
    while (!bytes.empty() && !waits() && !closing_) {
      if (body_left_ > 0) {
        const size_t skipped = std::min<uint64_t>(body_left_, bytes.size());
        body_left_ -= skipped;
        bytes.remove_prefix(skipped);
      } else {
        const size_t end = bytes.find("\r\n\r\n");
        if (end == std::string_view::npos) {
          if (bytes.size() > kMaxHead) return false;
          break;
        }
        Begin(ParseHead(bytes.substr(0, end + 4)));
        bytes.remove_prefix(end + 4);
      }
      if (body_left_ == 0) {
        Answer();
        if (!Flush()) return false;
      }
    }
    input_ = bytes;
    return true;
  }

  void Begin(const Request& request) {
    constexpr std::string_view kBytes = "/bytes/";
    answer_bytes_.reset();
    closing_ = !request.good;
    if (request.path.starts_with(kBytes)) {
      closing_ |= !ParseNumber(request.path.substr(kBytes.size()), &answer_bytes_.emplace()) ||
                  *answer_bytes_ > kMaxBytes;
    }
    body_left_ = closing_ ? 0 : request.content_length;
  }

  void Answer() {
    if (closing_) {
      output_ = kBadRequest;
    } else if (answer_bytes_.has_value()) {
      output_ = "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: ";
      output_ += std::to_string(*answer_bytes_);
      output_ += "\r\n\r\n";
      filler_left_ = *answer_bytes_;
    } else {
      output_ = kSmallAnswer;
      output_ += kSmallBody;
    }
  }

  bool Flush() {
    while (waits()) {
      const size_t filler = std::min<uint64_t>(filler_left_, sizeof g_filler);
      std::array<iovec, 2> parts = {iovec{output_.data(), output_.size()}, iovec{g_filler, filler}};
      msghdr message{};
      message.msg_iov = parts.data();
      message.msg_iovlen = filler > 0 ? 2 : 1;
      const ssize_t sent = sendmsg(fd_, &message, MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN;
      const size_t of_output = std::min<size_t>(sent, output_.size());
      output_.erase(0, of_output);
      filler_left_ -= sent - of_output;
    }
    return true;
  }

  const int fd_;
  std::string input_;                     // received, not yet looked at or not complete
  std::string output_;                    // to be sent,
  uint64_t filler_left_ = 0;              // and behind it so much of g_filler
  uint64_t body_left_ = 0;                // of the request that is being read
  std::optional<uint64_t> answer_bytes_;  // what it asked for, if it is /bytes/N
  bool closing_ = false;                  // after what is to be sent
  bool ended_ = false;
};

void Accept(int epoll, int listener) {
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    SendAtOnce(fd);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = new Connection(fd);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) Die("epoll_ctl", errno);
  }
}

void Serve(int listener) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) Die("epoll_create1", errno);
  epoll_event event{};
  event.events = EPOLLIN;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0) Die("epoll_ctl", errno);
  std::array<epoll_event, 256> events;
  for (;;) {
    const int count = epoll_wait(epoll, events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<Connection*>(events[i].data.ptr);
      if (connection == nullptr) {
        Accept(epoll, listener);
      } else if (!connection->Run(events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))) {
        delete connection;
      }
    }
  }
}

}  // namespace
}  // namespace pillion::bench

int main(int argc, char** argv) {
  using namespace pillion::bench;
  const Ports ports = ParsePorts(argc, argv, /*has_upstream=*/false);
  std::fill(std::begin(g_filler), std::end(g_filler), 'x');
  Serve(Listen(ports.listen, SOCK_NONBLOCK));
}
