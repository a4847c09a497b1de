// Who wants to hear of changes to which message. One thread.
#ifndef PILLION_SIDECAR_DELIVERY_WATCHERS_H_
#define PILLION_SIDECAR_DELIVERY_WATCHERS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "sidecar/delivery/requests.h"

namespace pillion::delivery {

struct Watcher {
  WatchId watch = 0;
  std::string message_id;
  std::string id;  // as asked for: the message's, or that of one of its deliveries
  Callback<MessageView> on_change;
};

class Watchers {
 public:
  void Add(Watcher watcher);
  void Remove(WatchId watch);
  // Those of one message, in no particular order; valid until the next change.
  std::vector<Watcher*> Of(const std::string& message_id);
  bool Has(const std::string& message_id) const { return by_message_.contains(message_id); }
  size_t size() const { return watchers_.size(); }
  bool empty() const { return watchers_.empty(); }
  // Takes all of them out.
  std::vector<std::unique_ptr<Watcher>> TakeAll();

 private:
  absl::flat_hash_map<WatchId, std::unique_ptr<Watcher>> watchers_;
  absl::flat_hash_map<std::string, std::vector<WatchId>> by_message_;
};

}  // namespace pillion::delivery

#endif  // PILLION_SIDECAR_DELIVERY_WATCHERS_H_
