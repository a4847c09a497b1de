#include "sidecar/delivery/watchers.h"

#include <utility>

namespace pillion::delivery {

void Watchers::Add(Watcher watcher) {
  by_message_[watcher.message_id].push_back(watcher.watch);
  const WatchId watch = watcher.watch;
  watchers_[watch] = std::make_unique<Watcher>(std::move(watcher));
}

void Watchers::Remove(WatchId watch) {
  const auto it = watchers_.find(watch);
  if (it == watchers_.end()) return;
  const auto message = by_message_.find(it->second->message_id);
  std::erase(message->second, watch);
  if (message->second.empty()) by_message_.erase(message);
  watchers_.erase(it);
}

std::vector<Watcher*> Watchers::Of(const std::string& message_id) {
  std::vector<Watcher*> found;
  const auto message = by_message_.find(message_id);
  if (message == by_message_.end()) return found;
  for (WatchId watch : message->second) found.push_back(watchers_.at(watch).get());
  return found;
}

std::vector<std::unique_ptr<Watcher>> Watchers::TakeAll() {
  std::vector<std::unique_ptr<Watcher>> all;
  for (auto& [watch, watcher] : watchers_) all.push_back(std::move(watcher));
  watchers_.clear();
  by_message_.clear();
  return all;
}

}  // namespace pillion::delivery
