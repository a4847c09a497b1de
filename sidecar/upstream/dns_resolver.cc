#include "sidecar/upstream/dns_resolver.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "core/check.h"
#include "core/strings.h"
#include "core/telemetry/log.h"
#include "sidecar/upstream/dns_lookup.h"

namespace pillion::upstream {
namespace {

using net::Clock;
using net::TimePoint;
using std::chrono::milliseconds;

constexpr log::Logger kLog("dns");
constexpr milliseconds kLongestSleep = std::chrono::hours(1);
// At once; each takes a few descriptors.
constexpr size_t kMaxLookups = 64;

}  // namespace

struct DnsResolver::Subscriber {
  Subscriber(net::Loop& loop, OnChange on_change) : loop(loop), on_change(std::move(on_change)) {}

  net::Loop& loop;
  OnChange on_change;
  bool ended = false;  // the loop's thread
};

class DnsResolver::Impl {
 public:
  explicit Impl(Options options) : options_(std::move(options)) {
    PILLION_CHECK(wake_ >= 0);
    thread_ = std::thread([this] { Run(); });
  }

  ~Impl() { close(wake_); }

  void Stop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    Wake();
    thread_.join();
  }

  void Add(const std::string& name, std::shared_ptr<Subscriber> subscriber) {
    std::lock_guard lock(mutex_);
    const auto [entry, is_new] = entries_.try_emplace(name);
    if (entry->second.known != nullptr) Tell(entry->second.known, subscriber);
    entry->second.subscribers.push_back(std::move(subscriber));
    if (is_new) Wake();
  }

  void Remove(const std::shared_ptr<Subscriber>& subscriber) {
    subscriber->ended = true;
    std::lock_guard lock(mutex_);
    for (auto& [name, entry] : entries_) std::erase(entry.subscribers, subscriber);
  }

 private:
  using Known = std::shared_ptr<const Resolution>;

  struct Entry {
    std::vector<std::shared_ptr<Subscriber>> subscribers;
    Known known;  // null: nothing yet
    int failures = 0;
    TimePoint next;  // when to look up
  };

  void Wake() {
    const uint64_t one = 1;
    (void)!write(wake_, &one, sizeof(one));
  }

  // Under the lock, so that the subscriber's loop cannot go meanwhile.
  static void Tell(const Known& known, const std::shared_ptr<Subscriber>& subscriber) {
    subscriber->loop.Post([known, subscriber] {
      if (!subscriber->ended) subscriber->on_change(*known);
    });
  }

  void Run() {
    log::SetThreadName("dns");
    std::vector<pollfd> sockets;
    while (true) {
      milliseconds timeout = kLongestSleep;
      if (!StartDue(&timeout)) break;
      sockets.assign(1, {wake_, POLLIN, 0});
      for (auto& [name, lookup] : lookups_) {
        if (lookup->answer()) {
          timeout = milliseconds(0);
        } else {
          lookup->AddTo(&sockets, &timeout);
        }
      }
      poll(sockets.data(), sockets.size(), static_cast<int>(timeout.count()));
      if (sockets[0].revents != 0) {
        uint64_t wakes;
        (void)!read(wake_, &wakes, sizeof(wakes));
      }
      TakeAnswers(sockets);
    }
    lookups_.clear();
  }

  // Begins the look-ups whose time has come; lowers `*timeout` to when the next one is due. False:
  // stop.
  bool StartDue(milliseconds* timeout) {
    std::vector<std::string> due;
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return false;
      const TimePoint now = Clock::now();
      for (auto it = entries_.begin(); it != entries_.end();) {
        const auto& [name, entry] = *it;
        if (lookups_.contains(name)) {
          ++it;
        } else if (entry.next > now) {
          *timeout = std::min(*timeout, std::chrono::ceil<milliseconds>(entry.next - now));
          ++it;
        } else if (entry.subscribers.empty()) {
          it = entries_.erase(it);
        } else {
          if (lookups_.size() + due.size() < kMaxLookups) due.push_back(name);
          ++it;
        }
      }
    }
    for (const std::string& name : due) {
      lookups_[name] = std::make_unique<DnsLookup>(name, options_.servers, options_.query_timeout,
                                                   options_.tries);
    }
    return true;
  }

  void TakeAnswers(const std::vector<pollfd>& sockets) {
    for (auto it = lookups_.begin(); it != lookups_.end();) {
      if (!it->second->answer()) it->second->Process(sockets);
      if (!it->second->answer()) {
        ++it;
        continue;
      }
      Record(it->first, *it->second->answer());
      it = lookups_.erase(it);
    }
  }

  void Record(const std::string& name, const absl::StatusOr<DnsAnswer>& answer) {
    std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) return;
    Entry& entry = found->second;
    const TimePoint now = Clock::now();
    auto news = std::make_shared<Resolution>();
    if (answer.ok()) {
      entry.failures = 0;
      entry.next = now + std::clamp(milliseconds(answer->ttl), options_.min_ttl, options_.max_ttl);
      news->addresses = answer->addresses;
    } else {
      const int doublings = std::min(entry.failures++, 20);
      entry.next = now + std::min(options_.min_ttl * (1 << doublings), options_.max_backoff);
      if (entry.failures == 1) kLog.Warning(FromAbsl(answer.status().message()), "; trying again");
      if (entry.known != nullptr && entry.known->status.ok()) return;
      news->status = answer.status();
    }
    if (entry.known != nullptr && entry.known->addresses == news->addresses &&
        entry.known->status == news->status) {
      return;
    }
    entry.known = std::move(news);
    for (const auto& subscriber : entry.subscribers) Tell(entry.known, subscriber);
  }

  const Options options_;
  const int wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  std::map<std::string, std::unique_ptr<DnsLookup>> lookups_;  // the resolver's thread only

  std::mutex mutex_;
  std::map<std::string, Entry> entries_;
  bool stopping_ = false;

  std::thread thread_;
};

DnsResolver::Subscription::Subscription(std::shared_ptr<Impl> impl,
                                        std::shared_ptr<Subscriber> subscriber)
    : impl_(std::move(impl)), subscriber_(std::move(subscriber)) {}

DnsResolver::Subscription& DnsResolver::Subscription::operator=(Subscription&& other) noexcept {
  std::swap(impl_, other.impl_);
  std::swap(subscriber_, other.subscriber_);
  return *this;
}

DnsResolver::Subscription::~Subscription() {
  if (subscriber_ != nullptr) impl_->Remove(subscriber_);
}

DnsResolver::DnsResolver(Options options) : impl_(std::make_shared<Impl>(std::move(options))) {}

DnsResolver::~DnsResolver() { impl_->Stop(); }

DnsResolver::Subscription DnsResolver::Subscribe(std::string_view name, net::Loop& loop,
                                                 OnChange on_change) {
  auto subscriber = std::make_shared<Subscriber>(loop, std::move(on_change));
  impl_->Add(absl::AsciiStrToLower(ToAbsl(name)), subscriber);
  return Subscription(impl_, std::move(subscriber));
}

}  // namespace pillion::upstream
