// Which part of the policy a service needs. A detail of snapshot.h.
#ifndef PILLION_CONTROL_SERVICE_NEEDS_H_
#define PILLION_CONTROL_SERVICE_NEEDS_H_

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace pillion::config::v1 {
class Policy;
}

namespace pillion::control {

// Knows no action by name: what refers to what, and which fields hold topics, is said by the rules
// of protos/pillion/config/v1/annotations.proto. Immutable.
class ServiceNeeds {
 public:
  // REQUIRES: defaults are filled in, as a reference may be one (`broker`).
  explicit ServiceNeeds(const config::v1::Policy& policy);

  // Names of resources, by type URL.
  using Names = std::map<std::string, std::set<std::string>>;
  Names Of(const std::string& service) const;

 private:
  // What one resource says about others.
  struct Item {
    std::vector<std::pair<std::string, std::string>> refers_to;  // type URL and name
    std::vector<std::pair<std::string, std::string>> publishes;  // broker and topic
  };
  struct Host {
    std::string name;
    std::set<std::string> source_services;  // empty: all
  };
  struct Subscription {
    std::string name;
    std::string broker;
    std::string topic_pattern;
  };

  void Add(const std::string& type_url, const std::string& name, Names& names) const;

  std::map<std::pair<std::string, std::string>, Item> items_;  // by type URL and name
  std::vector<Host> hosts_;
  std::vector<Subscription> subscriptions_;
};

}  // namespace pillion::control

#endif  // PILLION_CONTROL_SERVICE_NEEDS_H_
