// One look-up of one name with c-ares, in a channel of its own, so that it follows /etc/resolv.conf
// and /etc/hosts as they are now. Belongs to one thread, which polls its sockets together with
// others.

#ifndef PILLION_SIDECAR_UPSTREAM_DNS_LOOKUP_H_
#define PILLION_SIDECAR_UPSTREAM_DNS_LOOKUP_H_

#include <ares.h>
#include <poll.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/net/address.h"

namespace pillion::upstream {

struct DnsAnswer {
  std::vector<net::Address> addresses;  // sorted, each once, with port 0; never empty
  std::chrono::seconds ttl{0};          // the shortest of all records
};

class DnsLookup {
 public:
  // Begins at once. `servers` as in DnsResolver::Options.
  DnsLookup(const std::string& name, const std::string& servers,
            std::chrono::milliseconds query_timeout, int tries);
  DnsLookup(const DnsLookup&) = delete;
  DnsLookup& operator=(const DnsLookup&) = delete;
  ~DnsLookup();

  // Set once the look-up has ended. Errors say what the name server said.
  const std::optional<absl::StatusOr<DnsAnswer>>& answer() const { return answer_; }

  // Adds the sockets that it waits for; lowers `*timeout` to when it wants to be called.
  void AddTo(std::vector<pollfd>* sockets, std::chrono::milliseconds* timeout);

  // Goes on with what poll() said; `sockets` are those that AddTo() added, among others perhaps.
  void Process(const std::vector<pollfd>& sockets);

 private:
  static void OnAnswer(void* self, int status, int timeouts, ares_addrinfo* result);

  const std::string name_;
  ares_channel channel_ = nullptr;
  std::vector<int> sockets_;
  std::optional<absl::StatusOr<DnsAnswer>> answer_;
};

}  // namespace pillion::upstream

#endif  // PILLION_SIDECAR_UPSTREAM_DNS_LOOKUP_H_
