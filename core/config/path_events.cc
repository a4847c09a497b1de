#include "core/config/path_events.h"

#include <dirent.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <deque>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace pillion::config {
namespace {

constexpr uint32_t kEvents = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY |
                             IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
// Of a directory on the way: that something in it is another now. Who else writes there is of no
// interest, and may be busy (/tmp).
constexpr uint32_t kEventsOnTheWay =
    IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr int kMaxSymlinks = 40;  // as the kernel: path_resolution(7)

std::string ReadLink(const std::string& path) {
  char target[PATH_MAX];
  const ssize_t size = readlink(path.c_str(), target, sizeof target);
  return size > 0 ? std::string(target, size) : std::string();
}

std::vector<std::string> NamesIn(const std::string& directory) {
  std::vector<std::string> names;
  std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(directory.c_str()), closedir);
  if (dir == nullptr) return names;
  while (const dirent* entry = readdir(dir.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  return names;
}

void Prepend(const std::string& path, std::deque<std::string>& components) {
  const std::vector<std::string> added = absl::StrSplit(path, '/', absl::SkipEmpty());
  components.insert(components.begin(), added.begin(), added.end());
}

}  // namespace

PathEvents::PathEvents(std::vector<std::string> paths)
    : paths_(std::move(paths)), fd_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

PathEvents::~PathEvents() {
  if (fd_ >= 0) close(fd_);
}

void PathEvents::Refresh() {
  if (fd_ < 0) return;
  std::map<int, Interest> before;
  before.swap(interests_);
  for (const std::string& path : paths_) Walk(path);
  for (const auto& [watch, interest] : before) {
    if (interests_.count(watch) == 0) inotify_rm_watch(fd_, watch);
  }
}

// Each name is listened to before it is looked up, so that no change falls between the two.
void PathEvents::Walk(const std::string& path) {
  std::deque<std::string> components;
  Prepend(path, components);
  std::string at = "/";
  int symlinks = 0;
  while (!components.empty()) {
    const std::string name = components.front();
    components.pop_front();
    if (name == ".") continue;
    ListenIn(at, name, components.empty() ? kEvents : kEventsOnTheWay);
    const std::string next = at == "/" ? absl::StrCat("/", name) : absl::StrCat(at, "/", name);
    struct stat info;
    if (lstat(next.c_str(), &info) != 0) return;
    if (S_ISLNK(info.st_mode)) {
      if (++symlinks > kMaxSymlinks) return;
      const std::string target = ReadLink(next);
      if (!target.empty() && target.front() == '/') at = "/";
      Prepend(target, components);
      continue;
    }
    at = next;
    if (!components.empty()) continue;
    if (S_ISDIR(info.st_mode)) {
      ListenToAllOf(at);
    } else {
      // The file's inode as well: a single file mounted into a container is written through another
      // directory.
      const int watch = inotify_add_watch(fd_, at.c_str(), kEvents);
      if (watch >= 0) interests_[watch].every_name = true;
    }
  }
}

void PathEvents::ListenIn(const std::string& directory, const std::string& name, uint32_t events) {
  // IN_MASK_ADD: the directory may also be one of those whose files are listened to.
  const int watch = inotify_add_watch(fd_, directory.c_str(), events | IN_ONLYDIR | IN_MASK_ADD);
  if (watch >= 0) interests_[watch].names.insert(name);
}

void PathEvents::ListenToAllOf(const std::string& directory) {
  const int watch = inotify_add_watch(fd_, directory.c_str(), kEvents | IN_ONLYDIR | IN_MASK_ADD);
  if (watch < 0) return;
  interests_[watch].every_name = true;
  for (const std::string& name : NamesIn(directory)) {
    const std::string path = absl::StrCat(directory, "/", name);
    struct stat info;
    if (lstat(path.c_str(), &info) == 0 && S_ISLNK(info.st_mode)) Walk(path);
  }
}

bool PathEvents::Drain() {
  if (fd_ < 0) return false;
  bool concerned = false;
  alignas(inotify_event) char buffer[16 * 1024];
  for (;;) {
    const ssize_t size = read(fd_, buffer, sizeof buffer);
    if (size <= 0) return concerned;
    for (const char* at = buffer; at < buffer + size;) {
      const auto& event = *reinterpret_cast<const inotify_event*>(at);
      at += sizeof(inotify_event) + event.len;
      if (Concerns(event)) concerned = true;
    }
  }
}

bool PathEvents::Concerns(const inotify_event& event) {
  if (event.mask & IN_Q_OVERFLOW) return true;
  if (event.mask & IN_IGNORED)
    return false;  // the end of a watch; what ended it is reported by itself
  const auto found = interests_.find(event.wd);
  if (found == interests_.end()) return false;
  const std::string name = event.len > 0 ? std::string(event.name) : std::string();
  const bool itself = name.empty();
  if (!itself && !found->second.every_name && found->second.names.count(name) == 0) return false;
  if (!(event.mask & IN_ISDIR)) {
    if (event.mask & (IN_CREATE | IN_MODIFY)) open_for_writing_.emplace(event.wd, name);
    if (event.mask & (IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF)) {
      open_for_writing_.erase({event.wd, name});
    }
  }
  return true;
}

}  // namespace pillion::config
