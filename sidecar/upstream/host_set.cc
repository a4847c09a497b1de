#include "sidecar/upstream/host_set.h"

#include <algorithm>
#include <unordered_map>

#include "core/check.h"
#include "core/strings.h"

namespace pillion::upstream {
namespace {

constexpr net::Duration kFirstPenalty = std::chrono::seconds(1);
constexpr uint32_t kMaxDoublings = 3;

bool Contains(absl::Span<const HostId> ids, HostId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

HostSet::HostSet(net::Loop& loop, DnsResolver& resolver, telemetry::FastRandom& random,
                 std::function<void()> on_change, std::function<void(Host&)> on_remove)
    : loop_(loop),
      resolver_(resolver),
      random_(random),
      on_change_(std::move(on_change)),
      on_remove_(std::move(on_remove)) {}

void HostSet::Configure(const ClusterConfig& config) {
  lb_policy_ = config.lb_policy;
  endpoints_ = config.endpoints;
  shared_ = config.shared;
  std::vector<Name> names;
  for (const EndpointConfig& endpoint : endpoints_) {
    if (const auto* name = std::get_if<net::HostPort>(&endpoint.target)) Follow(name->host, &names);
  }
  names_ = std::move(names);
  Rebuild();
}

void HostSet::Follow(std::string_view name, std::vector<Name>* names) {
  const auto is_it = [&](const Name& n) { return n.name == name; };
  if (std::any_of(names->begin(), names->end(), is_it)) return;
  const auto known = std::find_if(names_.begin(), names_.end(), is_it);
  if (known != names_.end()) {
    names->push_back(std::move(*known));
    known->name.clear();
    return;
  }
  auto on_answer = [this, name = std::string(name)](const Resolution& answer) {
    OnAnswer(name, answer);
  };
  names->push_back(
      {std::string(name), std::nullopt, resolver_.Subscribe(name, loop_, std::move(on_answer))});
}

void HostSet::OnAnswer(std::string_view name, const Resolution& answer) {
  for (Name& known : names_) {
    if (known.name == name) known.answer = answer;
  }
  Rebuild();
  on_change_();
}

const HostSet::Name& HostSet::Find(std::string_view name) const {
  const auto found =
      std::find_if(names_.begin(), names_.end(), [&](const Name& n) { return n.name == name; });
  PILLION_CHECK(found != names_.end());
  return *found;
}

void HostSet::Rebuild() {
  std::vector<std::unique_ptr<Host>> before = std::move(hosts_);
  std::unordered_map<std::string, std::unique_ptr<Host>*> old;
  for (std::unique_ptr<Host>& host : before) old[host->text] = &host;
  std::unordered_map<std::string, Host*> now;
  const auto add = [&](const net::Address& address, std::string_view origin, uint32_t weight) {
    std::string text = address.ToString();
    if (const auto found = now.find(text); found != now.end()) {
      found->second->weight += weight;  // two endpoints that are one address
      return;
    }
    std::unique_ptr<Host> host;
    if (const auto found = old.find(text); found != old.end()) {
      host = std::move(*found->second);
    } else {
      host = std::make_unique<Host>();
      host->id = ++last_id_;
      host->address = address;
      host->text = text;
    }
    host->weight = weight;
    host->origin = std::string(origin);
    now[std::move(text)] = host.get();
    hosts_.push_back(std::move(host));
  };

  size_t without_address = 0;
  for (const EndpointConfig& endpoint : endpoints_) {
    if (const auto* address = std::get_if<net::Address>(&endpoint.target)) {
      add(*address, address->ToString(), endpoint.weight);
      continue;
    }
    const auto& name = std::get<net::HostPort>(endpoint.target);
    const std::optional<Resolution>& answer = Find(name.host).answer;
    if (!answer || answer->addresses.empty()) {
      ++without_address;
      continue;
    }
    for (net::Address address : answer->addresses) {
      address.set_port(name.port);
      add(address, StrCat(name.host, ":", name.port), endpoint.weight);
    }
  }

  all_.Clear();
  for (const std::unique_ptr<Host>& host : hosts_) all_.Add(*host);
  for (std::unique_ptr<Host>& host : before) {
    if (host == nullptr) continue;
    host->removed = true;
    on_remove_(*host);
    removed_.push_back(std::move(host));
  }
  DropRemoved();
  shared_->SetMembership(hosts_.size() + without_address, hosts_.size());
  if (before.empty() && !hosts_.empty() && lb_policy_ == LbPolicy::kRoundRobin) {
    // Begin anywhere: else the first calls of all workers of all sidecars meet at the first host.
    for (uint64_t turns = random_.Below(hosts_.size()); turns > 0; --turns) {
      Choose(lb_policy_, all_, random_);
    }
  }
}

Host* HostSet::Pick(absl::Span<const HostId> avoid) {
  if (all_.empty()) return nullptr;
  const net::TimePoint now = loop_.now();
  const bool any_avoided = any_avoided_until_ > now;
  if (avoid.empty() && !any_avoided) {
    return static_cast<Host*>(&Choose(lb_policy_, all_, random_));
  }
  // From the best group that is not empty: good ones, those that failed lately, and what is to be
  // avoided.
  for (const bool take_failed : {false, true}) {
    some_.Clear();
    for (const std::unique_ptr<Host>& host : hosts_) {
      if ((take_failed || Preferred(*host, now)) && !Contains(avoid, host->id)) some_.Add(*host);
    }
    if (!some_.empty()) return static_cast<Host*>(&Choose(lb_policy_, some_, random_));
  }
  return static_cast<Host*>(&Choose(lb_policy_, all_, random_));
}

Host* HostSet::NextAddress(const Host& failed, absl::Span<const HostId> tried) {
  for (const std::unique_ptr<Host>& host : hosts_) {
    if (host->origin == failed.origin && !Contains(tried, host->id)) return host.get();
  }
  return nullptr;
}

void HostSet::OnConnected(Host& host) {
  ++host.connections_total;
  host.failures = 0;
  host.avoid_until = net::TimePoint();
}

void HostSet::OnConnectFailed(Host& host) {
  ++host.connect_failures_total;
  host.avoid_until = loop_.now() + kFirstPenalty * (1 << std::min(host.failures++, kMaxDoublings));
  any_avoided_until_ = std::max(any_avoided_until_, host.avoid_until);
}

bool HostSet::awaits_dns() const {
  return hosts_.empty() &&
         std::any_of(names_.begin(), names_.end(), [](const Name& name) { return !name.answer; });
}

std::vector<std::pair<std::string, std::string>> HostSet::Unresolved() const {
  std::vector<std::pair<std::string, std::string>> unresolved;
  for (const EndpointConfig& endpoint : endpoints_) {
    const auto* name = std::get_if<net::HostPort>(&endpoint.target);
    if (name == nullptr) continue;
    const std::optional<Resolution>& answer = Find(name->host).answer;
    if (answer && !answer->addresses.empty()) continue;
    unresolved.emplace_back(StrCat(name->host, ":", name->port),
                            answer ? std::string(FromAbsl(answer->status.message()))
                                   : StrCat("cannot resolve '", name->host, "': no answer yet"));
  }
  return unresolved;
}

std::string HostSet::WhyEmpty() const {
  std::string why;
  for (const auto& [endpoint, reason] : Unresolved()) {
    StrAppend(&why, why.empty() ? "" : "; ", reason);
  }
  return why.empty() ? "it has no endpoints" : why;
}

bool HostSet::DropRemoved() {
  std::erase_if(removed_, [](const std::unique_ptr<Host>& host) { return host->active == 0; });
  return removed_.empty();
}

}  // namespace pillion::upstream
