#include "sidecar/upstream/dns_lookup.h"

#include <sys/time.h>

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/strings.h"

namespace pillion::upstream {
namespace {

absl::Status Failed(const std::string& name, int code) {
  std::string why = ares_strerror(code);
  if (code == ARES_ENOTFOUND || code == ARES_ENODATA) why = "no such name, or it has no address";
  if (code == ARES_ETIMEOUT) why = "the name servers do not answer";
  if (code == ARES_ECONNREFUSED) why = "no name server can be reached";
  return absl::UnavailableError(StrCat("cannot resolve '", name, "': ", why));
}

bool Before(const net::Address& a, const net::Address& b) {
  if (a.family() != b.family()) return a.family() == AF_INET;
  return a.ToString() < b.ToString();
}

DnsAnswer ToAnswer(const ares_addrinfo* result) {
  DnsAnswer answer;
  int ttl = std::numeric_limits<int>::max();
  for (const auto* node = result->nodes; node != nullptr; node = node->ai_next) {
    if (node->ai_family != AF_INET && node->ai_family != AF_INET6) continue;
    net::Address address = net::Address::FromSockaddr(node->ai_addr, node->ai_addrlen);
    address.set_port(0);
    answer.addresses.push_back(address);
    ttl = std::min(ttl, node->ai_ttl);
  }
  for (const auto* cname = result->cnames; cname != nullptr; cname = cname->next) {
    ttl = std::min(ttl, cname->ttl);
  }
  answer.ttl = std::chrono::seconds(ttl);
  std::sort(answer.addresses.begin(), answer.addresses.end(), Before);
  answer.addresses.erase(std::unique(answer.addresses.begin(), answer.addresses.end()),
                         answer.addresses.end());
  return answer;
}

}  // namespace

DnsLookup::DnsLookup(const std::string& name, const std::string& servers,
                     std::chrono::milliseconds query_timeout, int tries)
    : name_(name) {
  static const int initialized = ares_library_init(ARES_LIB_INIT_ALL);
  PILLION_CHECK(initialized == ARES_SUCCESS);
  char files_then_dns[] = "fb";
  ares_options options{};
  options.timeout = static_cast<int>(query_timeout.count());
  options.tries = tries;
  options.lookups = files_then_dns;
  int code = ares_init_options(&channel_, &options,
                               ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS);
  if (code == ARES_SUCCESS && !servers.empty()) {
    code = ares_set_servers_ports_csv(channel_, servers.c_str());
  }
  if (code != ARES_SUCCESS) {
    answer_.emplace(Failed(name_, code));
    return;
  }
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;  // else every address comes once for each type
  hints.ai_flags = ARES_AI_NOSORT;  // sorting would open a socket to each address
  ares_getaddrinfo(channel_, name_.c_str(), nullptr, &hints, &DnsLookup::OnAnswer, this);
}

DnsLookup::~DnsLookup() {
  if (channel_ != nullptr) ares_destroy(channel_);
}

void DnsLookup::OnAnswer(void* self, int status, int /*timeouts*/, ares_addrinfo* result) {
  auto* lookup = static_cast<DnsLookup*>(self);
  if (status == ARES_SUCCESS) {
    DnsAnswer answer = ToAnswer(result);
    if (answer.addresses.empty()) {
      lookup->answer_.emplace(Failed(lookup->name_, ARES_ENODATA));
    } else {
      lookup->answer_.emplace(std::move(answer));
    }
  } else {
    lookup->answer_.emplace(Failed(lookup->name_, status));
  }
  if (result != nullptr) ares_freeaddrinfo(result);
}

void DnsLookup::AddTo(std::vector<pollfd>* sockets, std::chrono::milliseconds* timeout) {
  ares_socket_t fds[ARES_GETSOCK_MAXNUM];
  const int wants = ares_getsock(channel_, fds, ARES_GETSOCK_MAXNUM);
  sockets_.clear();
  for (int i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
    short events = 0;
    if (ARES_GETSOCK_READABLE(wants, i)) events |= POLLIN;
    if (ARES_GETSOCK_WRITABLE(wants, i)) events |= POLLOUT;
    if (events == 0) continue;
    sockets->push_back({fds[i], events, 0});
    sockets_.push_back(fds[i]);
  }
  timeval longest{static_cast<time_t>(timeout->count() / 1000),
                  static_cast<suseconds_t>(timeout->count() % 1000 * 1000)};
  timeval wait{};
  const timeval* chosen = ares_timeout(channel_, &longest, &wait);
  *timeout = std::chrono::milliseconds(chosen->tv_sec * 1000 + (chosen->tv_usec + 999) / 1000);
}

void DnsLookup::Process(const std::vector<pollfd>& sockets) {
  bool processed = false;
  for (const pollfd& socket : sockets) {
    if (socket.revents == 0) continue;
    if (std::find(sockets_.begin(), sockets_.end(), socket.fd) == sockets_.end()) continue;
    const bool writable = (socket.revents & POLLOUT) != 0;
    const bool readable = (socket.revents & ~POLLOUT) != 0;  // errors are found by reading
    ares_process_fd(channel_, readable ? socket.fd : ARES_SOCKET_BAD,
                    writable ? socket.fd : ARES_SOCKET_BAD);
    processed = true;
  }
  if (!processed) ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // timeouts
}

}  // namespace pillion::upstream
