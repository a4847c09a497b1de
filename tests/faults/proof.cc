#include "tests/faults/proof.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"

namespace pillion::faults {
namespace {

using Outcome = Call::Outcome;

std::string Name(const Call& call) { return absl::StrCat(call.path, " number ", call.number); }

// Where a delivery arrives: a subscription's path is its name.
std::string ArrivesAt(const Call& call, const Delivery& delivery) {
  constexpr std::string_view kSubscription = "subscription/";
  return delivery.target.starts_with(kSubscription)
             ? absl::StrCat("/", delivery.target.substr(kSubscription.size()))
             : call.path;
}

bool IsSubscriptionPath(std::string_view path) {
  return std::find(std::begin(kSubscriptionPaths), std::end(kSubscriptionPaths), path) !=
         std::end(kSubscriptionPaths);
}

// Whether what such a call leads to can arrive at `path`.
bool MayArrive(const Call& call, std::string_view path) {
  switch (call.outcome) {
    case Outcome::kRefused:
      return false;
    case Outcome::kAccepted:
      return call.is_message ? IsSubscriptionPath(path) : path == call.path;
    case Outcome::kForwarded:
      return path == call.path;
    case Outcome::kUnknown:
      break;
  }
  const bool as_message = call.path != kAsyncPath;
  const bool as_call = call.path != kPublishPath;
  return (as_message && IsSubscriptionPath(path)) || (as_call && path == call.path);
}

class Proof {
 public:
  explicit Proof(const Record& record) : record_(record) {
    for (const Call& call : record.calls) calls_[call.number] = &call;
    for (size_t i = 0; i < record.receptions.size(); ++i) {
      const Reception& reception = record.receptions[i];
      first_seen_.try_emplace({reception.path, reception.number}, i);
    }
    for (const SidecarRecord& sidecar : record.sidecars) {
      for (const Delivery& delivery : sidecar.deliveries) {
        deliveries_[delivery.message].push_back(&delivery);
      }
    }
  }

  std::vector<std::string> Run() {
    for (const Call& call : record_.calls) CheckCall(call);
    for (const auto& [where, index] : first_seen_) CheckReception(where.first, where.second);
    CheckOrder();
    for (size_t i = 0; i < record_.sidecars.size(); ++i) CheckSidecar(i);
    return std::move(broken_);
  }

 private:
  template <typename... Parts>
  void Broken(const Parts&... parts) {
    broken_.push_back(absl::StrCat(parts...));
  }

  bool WasReceived(const std::string& path, uint64_t number) const {
    return first_seen_.contains({path, number});
  }

  void CheckCall(const Call& call) {
    if (call.outcome == Outcome::kForwarded && !WasReceived(call.path, call.number)) {
      Broken(Name(call), " was answered and never received");
    }
    if (call.outcome != Outcome::kAccepted) return;
    const auto found = deliveries_.find(call.id);
    const size_t expected = call.is_message ? std::size(kSubscriptionPaths) : 1;
    const size_t size = found == deliveries_.end() ? 0 : found->second.size();
    if (size != expected) {
      Broken(Name(call), " was accepted as ", call.id, " and has ", size, " deliveries, not ",
             expected);
      return;
    }
    for (const Delivery* delivery : found->second) CheckDelivery(call, *delivery);
  }

  void CheckDelivery(const Call& call, const Delivery& delivery) {
    const std::string path = ArrivesAt(call, delivery);
    const std::string name = absl::StrCat(Name(call), " (", call.id, ") for ", path);
    if (delivery.state == "failed") {
      if (delivery.reason.empty() || (delivery.error.empty() && delivery.last_status == 0)) {
        Broken(name, " is a dead letter without a reason");
      }
      // Only what is refused for good, and what is not tried for long, may end like that.
      if (!IsPoison(call.number) && path != kImpatientPath) {
        Broken(name, " failed for no good reason: ", delivery.reason, ", ", delivery.error);
      }
    } else if (delivery.state != "succeeded") {
      Broken(name, " is ", delivery.state, ", which is no end: ", delivery.error);
    } else if (!WasReceived(path, call.number)) {
      Broken(name, " succeeded, and was never received");
    } else if (IsPoison(call.number)) {
      Broken(name, " succeeded, though its receiver refused it");
    }
  }

  void CheckReception(const std::string& path, uint64_t number) {
    const auto call = calls_.find(number);
    if (call == calls_.end()) {
      Broken(path, " received number ", number, ", which was never sent");
    } else if (!MayArrive(*call->second, path)) {
      Broken(path, " received ", Name(*call->second),
             ", which was not for it: ", call->second->detail);
    }
  }

