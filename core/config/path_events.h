// Tells when what a list of paths leads to may have changed (inotify). A detail of watch.cc.
//
// inotify watches inodes, people edit paths. So every directory in which a component of a path, or
// of a symbolic link on the way, is looked up gets a watch that cares for that one name; a
// directory that is itself listed gets one that cares for every name. Refresh() walks the paths
// anew, as links and directories change.
#ifndef PILLION_CORE_CONFIG_PATH_EVENTS_H_
#define PILLION_CORE_CONFIG_PATH_EVENTS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

struct inotify_event;

namespace pillion::config {

// Not thread-safe.
class PathEvents {
 public:
  // REQUIRES: every path is absolute.
  explicit PathEvents(std::vector<std::string> paths);
  ~PathEvents();
  PathEvents(const PathEvents&) = delete;
  PathEvents& operator=(const PathEvents&) = delete;

  // Readable when there may be something to Drain(). -1 if the system grants no inotify instance.
  int fd() const { return fd_; }

  // Walks the paths and listens to what they lead to now. A change after this call, and one that
  // raced with it, is reported by a later Drain().
  void Refresh();

  // Takes what was reported so far. True if any of it concerns the paths.
  bool Drain();

  // Whether a file was written to, or created, and not closed since: it may be half-written.
  bool writer_active() const { return !open_for_writing_.empty(); }
  void ForgetWriters() { open_for_writing_.clear(); }

 private:
  struct Interest {
    bool every_name = false;
    std::set<std::string> names;
  };

  void Walk(const std::string& path);
  void ListenIn(const std::string& directory, const std::string& name, uint32_t events);
  void ListenToAllOf(const std::string& directory);
  bool Concerns(const inotify_event& event);

  const std::vector<std::string> paths_;
  const int fd_;
  std::map<int, Interest> interests_;  // by watch descriptor
  std::set<std::pair<int, std::string>> open_for_writing_;
};

}  // namespace pillion::config

#endif  // PILLION_CORE_CONFIG_PATH_EVENTS_H_
