// Any requests of an xDS client, each preceded by its length as a varint, with the policy changing
// in between. However a client behaves, control must come to an end of what it has to say, must not
// repeat itself, and must leave a client that subscribed to everything with exactly what there is.

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/delimited_message_util.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "control/delta_session.h"
#include "control/resources.h"
#include "core/check.h"
#include "core/discovery/resource_types.h"
#include "envoy/service/discovery/v3/discovery.pb.h"

namespace {

using pillion::control::DeltaSession;
using pillion::control::Resource;
using pillion::control::ResourceMap;
using pillion::control::ResourcesByType;
using pillion::discovery::ClusterUrl;
using pillion::discovery::ResourceTypes;

constexpr int kMaxRequests = 50;

// A policy that differs from step to step: resources come, go and change.
ResourcesByType View(int step) {
  ResourcesByType view;
  for (const auto& type : ResourceTypes()) {
    for (int i = 0; i < 4; ++i) {
      if ((step + i) % 3 == 0) continue;
      const std::string name(1, static_cast<char>('a' + i));
      view[type.url][name] =
          std::make_shared<Resource>(Resource{name, std::to_string(i % 2 == 0 ? step : 1), name});
    }
  }
  return view;
}

// What a client with no subscription but "*" holds, by type and name.
class Mirror {
 public:
  void Take(const DeltaSession::Response& response) {
    auto& held = held_[response.type_url()];
    for (const auto& resource : response.resources()) held[resource.name()] = resource.version();
    for (const auto& name : response.removed_resources()) held.erase(name);
  }

  void CheckSameAs(const ResourcesByType& view, const std::string& type_url) {
    std::map<std::string, std::string> expected;
    for (const auto& [name, resource] : view.at(type_url)) expected[name] = resource->version;
    PILLION_CHECK(held_[type_url] == expected);
  }

 private:
  std::map<std::string, std::map<std::string, std::string>> held_;
};

void Drain(DeltaSession& session, const ResourcesByType& view, Mirror* mirror) {
  ResourceMap clusters = view.at(ClusterUrl());
  clusters["z"] = std::make_shared<Resource>(Resource{"z", "1", "z"});  // beyond the view
  DeltaSession::Response response;
  int responses = 0;
  while (session.Next(view, clusters, "v", &response)) {
    PILLION_CHECK(++responses <= 1000);
    PILLION_CHECK(response.resources_size() + response.removed_resources_size() > 0);
    if (mirror != nullptr) mirror->Take(response);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  google::protobuf::io::ArrayInputStream bytes(data, static_cast<int>(size));
  google::protobuf::io::CodedInputStream input(&bytes);
  DeltaSession any, plain;
  Mirror mirror;
  DeltaSession::Request everything;
  everything.set_type_url(ResourceTypes()[0].url);
  plain.OnRequest(everything);
  for (int step = 0; step < kMaxRequests; ++step) {
    DeltaSession::Request request;
    bool clean_end = false;
    if (!google::protobuf::util::ParseDelimitedFromCodedStream(&request, &input, &clean_end)) break;
    any.OnRequest(request);
    const ResourcesByType view = View(step);
    Drain(any, view, nullptr);
    // Mere answers, whatever they say, change nothing of what a client holds.
    request.set_type_url(everything.type_url());
    request.clear_resource_names_subscribe();
    request.clear_resource_names_unsubscribe();
    plain.OnRequest(request);
    Drain(plain, view, &mirror);
    mirror.CheckSameAs(view, everything.type_url());
  }
  return 0;
}