  void CheckOrder() {
    std::map<std::string, std::pair<size_t, const Call*>> last_of_key;
    for (const Call& call : record_.calls) {
      if (call.outcome != Outcome::kAccepted || !call.is_message || call.key.empty()) continue;
      const auto seen = first_seen_.find({kOrderedPath, call.number});
      // A dead letter's attempts may still be on the wire when its key goes on.
      if (seen == first_seen_.end() || IsPoison(call.number)) continue;
      auto& [index, last] = last_of_key[absl::StrCat(call.sidecar, " ", call.key)];
      if (last != nullptr && seen->second < index) {
        Broken("key ", call.key, ": ", Name(call), " overtook ", Name(*last));
      }
      index = seen->second;
      last = &call;
    }
  }

  void CheckSidecar(size_t index) {
    const SidecarRecord& sidecar = record_.sidecars[index];
    const StoreTotals& store = sidecar.store;
    if (store.integrity != "ok") {
      Broken(sidecar.name, ": its store is not intact: ", store.integrity);
    }
    std::map<std::string, int64_t> listed;
    for (const Delivery& delivery : sidecar.deliveries) ++listed[delivery.state];
    if (listed != store.states) {
      Broken(sidecar.name, ": its list of deliveries and its store differ: ", Text(listed), " and ",
             Text(store.states));
    }
    if (store.backlog != 0 || store.backlog_bytes != 0) {
      Broken(sidecar.name, ": its store counts a backlog of ", store.backlog, " deliveries, ",
             store.backlog_bytes, " bytes, and there is none");
    }
    CheckStored(index);
    CheckMetrics(index);
  }

  // The store holds what was accepted and what may have been, each once.
  void CheckStored(size_t index) {
    const SidecarRecord& sidecar = record_.sidecars[index];
    std::set<uint64_t> stored;
    for (const uint64_t number : sidecar.store.numbers) {
      const auto call = calls_.find(number);
      if (!stored.insert(number).second) {
        Broken(sidecar.name, ": its store has number ", number, " twice");
      } else if (call == calls_.end() || call->second->sidecar != index) {
        Broken(sidecar.name, ": its store has number ", number, ", which it was never sent");
      } else if (call->second->outcome == Outcome::kRefused ||
                 call->second->outcome == Outcome::kForwarded) {
        Broken(sidecar.name, ": its store has ", Name(*call->second), ", which it did not accept");
      }
    }
    for (const Call& call : record_.calls) {
      if (call.sidecar == index && call.outcome == Outcome::kAccepted &&
          !stored.contains(call.number)) {
        Broken(sidecar.name, ": ", Name(call), " was accepted and is not in its store");
      }
    }
  }

  // Counters begin at zero with each start.
  void CheckMetrics(size_t index) {
    const SidecarRecord& sidecar = record_.sidecars[index];
    int64_t accepted = 0, perhaps = 0;
    for (const Call& call : record_.calls) {
      if (call.sidecar != index || call.end_start != sidecar.start) continue;
      const bool sure = call.outcome == Outcome::kAccepted && call.start == sidecar.start;
      accepted += sure;
      perhaps += !sure && (call.outcome == Outcome::kAccepted || call.outcome == Outcome::kUnknown);
    }
    const auto failed = sidecar.store.states.find("failed");
    const int64_t dead = failed == sidecar.store.states.end() ? 0 : failed->second;
    const auto expect = [&](const char* metric, int64_t least, int64_t most) {
      const auto found = sidecar.metrics.find(metric);
      const double value = found == sidecar.metrics.end() ? -1 : found->second;
      if (value >= static_cast<double>(least) && value <= static_cast<double>(most)) return;
      Broken(sidecar.name, ": ", metric, " is ", value, ", and by the record it is between ", least,
             " and ", most);
    };
    expect("pillion_delivery_accepted_total", accepted, accepted + perhaps);
    expect("pillion_delivery_pending", 0, 0);
    expect("pillion_delivery_running", 0, 0);
    expect("pillion_delivery_queued", 0, 0);
    expect("pillion_delivery_dead_letters", dead, dead);
    expect("pillion_delivery_finished_total{state=\"canceled\"}", 0, 0);
    expect("pillion_delivery_finished_total{state=\"expired\"}", 0, 0);
    for (const auto& [name, value] : sidecar.metrics) {
      if (name.starts_with("pillion_delivery_backlog")) expect(name.c_str(), 0, 0);
    }
  }

  static std::string Text(const std::map<std::string, int64_t>& counts) {
    std::string text;
    for (const auto& [name, count] : counts) absl::StrAppend(&text, name, " ", count, " ");
    return text;
  }

  const Record& record_;
  std::unordered_map<uint64_t, const Call*> calls_;
  std::map<std::pair<std::string, uint64_t>, size_t> first_seen_;  // index of the reception
  std::unordered_map<std::string, std::vector<const Delivery*>> deliveries_;  // by message
  std::vector<std::string> broken_;
};

}  // namespace

std::vector<std::string> FindBrokenPromises(const Record& record) { return Proof(record).Run(); }

}  // namespace pillion::faults
