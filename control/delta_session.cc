#include "control/delta_session.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/discovery/resource_types.h"
#include "envoy/service/discovery/v3/discovery.pb.h"

namespace pillion::control {
namespace {

// gRPC clients refuse messages above 4 MiB unless told otherwise. One resource may exceed this; it
// goes alone.
constexpr size_t kMaxResponseBytes = 1 << 20;

// A client that never acknowledges must not make us remember without end.
constexpr size_t kMaxUnanswered = 256;

// Types, and names within a type, that one client may subscribe to: far above what any client
// needs.
constexpr size_t kMaxTypes = 64;
constexpr size_t kMaxNames = 100'000;

}  // namespace

DeltaSession::Outcome DeltaSession::OnRequest(const Request& request) {
  Outcome outcome;
  uint64_t nonce = 0;
  if (absl::SimpleAtoi(request.response_nonce(), &nonce)) {
    if (auto sent = unanswered_.extract(nonce)) {
      outcome.verdict = Verdict{sent.mapped().type_url, sent.mapped().policy_version,
                                !request.has_error_detail(), request.error_detail().message()};
    }
  }
  auto found = subscriptions_.find(request.type_url());
  const bool first = found == subscriptions_.end();
  if (first && subscriptions_.size() >= kMaxTypes) return outcome;
  Subscription& subscription = first ? subscriptions_[request.type_url()] : found->second;
  Subscribe(request, subscription, first);
  if (first && request.type_url() == discovery::PolicyVersionUrl()) {
    const auto version = subscription.known.find(std::string(discovery::kPolicyVersionName));
    if (version != subscription.known.end()) outcome.runs_version = version->second;
  }
  return outcome;
}

void DeltaSession::Subscribe(const Request& request, Subscription& subscription, bool first) {
  // A first request that names nothing means everything; a later one is a mere acknowledgement.
  if (first && request.resource_names_subscribe().empty()) subscription.wildcard = true;
  for (const std::string& name : request.resource_names_subscribe()) {
    if (name == "*") {
      subscription.wildcard = true;
    } else if (subscription.names.size() < kMaxNames) {
      subscription.names.insert(name);
      subscription.known.erase(name);  // subscribing again asks for it again
    }
  }
  for (const std::string& name : request.resource_names_unsubscribe()) {
    if (name == "*") subscription.wildcard = false;
    subscription.names.erase(name);
  }
  // What the client no longer wants is forgotten on both sides, without a response.
  for (auto it = subscription.known.begin(); it != subscription.known.end();) {
    it = subscription.Wants(it->first) ? std::next(it) : subscription.known.erase(it);
  }
  if (!first) return;
  for (const auto& [name, version] : request.initial_resource_versions()) {
    if (subscription.known.size() < kMaxNames) subscription.known[name] = version;
  }
}

bool DeltaSession::Next(const ResourcesByType& view, const ResourceMap& clusters,
                        const std::string& policy_version, Response* response) {
  static const ResourceMap none;
  response->Clear();
  for (const discovery::ResourceType& type : discovery::ResourceTypes()) {
    const auto subscription = subscriptions_.find(type.url);
    if (subscription == subscriptions_.end()) continue;
    const auto resources = view.find(type.url);
    if (Collect(subscription->second, resources == view.end() ? none : resources->second,
                type.url == discovery::ClusterUrl() ? clusters : none, type.url, response)) {
      Stamp(type.url, policy_version, response);
      return true;
    }
  }
  return false;
}

bool DeltaSession::Collect(Subscription& subscription, const ResourceMap& view,
                           const ResourceMap& by_name, const std::string& type_url,
                           Response* response) {
  const auto exists = [&](const std::string& name) {
    return view.count(name) != 0 ||
           (by_name.count(name) != 0 && subscription.names.count(name) != 0);
  };
  size_t bytes = 0;
  // False: the response is full.
  const auto offer = [&](const Resource& resource) {
    auto [known, is_new] = subscription.known.try_emplace(resource.name);
    if (!is_new && known->second == resource.version) return true;
    if (bytes > 0 && bytes + resource.bytes.size() > kMaxResponseBytes) {
      if (is_new) subscription.known.erase(known);
      return false;
    }
    bytes += resource.bytes.size() + 1;
    known->second = resource.version;
    auto* sent = response->add_resources();
    sent->set_name(resource.name);
    sent->set_version(resource.version);
    sent->mutable_resource()->set_type_url(type_url);
    sent->mutable_resource()->set_value(resource.bytes);
    return true;
  };
  for (const auto& [name, resource] : view) {
    if (subscription.Wants(name) && !offer(*resource)) return true;
  }
  for (const std::string& name : subscription.names) {
    const auto named = by_name.find(name);
    if (named != by_name.end() && !offer(*named->second)) return true;
  }
  // Gone since, or asked for by name and not there.
  for (auto it = subscription.known.begin(); it != subscription.known.end();) {
    if (it->second.empty() || exists(it->first)) {
      ++it;
      continue;
    }
    response->add_removed_resources(it->first);
    if (subscription.names.count(it->first) != 0) {
      (it++)->second.clear();
    } else {
      it = subscription.known.erase(it);
    }
  }
  for (const std::string& name : subscription.names) {
    if (!exists(name) && subscription.known.try_emplace(name).second) {
      response->add_removed_resources(name);
    }
  }
  return response->resources_size() > 0 || response->removed_resources_size() > 0;
}

void DeltaSession::Stamp(const std::string& type_url, const std::string& policy_version,
                         Response* response) {
  response->set_type_url(type_url);
  response->set_system_version_info(policy_version);
  response->set_nonce(absl::StrCat(++last_nonce_));
  response->mutable_control_plane()->set_identifier("pillion-control");
  unanswered_[last_nonce_] = {type_url, policy_version};
  if (unanswered_.size() > kMaxUnanswered) unanswered_.erase(unanswered_.begin());
}

}  // namespace pillion::control
