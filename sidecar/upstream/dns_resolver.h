// Names into addresses, again and again: one thread for the process follows every name that
// somebody subscribed to, by /etc/hosts and DNS (A and AAAA), and tells the subscribers' loops what
// changes.
//
// A name is looked up again when the answer's time to live is over (at least Options::min_ttl, at
// most max_ttl), after a failure in min_ttl, doubled with each further failure up to max_backoff. A
// failure after an answer changes nothing: old addresses are better than none.
//
//   DnsResolver::Subscription subscription = resolver.Subscribe(
//       "orders.internal", loop, [this](const Resolution& resolution) { ... });

#ifndef PILLION_SIDECAR_UPSTREAM_DNS_RESOLVER_H_
#define PILLION_SIDECAR_UPSTREAM_DNS_RESOLVER_H_

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "core/net/address.h"
#include "core/net/loop.h"

namespace pillion::upstream {

// What is known of a name.
struct Resolution {
  // Sorted, each once, with port 0. Empty: there never was an answer.
  std::vector<net::Address> addresses;
  // Why there are no addresses, for a person; OK if there are.
  absl::Status status;
};

class DnsResolver {
 public:
  struct Options {
    // "127.0.0.1:5353,..."; empty: the system's, by /etc/resolv.conf as it is at each look-up.
    std::string servers;
    std::chrono::milliseconds min_ttl = std::chrono::seconds(1);
    std::chrono::milliseconds max_ttl = std::chrono::seconds(60);
    std::chrono::milliseconds max_backoff = std::chrono::seconds(10);
    // Of a question to a server, and how often it is asked.
    std::chrono::milliseconds query_timeout = std::chrono::seconds(2);
    int tries = 2;
  };
  using OnChange = absl::AnyInvocable<void(const Resolution&)>;

 private:
  class Impl;
  struct Subscriber;

 public:
  // Ends when it goes: its callback does not run again. Belongs to the loop it was made for, and
  // must go before it; it may outlive the resolver, and then hears nothing more.
  class Subscription {
   public:
    Subscription() = default;
    Subscription(Subscription&&) noexcept = default;
    Subscription& operator=(Subscription&& other) noexcept;
    ~Subscription();

   private:
    friend class DnsResolver;
    Subscription(std::shared_ptr<Impl> impl, std::shared_ptr<Subscriber> subscriber);

    std::shared_ptr<Impl> impl_;
    std::shared_ptr<Subscriber> subscriber_;
  };

  DnsResolver() : DnsResolver(Options()) {}
  explicit DnsResolver(Options options);
  DnsResolver(const DnsResolver&) = delete;
  DnsResolver& operator=(const DnsResolver&) = delete;
  // Ends the thread.
  ~DnsResolver();

  // `on_change` runs on `loop` with what is known as soon as anything is, and after every change.
  // Names differ in letter case only are one name. Threads: that of `loop`.
  Subscription Subscribe(std::string_view name, net::Loop& loop, OnChange on_change);

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace pillion::upstream

#endif  // PILLION_SIDECAR_UPSTREAM_DNS_RESOLVER_H_
