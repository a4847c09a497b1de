#include "sidecar/upstream/cluster_status.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/container/flat_hash_map.h"
#include "core/net/cancel.h"
#include "core/net/future.h"
#include "sidecar/upstream/cluster_manager.h"

namespace pillion::upstream {
namespace {

using nlohmann::ordered_json;

void MergeHost(const HostStatus& from, HostStatus* into) {
  into->active += from.active;
  into->idle += from.idle;
  into->requests_total += from.requests_total;
  into->connections_total += from.connections_total;
  into->connect_failures_total += from.connect_failures_total;
  into->failing |= from.failing;
}

ordered_json Use(uint32_t used, uint32_t limit) { return {{"used", used}, {"limit", limit}}; }

ordered_json HostJson(const HostStatus& host) {
  ordered_json json = {{"address", host.address}};
  if (host.origin != host.address) json["endpoint"] = host.origin;
  json["weight"] = host.weight;
  json["active"] = host.active;
  json["idle"] = host.idle;
  json["requestsTotal"] = host.requests_total;
  json["connectionsTotal"] = host.connections_total;
  json["connectFailuresTotal"] = host.connect_failures_total;
  json["failing"] = host.failing;
  return json;
}

ordered_json ClusterJson(const ClusterStatus& cluster) {
  ordered_json hosts = ordered_json::array();
  for (const HostStatus& host : cluster.hosts) hosts.push_back(HostJson(host));
  ordered_json json = {{"name", cluster.name}, {"lbPolicy", cluster.lb_policy}};
  json["circuitBreakers"] = {
      {"connections", Use(cluster.connections, cluster.limits.max_connections)},
      {"pendingRequests", Use(cluster.pending, cluster.limits.max_pending_requests)},
      {"requests", Use(cluster.requests, cluster.limits.max_requests)},
      {"retries", Use(cluster.retries, cluster.limits.max_retries)},
  };
  json["hosts"] = std::move(hosts);
  if (!cluster.unresolved.empty()) {
    ordered_json unresolved = ordered_json::array();
    for (const auto& [endpoint, why] : cluster.unresolved) {
      unresolved.push_back({{"endpoint", endpoint}, {"why", why}});
    }
    json["unresolved"] = std::move(unresolved);
  }
  return json;
}

}  // namespace

void Merge(std::vector<ClusterStatus> from, std::vector<ClusterStatus>* into) {
  absl::flat_hash_map<std::string, size_t> places;
  for (size_t i = 0; i < into->size(); ++i) places[(*into)[i].name] = i;
  for (ClusterStatus& cluster : from) {
    const auto place = places.find(cluster.name);
    if (place == places.end()) {
      into->push_back(std::move(cluster));
      continue;
    }
    ClusterStatus* same = &(*into)[place->second];
    for (HostStatus& host : cluster.hosts) {
      const auto known =
          std::find_if(same->hosts.begin(), same->hosts.end(),
                       [&](const HostStatus& h) { return h.address == host.address; });
      if (known == same->hosts.end()) {
        same->hosts.push_back(std::move(host));
      } else {
        MergeHost(host, &*known);
      }
    }
  }
}

net::Task<absl::StatusOr<std::vector<ClusterStatus>>> DescribeClusters(
    std::vector<ClusterManager*> managers, net::CancelScope& scope) {
  std::vector<net::Future<std::vector<ClusterStatus>>> answers;
  for (ClusterManager* manager : managers) {
    auto [promise, future] = net::MakeFuture<std::vector<ClusterStatus>>(scope.loop());
    manager->loop().Post(
        [manager, promise = std::move(promise)]() mutable { promise.Set(manager->Describe()); });
    answers.push_back(std::move(future));
  }
  std::vector<ClusterStatus> all;
  for (net::Future<std::vector<ClusterStatus>>& answer : answers) {
    absl::StatusOr<std::vector<ClusterStatus>> part = co_await answer.Get(scope);
    if (!part.ok()) co_return part.status();
    Merge(*std::move(part), &all);
  }
  co_return all;
}

std::string ToJson(absl::Span<const ClusterStatus> clusters) {
  ordered_json list = ordered_json::array();
  for (const ClusterStatus& cluster : clusters) list.push_back(ClusterJson(cluster));
  const ordered_json root = {{"clusters", std::move(list)}};
  return root.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace pillion::upstream
